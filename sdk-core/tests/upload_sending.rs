//! Uploads against the real local platform: large files, broken connections, and what the platform refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::Request,
    http::StatusCode,
    response::IntoResponse,
    routing::{delete, post},
};
use common::{MIB, World, bytes, sha256};
use serde_json::json;
use storycore::{
    CallOptions, Client, ErrorKind,
    models::UploadOptions,
    upload::{Journal, UploadSource},
};

#[tokio::test]
async fn a_large_file_goes_in_parts_and_becomes_one_asset() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB + 17, 1);
    let (seen, last) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let (count, kept) = (Arc::clone(&seen), Arc::clone(&last));
    let uploaded = world
        .upload(&path)
        .on_progress(move |p| {
            count.fetch_add(1, Ordering::Relaxed);
            *kept.lock().unwrap() = Some(p);
        })
        .send()
        .await
        .unwrap();
    assert_eq!(uploaded.asset.sha256.as_deref(), Some(&*sha256));
    assert_eq!((uploaded.sent, uploaded.failures), ((40 * MIB + 17) as u64, 0));
    let last = last.lock().unwrap().unwrap();
    assert_eq!((last.acknowledged, last.total), (uploaded.sent, uploaded.sent));
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn bytes_and_streams_of_unknown_length_arrive_whole() {
    let world = World::new().await;
    let whole = bytes(37 * MIB + 5, 2);
    let sha256 = common::sha256(&whole);
    let uploaded = world.upload(UploadSource::bytes("a.bin", whole.clone())).send().await.unwrap();
    assert_eq!(uploaded.asset.sha256.as_deref(), Some(&*sha256));
    world.client.media().delete(&uploaded.asset.id).await.unwrap();
    let pieces: Vec<_> =
        whole.chunks(100_003).map(|c| Ok(bytes::Bytes::copy_from_slice(c))).collect();
    let source = UploadSource::stream("b.bin", futures_util::stream::iter(pieces));
    let uploaded = world.upload(source).send().await.unwrap();
    assert_eq!(uploaded.asset.size, Some(whole.len() as u64));
    world.only_asset(&sha256).await;
    let short = UploadSource::stream("c.bin", futures_util::stream::iter([Ok("abc".into())]));
    assert_eq!(world.upload(short).send().await.unwrap().asset.size, Some(3));
    world.end().await;
}

#[tokio::test]
async fn every_passing_failure_is_made_good_from_where_the_platform_is() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 3);
    let chunk = 4 * MIB as u64;
    let at = "/api/assets/uploads/*";
    for (method, nth, action) in [
        ("PATCH", 1, json!({"drop_before": true})),
        ("PATCH", 3, json!({"drop_after": true})),
        ("PATCH", 5, json!({"status": 500})),
        ("PATCH", 7, json!({"status": 409})),
        ("PATCH", 9, json!({"reset": true})),
        ("PATCH", 10, json!({"status": 423})),
        ("HEAD", 1, json!({"status": 503})),
        ("HEAD", 3, json!({"drop_before": true})),
        ("POST", 1, json!({"drop_after": true})),
    ] {
        let path = if method == "POST" { "/api/assets/uploads" } else { at };
        world.fault(json!({"method": method, "path": path, "nth": nth, "action": action})).await;
    }
    let uploaded = world.upload(&path).chunk_size(chunk).send().await.unwrap();
    assert!(uploaded.failures >= 7, "{}", uploaded.failures);
    assert_eq!(uploaded.restarts, [""; 0]);
    // Each fault costs at most the chunk that it hit.
    assert!(uploaded.sent <= (24 * MIB) as u64 + u64::from(uploaded.failures) * chunk);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// tus-js-client 4.3.1 starts again from byte 0 here, leaves an orphan, and tells of success twice.
#[tokio::test]
async fn a_cut_chunk_whose_head_answers_503_is_continued_and_told_once() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 4);
    world
        .fault(json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": 3, "action": {"drop_after": true}}))
        .await;
    world
        .fault(json!({"method": "HEAD", "path": "/api/assets/uploads/*", "nth": 1, "action": {"status": 503}}))
        .await;
    let uploaded =
        world.upload(&path).max_streams(1).chunk_size(4 * MIB as u64).send().await.unwrap();
    assert_eq!(world.requests("POST").await, 1, "one upload was made and no orphan");
    assert_eq!((uploaded.failures, uploaded.sent), (2, 24 * MIB as u64), "no byte went twice");
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_chunk_that_arrives_changed_is_sent_again_three_times_and_no_more() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 20 * MIB, 5);
    let at = "/api/assets/uploads/*";
    let fault = |times: u32| json!({"method": "PATCH", "path": at, "nth": 2, "times": times, "action": {"status": 460}});
    world.fault(fault(3)).await;
    let upload = || world.upload(&path).max_streams(1).chunk_size(4 * MIB as u64);
    assert_eq!(upload().send().await.unwrap().failures, 3);
    world.only_asset(&sha256).await;
    world.no_faults().await;
    world.fault(fault(4)).await;
    assert_eq!(upload().send().await.unwrap_err().status(), Some(460));
    world.end().await;
}

#[tokio::test]
async fn a_chunk_that_is_too_large_is_cut_smaller() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 20 * MIB, 6);
    world
        .fault(json!({"method": "PATCH", "path": "/api/assets/uploads/*", "times": 2, "action": {"status": 413}}))
        .await;
    world.upload(&path).max_streams(1).send().await.unwrap();
    assert!(world.requests("PATCH").await >= 2 + 10, "8 MiB became 2");
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_uploaded_is_an_error_of_the_file() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 40 * MIB, 10);
    let grows = path.clone();
    let upload = world.upload(&path).chunk_size(2 * MIB as u64).on_progress(move |p| {
        if p.sent > 0 {
            std::fs::OpenOptions::new()
                .append(true)
                .open(&grows)
                .unwrap()
                .set_len(41 << 20)
                .unwrap();
        }
    });
    let (told, outcome) = (world.requests("PATCH").await, upload.send().await);
    let error = outcome.unwrap_err();
    assert_eq!((told, error.kind()), (0, ErrorKind::Upload), "{error}");
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

/// It grows after it was measured and before its first byte is read.
#[tokio::test]
async fn a_file_that_grows_before_its_first_chunk_is_never_an_asset_of_its_beginning() {
    let world = World::new().await;
    let held = json!({"method": "OPTIONS", "path": "/api/assets/uploads", "action": {"delay_ms": 600_000}});
    for (name, journal) in [("off.bin", Journal::Off), ("at.bin", world.journal())] {
        let (path, _) = world.file(name, 24 * MIB, 9);
        let asked = world.requests("OPTIONS").await;
        world.fault(held.clone()).await;
        let upload = || world.upload(&path).journal(journal.clone()).send();
        let grows = async {
            while world.requests("OPTIONS").await == asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.set_len(25 << 20).unwrap();
            world.no_faults().await;
        };
        let (outcome, ()) = tokio::join!(upload(), grows);
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Upload, "{error}");
        assert!(error.message().contains("changed while it was uploaded"), "{error}");
        assert_eq!(world.assets().await, 0);
        // Complete by now, it goes as it is.
        let uploaded = upload().await.unwrap();
        assert_eq!((uploaded.asset.size, uploaded.restarts.len()), (Some(25 << 20), 0));
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn what_the_platform_lost_is_begun_anew_and_told() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 11);
    world
        .fault(json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": 3, "action": {"drop_before": true}}))
        .await;
    world
        .fault(json!({"method": "HEAD", "path": "/api/assets/uploads/*", "nth": 1, "action": {"status": 410}}))
        .await;
    let uploaded =
        world.upload(&path).max_streams(1).chunk_size(4 * MIB as u64).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_platform_without_tus_takes_one_request() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 20 * MIB, 15);
    world
        .fault(
            json!({"method": "OPTIONS", "path": "/api/assets/uploads", "action": {"status": 404}}),
        )
        .await;
    world.upload(&path).send().await.unwrap();
    assert_eq!(world.requests("POST").await, 0);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// Every error that passes says that the same call goes on: at the first question, in the middle, and in one request.
#[tokio::test]
async fn an_upload_that_fails_for_now_says_to_upload_again() {
    let world = World::new().await;
    let (large, _) = world.file("film.bin", 20 * MIB, 16);
    let (small, _) = world.file("note.bin", 1000, 17);
    for (method, path, file) in [
        ("OPTIONS", "/api/assets/uploads", &large),
        ("POST", "/api/assets/uploads", &large),
        ("PATCH", "/api/assets/uploads/*", &large),
        ("GET", "/api/assets/*", &large),
        ("POST", "/api/assets/upload", &small),
    ] {
        let fault = json!({"method": method, "path": path, "times": 0, "action": {"status": 500}});
        world.fault(fault).await;
        let error = world.upload(file).retries(1).send().await.unwrap_err();
        assert_eq!(error.status(), Some(500));
        assert!(error.message().contains("upload the same file again"), "{method}: {error}");
        world.no_faults().await;
    }
    world.end().await;
}

/// It answers before it has read what it would have to store.
#[tokio::test]
async fn a_platform_that_does_not_read_the_file_is_not_believed() {
    let (unread, removed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
    let (kept, counted) = (Arc::clone(&unread), Arc::clone(&removed));
    let store = move |request: Request| {
        kept.lock().unwrap().push(request.into_body());
        let asset = json!({"id": "ast_1", "sha256": "0".repeat(64), "status": "ready"});
        std::future::ready((StatusCode::CREATED, Json(asset)))
    };
    let remove = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(StatusCode::NO_CONTENT)
    };
    let router = Router::new()
        .route("/api/assets/upload", post(store))
        .route("/api/assets/ast_1", delete(remove));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client::builder().base_url(url).api_key("key-of-a-test").build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.bin");
    std::fs::write(&path, bytes(15 * MIB, 18)).unwrap();
    let upload = client.media().prepare_upload(path, UploadOptions::new("document"));
    let outcome = upload.journal(Journal::Off).send().await;
    serving.abort();
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload);
    assert!(error.message().contains("other bytes"), "{error}");
    assert_eq!(removed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_stream_without_a_byte_is_an_empty_asset_also_over_tus() {
    let world = World::new().await;
    let empty = || UploadSource::stream("note.txt", futures_util::stream::empty());
    let uploaded = world.upload(empty()).multipart_below(0).send().await.unwrap();
    assert_eq!(uploaded.asset.size, Some(0));
    world.only_asset(&sha256(b"")).await;
    // The same when the answer to its only request is lost.
    let lost =
        json!({"method": "PATCH", "path": "/api/assets/uploads/*", "action": {"drop_after": true}});
    world.fault(lost).await;
    let uploaded = world.upload(empty()).multipart_below(0).send().await.unwrap();
    assert_eq!((uploaded.asset.size, world.assets().await), (Some(0), 2));
    world.end().await;
}

#[tokio::test]
async fn a_small_file_tells_how_many_of_its_requests_failed() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 1000, 61);
    let busy = json!({"method": "POST", "path": "/api/assets/upload", "times": 2, "action": {"status": 500}});
    world.fault(busy).await;
    assert_eq!(world.upload(&path).send().await.unwrap().failures, 2);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_runs_out_of_time_says_what_to_do_with_its_own_source() {
    let world = World::new().await;
    let stuck = json!({"path": "/api/assets/*", "times": 0, "action": {"delay_ms": 60_000}});
    world.fault(stuck).await;
    let client = world.client.with(CallOptions::new().timeout(Duration::from_millis(300)));
    let (path, _) = world.file("note.bin", 1000, 62);
    let pieces = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"abc"))]);
    for (source, advice) in [
        (UploadSource::from(&path), "upload the same file again"),
        (UploadSource::bytes("note.bin", vec![1; 10]), "upload the same bytes again"),
        (UploadSource::stream("note.bin", pieces), "open the stream anew"),
    ] {
        let upload = client.media().prepare_upload(source, UploadOptions::new("document"));
        let error = upload.journal(Journal::Off).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains(advice), "{error}");
    }
    world.end().await;
}

/// A platform that takes uploads, and names no asset.
async fn nothing_but_tus(request: Request, offset: Arc<Mutex<String>>) -> impl IntoResponse {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    if method == "PATCH" {
        *offset.lock().unwrap() = body.len().to_string();
    }
    let status = if method == "POST" { StatusCode::CREATED } else { StatusCode::OK };
    let headers = [
        ("tus-version", "1.0.0".to_owned()),
        ("tus-extension", "creation".to_owned()),
        ("location", path + "/1"),
        ("upload-offset", offset.lock().unwrap().clone()),
    ];
    (status, headers)
}

#[tokio::test]
async fn an_upload_of_which_the_platform_names_no_asset_is_an_error_with_one_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.bin");
    std::fs::write(&path, vec![7; 1000]).unwrap();
    let again = "upload it again once it does";
    let not_again = "do not upload it again";
    for (source, advice, other) in [
        // The next call comes back to it by the journal, and of bytes would be a second upload.
        (UploadSource::from(&path), again, not_again),
        (UploadSource::bytes("film.bin", vec![7; 1000]), not_again, again),
    ] {
        let offset = Arc::new(Mutex::new("0".to_owned()));
        let router = Router::new()
            .fallback(move |request: Request| nothing_but_tus(request, Arc::clone(&offset)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder().base_url(url).api_key("key-of-a-test").build().unwrap();
        let upload = client.media().prepare_upload(source, UploadOptions::new("document"));
        let upload = upload.journal(Journal::At(folder.path().join("journal.sqlite3")));
        let outcome = upload.multipart_below(0).send().await;
        serving.abort();
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Upload);
        assert!(error.message().contains("X-Asset-Id"), "{error}");
        assert!(error.message().contains(advice) && !error.message().contains(other), "{error}");
    }
}

//! Downloads into files: from the real local platform, and from servers that change their minds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod streams;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
    routing::get,
};
use common::{MIB, World, bytes, files, sha256};
use serde_json::json;
use storycore::{CallOptions, Client, ErrorKind, upload::UploadSource};

/// The id of a new asset with this content.
async fn asset(world: &World, content: &[u8]) -> String {
    let source = UploadSource::bytes("film.bin", content.to_vec());
    world.upload(source).send().await.unwrap().asset.id
}

/// The `Range` of each request for content, and the status it was answered with.
async fn ranges(world: &World) -> Vec<(Option<String>, u64)> {
    let all = world.asked().await;
    all.iter()
        .filter(|r| r["path"].as_str().unwrap().ends_with("/content"))
        .map(|r| {
            let range = &r["headers"]["range"];
            let range = range.as_str().or_else(|| range[0].as_str());
            (range.map(str::to_owned), r["status"].as_u64().unwrap_or_default())
        })
        .collect()
}

#[tokio::test]
async fn a_timeout_that_is_given_for_a_download_bounds_all_of_it_and_the_clients_own_does_not() {
    let world = World::new().await;
    let content = bytes(80 * MIB, 1);
    let id = asset(&world, &content).await;
    // Each answer comes in time, and all of them together do not.
    let slow = json!({"path": "/api/assets/*", "times": 0, "action": {"delay_ms": 1500}});
    world.fault(slow).await;
    let patience = Duration::from_millis(2500);
    let to = world.path("film.bin");
    let hasty = world.client.with(CallOptions::new().timeout(patience));
    let error = hasty.media().download(&id, &to).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("download it again"), "{error}");
    assert!(!to.exists());
    let platform = &world.platform;
    let own = Client::builder().base_url(platform.url()).api_key(platform.api_key());
    let own = own.timeout(patience).build().unwrap();
    own.media().download(&id, &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == content);
    world.end().await;
}

#[tokio::test]
async fn a_large_file_comes_in_parallel_ranges() {
    let world = World::new().await;
    let content = bytes(100 * MIB, 1);
    let id = asset(&world, &content).await;
    world.client.media().download(&id, world.path("film.bin")).await.unwrap();
    assert!(std::fs::read(world.path("film.bin")).unwrap() == content);
    assert_eq!(files(world.folder.path()), ["film.bin"], "nothing else is left");
    let asked = ranges(&world).await;
    assert_eq!(asked.len(), 4, "32 MiB each");
    assert!(asked.iter().all(|(range, status)| range.is_some() && *status == 206), "{asked:?}");
    // By wish, in one stream.
    let download = world.client.media().prepare_download(&id, world.path("film.bin"));
    download.max_streams(1).send().await.unwrap();
    assert_eq!(ranges(&world).await[4..], [(None, 200)]);
    world.end().await;
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was() {
    let world = World::new().await;
    let content = bytes(100 * MIB, 2);
    let id = asset(&world, &content).await;
    let path = "/api/assets/*/content";
    // Two of the ranges break in their middle, and one of the requests that take them up is refused at first.
    world
        .fault(json!({"method": "GET", "path": path, "nth": 2, "times": 2, "action": {"truncate": true}}))
        .await;
    world.fault(json!({"method": "GET", "path": path, "nth": 5, "action": {"status": 503}})).await;
    world.client.media().download(&id, world.path("film.bin")).await.unwrap();
    assert!(std::fs::read(world.path("film.bin")).unwrap() == content);
    let asked = ranges(&world).await;
    let starts = asked.iter().filter(|(_, status)| *status == 206).map(|(range, _)| {
        let range = range.as_ref().unwrap().strip_prefix("bytes=").unwrap();
        range.split_once('-').unwrap().0.parse::<usize>().unwrap()
    });
    let resumed: Vec<_> = starts.filter(|start| start % (32 * MIB) != 0).collect();
    assert_eq!(resumed.len(), 2, "from the middle of a range: {asked:?}");
    world.end().await;
}

#[tokio::test]
async fn a_download_that_was_killed_goes_on_from_what_is_there() {
    let world = World::new().await;
    let content = bytes(48 * MIB, 3);
    let id = asset(&world, &content).await;
    // Its last third never comes.
    let fault =
        json!({"method": "GET", "path": "/api/assets/*/content", "action": {"stall": true}});
    world.fault(fault).await;
    let segments = || {
        let name = files(world.folder.path()).into_iter().find(|name| name.ends_with(".segments"));
        let text = name.and_then(|name| std::fs::read_to_string(world.path(&name)).ok());
        text.map_or(0, |text| text.lines().count().saturating_sub(1))
    };
    let some = async {
        while segments() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let media = world.client.media();
    tokio::select! {
        done = media.download(&id, world.path("film.bin")) => panic!("it ended: {done:?}"),
        () = some => {}
    }
    assert!(!world.path("film.bin").exists());
    // The thread that writes lets go of the file a moment later.
    let part = files(world.folder.path()).into_iter().find(|name| name.ends_with(".part")).unwrap();
    let part = world.path(&part);
    while std::fs::File::open(&part).unwrap().try_lock().is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.client.media().download(&id, world.path("film.bin")).await.unwrap();
    assert!(std::fs::read(world.path("film.bin")).unwrap() == content);
    assert_eq!(files(world.folder.path()), ["film.bin"]);
    let asked = ranges(&world).await;
    let (range, status) = &asked[1];
    assert_eq!((asked.len(), *status), (2, 206));
    assert!(range.as_ref().unwrap().starts_with(&format!("bytes={}-", 24 * MIB)), "{asked:?}");
    world.end().await;
}

#[tokio::test]
async fn what_a_crash_left_changed_is_noticed_and_fetched_anew() {
    let world = World::new().await;
    let content = bytes(24 * MIB, 4);
    let id = asset(&world, &content).await;
    let fault = json!({"method": "GET", "path": "/api/assets/*/content", "times": 6, "action": {"truncate": true}});
    world.fault(fault).await;
    world.fault(json!({"method": "GET", "path": "/api/assets/*/content", "nth": 2, "times": 0, "action": {"status": 403}})).await;
    let error = world.client.media().download(&id, world.path("film.bin")).await.unwrap_err();
    assert!(error.message().ends_with("download it again to go on from there"), "{error:?}");
    world.no_faults().await;
    let part = files(world.folder.path()).into_iter().find(|name| name.ends_with(".part")).unwrap();
    let part = world.path(&part);
    let mut left = std::fs::read(&part).unwrap();
    left[5 * MIB] ^= 1;
    std::fs::write(&part, left).unwrap();
    world.client.media().download(&id, world.path("film.bin")).await.unwrap();
    assert!(std::fs::read(world.path("film.bin")).unwrap() == content);
    assert_eq!(files(world.folder.path()), ["film.bin"]);
    world.end().await;
}

/// A server of one asset whose content `serve` gives, by the number of the request from 0.
async fn server(
    sha256: Option<String>,
    size: usize,
    serve: impl Fn(usize, HeaderMap) -> axum::response::Response + Clone + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let asset = json!({"id": "ast_1", "sha256": sha256, "size": size, "status": "ready"});
    let content = move |headers: HeaderMap| {
        let number = counted.fetch_add(1, SeqCst);
        std::future::ready(serve(number, headers))
    };
    let router = Router::new()
        .route("/api/assets/ast_1", get(move || std::future::ready(Json(asset.clone()))))
        .route("/api/assets/ast_1/content", get(content));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Client::builder().base_url(url).api_key("key-of-a-test").build().unwrap(), count)
}

/// A body that breaks off after `bytes`.
fn broken(bytes: &[u8]) -> Body {
    let pieces = [Ok(Bytes::copy_from_slice(bytes)), Err(std::io::Error::other("cut"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}

#[tokio::test]
async fn content_that_becomes_another_one_is_never_mixed() {
    let (old, new) = (bytes(20 * MIB, 5), bytes(20 * MIB, 6));
    let (first, second) = (old.clone(), new.clone());
    let (client, count) = server(None, 20 * MIB, move |number, headers| {
        if number == 0 {
            return ([("etag", "\"old\"")], broken(&first[..9 * MIB])).into_response();
        }
        // What it was asked for is of the old one, which is no more: all of the new one.
        if number == 1 {
            assert_eq!(headers["if-range"], "\"old\"");
            let range = headers["range"].to_str().unwrap();
            assert!(range.starts_with("bytes=") && !range.starts_with("bytes=0-"), "{range}");
        }
        ([("etag", "\"new\"")], second.clone()).into_response()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("film.bin");
    client.media().download("ast_1", &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == new);
    assert_eq!((count.load(SeqCst), files(folder.path())), (3, vec!["film.bin".to_owned()]));
}

#[tokio::test]
async fn without_an_etag_a_broken_download_begins_anew() {
    let content = bytes(10 * MIB, 7);
    let whole = content.clone();
    let (client, count) = server(None, 10 * MIB, move |number, headers| {
        assert!(!headers.contains_key("range"));
        if number < 2 {
            broken(&whole[..9 * MIB]).into_response()
        } else {
            whole.clone().into_response()
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("film.bin");
    client.media().download("ast_1", &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == content);
    assert_eq!(count.load(SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_takes_no_ranges_is_asked_for_the_whole() {
    let content = bytes(80 * MIB, 8);
    let content_sha256 = sha256(&content);
    let whole = Bytes::from(content.clone());
    let (client, count) =
        server(Some(content_sha256), 80 * MIB, move |_, _| whole.clone().into_response()).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("film.bin");
    client.media().download("ast_1", &to).await.unwrap();
    assert!(std::fs::read(&to).unwrap() == content);
    assert_eq!(count.load(SeqCst), 1);
}

#[tokio::test]
async fn bytes_that_are_not_the_assets_are_no_file() {
    let film_sha256 = sha256(b"a film");
    let serve = |_: usize, _: HeaderMap| ([("etag", "\"1\"")], "a filn").into_response();
    let (client, count) = server(Some(film_sha256), 6, serve).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("film.bin");
    std::fs::write(&to, "what was there").unwrap();
    let error = client.media().download("ast_1", &to).await.unwrap_err();
    assert_eq!((error.kind(), count.load(SeqCst)), (ErrorKind::Upload, 1));
    assert_eq!(files(folder.path()), ["film.bin"]);
    assert_eq!(std::fs::read(&to).unwrap(), b"what was there");
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_refused() {
    let serve = |number: usize, _: HeaderMap| {
        if number == 0 {
            return ([("etag", "\"1\"")], broken(&[1; 5 * MIB])).into_response();
        }
        let headers = [("etag", "\"1\""), ("content-range", "bytes 0-9999999/10000000")];
        (StatusCode::PARTIAL_CONTENT, headers, vec![1; 10_000_000]).into_response()
    };
    let (client, _) = server(None, 10_000_000, serve).await;
    let folder = tempfile::tempdir().unwrap();
    let error = client.media().download("ast_1", folder.path().join("film.bin")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(files(folder.path()), [""; 0]);
}

/// The thread that writes for a download may still do so when that is dropped.
#[tokio::test]
async fn a_dropped_download_leaves_a_part_with_its_list_or_nothing() {
    let world = World::new().await;
    let content = bytes(20 * MIB, 40);
    let id = asset(&world, &content).await;
    for after in 0..40 {
        let media = world.client.media();
        let download = media.download(&id, world.path("film.bin"));
        if tokio::time::timeout(Duration::from_millis(after), download).await.is_ok() {
            std::fs::remove_file(world.path("film.bin")).unwrap();
        }
    }
    // One that goes on where an earlier one was has both; one whose place another still held has neither in the end.
    let are_pairs = || {
        let all = files(world.folder.path());
        let has_other = |one: &str, is: &str, other: &str| {
            !one.ends_with(is) || all.contains(&one.replace(is, other))
        };
        all.iter()
            .all(|one| has_other(one, ".segments", ".part") && has_other(one, ".part", ".segments"))
    };
    let soon = async |is_so: &dyn Fn() -> bool| {
        let waiting = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("a file is left alone");
    };
    soon(&are_pairs).await;
    world.client.media().download(&id, world.path("film.bin")).await.unwrap();
    assert!(std::fs::read(world.path("film.bin")).unwrap() == content);
    soon(&are_pairs).await;
    world.end().await;
}

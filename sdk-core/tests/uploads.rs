//! Uploads against the real local platform: large files, broken connections, a crash, another file in its place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use storycore::{
    Client, ErrorKind,
    models::{ListParams, UploadOptions},
    upload::{Journal, UploadControl, UploadSource},
};
use storycore_local::{Config, Running, start};

const MIB: usize = 1024 * 1024;

struct World {
    platform: Running,
    client: Client,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Config::in_memory(), tempfile::tempdir().unwrap()).await
    }

    /// One whose files are in `data`.
    async fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::with(Config::in_directory(folder.path().join("data")), folder).await
    }

    async fn with(config: Config, folder: tempfile::TempDir) -> Self {
        let platform = start(config).await.unwrap();
        let client =
            Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
        Self { platform, client, folder }
    }

    /// A file of `size` bytes that no other part of it repeats.
    fn file(&self, name: &str, size: usize, seed: u64) -> (PathBuf, String) {
        let bytes = bytes(size, seed);
        let path = self.folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        (path, hex::encode(Sha256::digest(&bytes)))
    }

    fn journal(&self) -> Journal {
        Journal::At(self.folder.path().join("journal.sqlite3"))
    }

    fn upload(&self, source: impl Into<UploadSource>) -> storycore::upload::Upload {
        self.client
            .media()
            .prepare_upload(source, UploadOptions::new("document"))
            .journal(self.journal())
    }

    async fn fault(&self, fault: serde_json::Value) {
        self.client.request("POST", "/_local/faults").json(&fault).send().await.unwrap();
    }

    async fn requests(&self, method: &str) -> usize {
        let answer = self.client.request("GET", "/_local/requests").send().await.unwrap();
        let all: serde_json::Value = answer.json().unwrap();
        let all = all["data"].as_array().unwrap();
        let is = |r: &&serde_json::Value| {
            r["method"] == method && r["path"].as_str().unwrap().starts_with("/api/assets/uploads")
        };
        all.iter().filter(is).count()
    }

    /// The one asset that there is, its bytes as the platform gives them.
    async fn only_asset(&self, sha256: &str) {
        let page = self.client.media().list(ListParams::new()).await.unwrap();
        assert_eq!(page.data.len(), 1, "exactly one asset");
        let content = self.folder.path().join("back");
        self.client.media().download(&page.data[0].id, &content).await.unwrap();
        assert_eq!(hex::encode(Sha256::digest(std::fs::read(content).unwrap())), sha256);
    }

    async fn end(self) {
        self.platform.shutdown().await;
    }
}

/// Bytes of a small generator (xorshift64*).
fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

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
    let sha256 = hex::encode(Sha256::digest(&whole));
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
    world.client.request("DELETE", "/_local/faults").send().await.unwrap();
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

/// Runs an upload until so many chunks arrived, and drops it there, as a crash does.
async fn crash(world: &World, path: &PathBuf, chunks: usize) {
    let upload = world.upload(path).chunk_size(2 * MIB as u64).send();
    let enough = async {
        while world.requests("PATCH").await < chunks {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        outcome = upload => panic!("it ended before it was stopped: {outcome:?}"),
        () = enough => {}
    }
}

#[tokio::test]
async fn a_killed_upload_continues_where_it_stopped() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 48 * MIB, 7);
    crash(&world, &path, 8).await;
    let uploaded = world.upload(&path).chunk_size(2 * MIB as u64).send().await.unwrap();
    assert!(uploaded.sent < 44 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_file_that_was_replaced_is_never_mixed_with_the_old_one() {
    let world = World::new().await;
    let size = 40 * MIB;
    // The same size, the same ends, another middle: only the content that was sent tells.
    let (path, _) = world.file("film.bin", size, 8);
    crash(&world, &path, 8).await;
    let mut other = std::fs::read(&path).unwrap();
    for byte in &mut other[MIB..size - MIB] {
        *byte ^= 0x55;
    }
    std::fs::write(&path, &other).unwrap();
    let uploaded = world.upload(&path).chunk_size(2 * MIB as u64).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
    assert!(uploaded.sent >= size as u64, "all of it was sent anew");
    world.only_asset(&hex::encode(Sha256::digest(&other))).await;
    world.end().await;
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_uploaded_as_it_is_now() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 40 * MIB, 9);
    crash(&world, &path, 6).await;
    let (_, sha256) = world.file("film.bin", 30 * MIB, 9);
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
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
    assert!(world.client.media().list(ListParams::new()).await.unwrap().data.is_empty());
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
async fn the_same_file_is_not_uploaded_twice_at_a_time() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 12);
    let (first, second) = tokio::join!(world.upload(&path).send(), world.upload(&path).send());
    let (good, bad) = if first.is_ok() { (first, second) } else { (second, first) };
    good.unwrap();
    let error = bad.unwrap_err();
    assert!(error.message().contains("being uploaded already"), "{error:?}");
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_paused_upload_stands_still_and_goes_on() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 13);
    let control = UploadControl::new();
    control.pause();
    let upload = world.upload(&path).control(&control).send();
    let steer = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = world.requests("PATCH").await;
        control.resume();
        before
    };
    let (uploaded, before) = tokio::join!(upload, steer);
    assert_eq!(before, 0);
    uploaded.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing_behind() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 40 * MIB, 14);
    let control = UploadControl::new();
    let cancel = control.clone();
    let upload = world.upload(&path).chunk_size(2 * MIB as u64).control(&control);
    let stop = async {
        while world.requests("PATCH").await < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(upload.send(), stop);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(world.requests("DELETE").await, world.requests("POST").await);
    assert!(world.client.media().list(ListParams::new()).await.unwrap().data.is_empty());
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
        world.client.request("DELETE", "/_local/faults").send().await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn what_the_platform_stored_wrongly_is_removed_and_uploaded_anew_at_the_next_call() {
    let world = World::on_disk().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 18);
    crash(&world, &path, 8).await;
    let uploads = world.folder.path().join("data/files/uploads");
    let part = std::fs::read_dir(uploads).unwrap().map(|e| e.unwrap().path());
    let part = part.max_by_key(|p| std::fs::metadata(p).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let error = world.upload(&path).send().await.unwrap_err();
    assert!(error.message().contains("other bytes"), "{error}");
    assert!(world.client.media().list(ListParams::new()).await.unwrap().data.is_empty());
    world.upload(&path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_file_that_was_replaced_while_its_parts_were_joined_is_uploaded_as_it_is_now() {
    let world = World::new().await;
    let (path, old) = world.file("film.bin", 24 * MIB, 19);
    // The platform joins the parts, and the client is killed before it hears of it.
    world
        .fault(json!({"method": "POST", "path": "/api/assets/uploads", "nth": 4, "action": {"stall": true}}))
        .await;
    let mut upload = Box::pin(world.upload(&path).send());
    let joined = async {
        while world.client.media().list(ListParams::new()).await.unwrap().data.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        outcome = &mut upload => panic!("it ended before it was stopped: {outcome:?}"),
        () = joined => drop(upload),
    }
    let mut other = std::fs::read(&path).unwrap();
    other[5 * MIB] ^= 1;
    std::fs::write(&path, &other).unwrap();
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
    assert_eq!(uploaded.asset.sha256, Some(hex::encode(Sha256::digest(&other))));
    // What was complete before is an asset of its own; nobody takes it away.
    let page = world.client.media().list(ListParams::new()).await.unwrap();
    let mut all: Vec<_> = page.data.into_iter().filter_map(|asset| asset.sha256).collect();
    all.retain(|sha256| Some(sha256) != uploaded.asset.sha256.as_ref());
    assert_eq!(all, [old]);
    world.end().await;
}

#[tokio::test]
async fn an_upload_whose_asset_was_deleted_before_its_end_was_heard_of_is_begun_anew() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 20 * MIB, 20);
    world
        .fault(json!({"method": "GET", "path": "/api/assets/*", "times": 3, "action": {"status": 500}}))
        .await;
    world.upload(&path).send().await.unwrap_err();
    let page = world.client.media().list(ListParams::new()).await.unwrap();
    world.client.media().delete(&page.data[0].id).await.unwrap();
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1, "{:?}", uploaded.restarts);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// Its answer never arrived: the platform made the asset, and nobody heard of it.
#[tokio::test]
async fn a_small_file_whose_answer_was_lost_is_one_asset_at_the_next_call() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 100_000, 21);
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "times": 3, "action": {"drop_after": true}});
    world.fault(fault).await;
    let error = world.upload(&path).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    // What ended well is over: the same file again is another asset.
    world.upload(&path).send().await.unwrap();
    assert_eq!(world.client.media().list(ListParams::new()).await.unwrap().data.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_that_changed_after_its_answer_was_lost_is_uploaded_as_it_is_now() {
    let world = World::new().await;
    let (path, _) = world.file("note.bin", 500_000, 22);
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "times": 3, "action": {"drop_after": true}});
    world.fault(fault).await;
    world.upload(&path).send().await.unwrap_err();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[250_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.asset.sha256, Some(hex::encode(Sha256::digest(&bytes))));
    assert_eq!(uploaded.restarts.len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_whose_asset_was_deleted_meanwhile_is_uploaded_anew() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 1000, 23);
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "times": 3, "action": {"drop_after": true}});
    world.fault(fault).await;
    world.upload(&path).send().await.unwrap_err();
    let page = world.client.media().list(ListParams::new()).await.unwrap();
    world.client.media().delete(&page.data[0].id).await.unwrap();
    world.upload(&path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

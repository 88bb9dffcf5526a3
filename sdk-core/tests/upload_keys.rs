//! Uploads under an idempotency key of the caller's own: the same call goes on with what the platform has, and no other one
//! ever does.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{
    fs::File,
    path::Path,
    time::{Duration, SystemTime},
};

use common::{MIB, World, another_middle, bytes, sha256};
use rusqlite::Connection;
use serde_json::json;
use storycore::{
    CallOptions, ErrorKind,
    models::UploadOptions,
    upload::{Journal, Upload, UploadControl, UploadSource},
};

/// An upload under a key, in chunks of 2 MiB.
fn upload(world: &World, key: &str, source: impl Into<UploadSource>) -> Upload {
    let options = CallOptions::new().idempotency_key(key).unwrap();
    let media = world.client.with(options);
    let upload = media.media().prepare_upload(source, UploadOptions::new("document"));
    upload.journal(Journal::Off).chunk_size(2 * MIB as u64)
}

fn film(bytes: &[u8]) -> UploadSource {
    UploadSource::bytes("film.bin", bytes.to_vec())
}

/// The fifth chunk from here on never arrives, and none after it.
async fn stall(world: &World) {
    let stall = json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": 5, "times": 0, "action": {"stall": true, "after_bytes": 10}});
    world.fault(stall).await;
}

/// Stops an upload in its middle, as a crash does.
async fn crash(world: &World, upload: Upload) {
    world.crash(upload, 5).await;
}

#[tokio::test]
async fn other_bytes_under_the_same_key_are_never_mixed_with_the_first_ones() {
    let world = World::new().await;
    let (first, second) = (bytes(20 * MIB, 1), bytes(20 * MIB, 2));
    for (streams, key) in [(1, "film-1"), (4, "film-2")] {
        let upload = |bytes: &[u8]| upload(&world, key, film(bytes)).max_streams(streams);
        crash(&world, upload(&first)).await;
        let uploaded = upload(&second).send().await.unwrap();
        assert_eq!(uploaded.asset.sha256, Some(sha256(&second)), "{streams} streams");
        world.only_asset(&sha256(&second)).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
        if streams == 1 {
            // The first ones go on.
            let uploaded = upload(&first).send().await.unwrap();
            assert!(uploaded.sent < 20 * MIB as u64, "{} bytes went again", uploaded.sent);
            world.only_asset(&sha256(&first)).await;
            world.client.media().delete(&uploaded.asset.id).await.unwrap();
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_joining_whose_answer_was_lost_is_the_same_asset_at_the_next_call() {
    let world = World::new().await;
    let film_bytes = bytes(40 * MIB, 3);
    let lost = json!({"method": "POST", "path": "/api/assets/uploads", "nth": 6, "action": {"drop_after": true}});
    world.fault(lost).await;
    let error = upload(&world, "film", film(&film_bytes)).retries(0).send().await.unwrap_err();
    assert_eq!((error.kind(), world.assets().await), (ErrorKind::Connection, 1));
    let uploaded = upload(&world, "film", film(&film_bytes)).send().await.unwrap();
    assert_eq!(uploaded.sent, 0);
    world.only_asset(&sha256(&film_bytes)).await;
    world.end().await;
}

#[tokio::test]
async fn a_cancelled_upload_can_be_uploaded_again_under_its_key() {
    let world = World::new().await;
    let film_bytes = bytes(20 * MIB, 4);
    for (streams, key) in [(1, "film-1"), (4, "film-2")] {
        let upload = || upload(&world, key, film(&film_bytes)).max_streams(streams);
        let control = UploadControl::new();
        let before = world.requests("PATCH").await;
        stall(&world).await;
        let (outcome, ()) = tokio::join!(upload().control(&control).send(), async {
            while world.requests("PATCH").await < before + 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            control.cancel();
        });
        world.no_faults().await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        let uploaded = upload().send().await.unwrap();
        world.only_asset(&sha256(&film_bytes)).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn a_file_that_was_replaced_is_uploaded_as_it_is_now_under_the_same_key() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 20 * MIB, 5);
    let upload = || upload(&world, "film", &path).max_streams(1).journal(world.journal());
    crash(&world, upload()).await;
    let other = another_middle(&path);
    let uploaded = upload().send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
    world.only_asset(&sha256(&other)).await;
    world.end().await;
}

/// The journal is not forced onto the disk with each line: of what was sent it may know nothing but the key.
#[tokio::test]
async fn what_a_power_cut_took_from_the_journal_is_not_believed() {
    for streams in [1, 4] {
        let world = World::new().await;
        let (path, _) = world.file("film.bin", 20 * MIB, 6);
        let upload = || world.upload(&path).chunk_size(2 * MIB as u64).max_streams(streams);
        crash(&world, upload()).await;
        let journal = Connection::open(world.path("journal.sqlite3")).unwrap();
        journal
            .execute_batch("DELETE FROM chunk; UPDATE part SET location = NULL, acknowledged = 0")
            .unwrap();
        let other = another_middle(&path);
        let uploaded = upload().send().await.unwrap();
        assert_eq!(uploaded.restarts.len(), 1, "{streams} streams");
        world.only_asset(&sha256(&other)).await;
        world.end().await;
    }
}

/// The file again, as after it was fetched anew: another inode, another time.
fn replace_by_copy(path: &Path) {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    let later = SystemTime::now() + Duration::from_secs(60);
    File::options().write(true).open(&copy).unwrap().set_modified(later).unwrap();
    std::fs::rename(&copy, path).unwrap();
}

#[tokio::test]
async fn a_copy_of_the_file_is_the_same_upload_under_its_key() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 40 * MIB, 7);
    let lost = json!({"method": "POST", "path": "/api/assets/uploads", "nth": 6, "action": {"drop_after": true}});
    world.fault(lost).await;
    let error = upload(&world, "film", &path).retries(0).send().await.unwrap_err();
    assert_eq!((error.kind(), world.assets().await), (ErrorKind::Connection, 1));
    replace_by_copy(&path);
    let uploaded = upload(&world, "film", &path).send().await.unwrap();
    assert_eq!(uploaded.sent, 0);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_ended_is_the_same_asset_when_it_is_called_again_with_a_copy() {
    for streams in [1, 4] {
        let world = World::new().await;
        let (path, sha256) = world.file("film.bin", 20 * MIB, 8);
        let upload = || upload(&world, "film", &path).max_streams(streams);
        let first = upload().send().await.unwrap();
        replace_by_copy(&path);
        let second = upload().send().await.unwrap();
        assert_eq!((second.asset.id, second.sent), (first.asset.id, 0), "{streams} streams");
        world.only_asset(&sha256).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_key_leads_to_the_same_asset_whether_the_platform_answers_soon_or_late() {
    let world = World::new().await;
    let film_bytes = bytes(128 * MIB, 9);
    let upload = || upload(&world, "film", film(&film_bytes)).chunk_size(32 * MIB as u64);
    let first = upload().send().await.unwrap();
    let late = json!({"method": "OPTIONS", "path": "/api/assets/uploads", "times": 0, "action": {"delay_ms": 100}});
    world.fault(late).await;
    let second = upload().send().await.unwrap();
    assert_eq!((second.asset.id, second.sent), (first.asset.id, 0));
    world.only_asset(&sha256(&film_bytes)).await;
    world.end().await;
}

/// A file of which nobody sees the end.
#[tokio::test]
async fn an_upload_under_a_key_is_cancelled_while_it_is_hashed() {
    let world = World::new().await;
    let path = world.path("film.bin");
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let control = UploadControl::new();
    let cancelling = async {
        while world.requests("OPTIONS").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    };
    let uploading = upload(&world, "film", &path).control(&control).send();
    let both = async { tokio::join!(uploading, cancelling).0 };
    let outcome = tokio::time::timeout(Duration::from_secs(60), both).await;
    assert_eq!(outcome.expect("it is heard").unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(world.requests("POST").await, 0);
    world.end().await;
}

/// It was begun without the key, or under another one; what comes of this call is this key's.
#[tokio::test]
async fn an_upload_that_was_begun_under_another_key_is_one_asset_under_this_one() {
    for streams in [1, 4] {
        let world = World::new().await;
        let (path, sha256) = world.file("film.bin", 20 * MIB, 10);
        let chunk = 2 * MIB as u64;
        crash(&world, world.upload(&path).chunk_size(chunk).max_streams(streams)).await;
        let upload = || upload(&world, "film", &path).max_streams(streams).journal(world.journal());
        let first = upload().send().await.unwrap();
        let second = upload().send().await.unwrap();
        assert_eq!((second.asset.id, second.sent), (first.asset.id, 0), "{streams} streams");
        world.only_asset(&sha256).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_is_one_asset_however_often_it_is_called_for_under_the_same_key() {
    for streams in [1, 4] {
        let world = World::new().await;
        let (path, _) = world.file("film.bin", 20 * MIB, 11);
        let upload = || upload(&world, "film", &path).max_streams(streams).journal(world.journal());
        crash(&world, upload()).await;
        let other = another_middle(&path);
        let first = upload().send().await.unwrap();
        assert_eq!(first.restarts.len(), 1, "{streams} streams");
        let second = upload().send().await.unwrap();
        assert_eq!((second.asset.id, second.sent), (first.asset.id, 0), "{streams} streams");
        world.only_asset(&sha256(&other)).await;
        world.end().await;
    }
}

#[tokio::test]
async fn nothing_in_an_upload_adds_a_field_to_it_whose_key_can_be_guessed() {
    let world = World::new().await;
    let guessed = &sha256(b"invoice-7")[..32];
    let text = format!(
        "harmless\r\n--storycore-{guessed}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nanother's\r\n--storycore-{guessed}"
    );
    let options = CallOptions::new().idempotency_key("invoice-7").unwrap();
    let client = world.client.with(options);
    let source = UploadSource::bytes("invoice.pdf", text.clone().into_bytes());
    let described = UploadOptions::new("document").description(&text);
    let uploaded = client.media().prepare_upload(source, described).send().await.unwrap();
    assert_eq!(uploaded.asset.description, Some(text.clone()));
    assert_eq!(uploaded.asset.name, "invoice.pdf");
    assert_eq!(uploaded.asset.sha256, Some(sha256(text.as_bytes())));
    world.end().await;
}

//! Uploads that are called again: after a crash, a lost answer, with another file in the old one's place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{MIB, World, another_middle, sha256};
use serde_json::json;
use storycore::{ErrorKind, models::ListParams};

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
    let (path, _) = world.file("film.bin", size, 8);
    crash(&world, &path, 8).await;
    let other = another_middle(&path);
    let uploaded = world.upload(&path).chunk_size(2 * MIB as u64).send().await.unwrap();
    assert_eq!(uploaded.restarts.len(), 1);
    assert!(uploaded.sent >= size as u64, "all of it was sent anew");
    world.only_asset(&sha256(&other)).await;
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
async fn a_file_that_cannot_be_read_for_a_moment_loses_nothing_of_what_arrived() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 48 * MIB, 10);
    crash(&world, &path, 8).await;
    // It goes away between the first look at it and the comparison with what the platform has.
    let held = json!({"method": "HEAD", "path": "/api/assets/uploads/*", "times": 0, "action": {"delay_ms": 600_000}});
    world.fault(held).await;
    let away = world.path("away");
    let take_away = async {
        while world.requests("HEAD").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::rename(&path, &away).unwrap();
        world.no_faults().await;
    };
    let (outcome, ()) = tokio::join!(world.upload(&path).send(), take_away);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload);
    assert!(error.message().contains("film.bin cannot be read"), "{error}");
    assert_eq!(world.requests("DELETE").await, 0);
    std::fs::rename(&away, &path).unwrap();
    let uploaded = world.upload(&path).chunk_size(2 * MIB as u64).send().await.unwrap();
    assert!(uploaded.sent < 44 * MIB as u64, "{} bytes went again", uploaded.sent);
    assert_eq!(uploaded.restarts, [""; 0]);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn a_small_file_that_begins_anew_counts_from_nothing() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 1000, 22);
    let at = "/api/assets/upload";
    world.fault(json!({"method": "POST", "path": at, "action": {"stall": true}})).await;
    tokio::select! {
        outcome = Box::pin(world.upload(&path).send()) => panic!("it ended: {outcome:?}"),
        () = world.until_asset() => {}
    }
    // What the call's key stands for is removed, so that the file goes anew, slowly.
    let page = world.client.media().list(ListParams::new()).await.unwrap();
    world.client.media().delete(&page.data[0].id).await.unwrap();
    world
        .fault(json!({"method": "POST", "path": at, "nth": 2, "action": {"delay_ms": 600_000}}))
        .await;
    let last = Arc::new(Mutex::new(None));
    let told = Arc::clone(&last);
    let upload = world.upload(&path).on_progress(move |p| *told.lock().unwrap() = Some(p)).send();
    let looking = async {
        while world.requests_at("POST", at).await < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let acknowledged = last.lock().unwrap().unwrap().acknowledged;
        world.no_faults().await;
        acknowledged
    };
    let (uploaded, acknowledged) = tokio::join!(Box::pin(upload), looking);
    assert_eq!((uploaded.unwrap().restarts.len(), acknowledged), (1, 0));
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

/// Crashes an upload in parts and alters a byte of one on the platform's disk: the first one, or one that comes later.
async fn altered(world: &World, path: &PathBuf, the_first: bool) {
    crash(world, path, 8).await;
    let file = std::fs::read(path).unwrap();
    let uploads = std::fs::read_dir(world.path("data/files/uploads")).unwrap();
    for part in uploads.map(|entry| entry.unwrap().path()) {
        let mut bytes = std::fs::read(&part).unwrap();
        if bytes.len() > 1000 && file.starts_with(&bytes[..1000]) == the_first {
            bytes[1000] ^= 1;
            return std::fs::write(part, bytes).unwrap();
        }
    }
    panic!("there is no such part");
}

#[tokio::test]
async fn what_the_platform_stored_wrongly_is_removed_and_uploaded_anew_at_the_next_call() {
    let world = World::on_disk().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 18);
    altered(&world, &path, false).await;
    let error = world.upload(&path).send().await.unwrap_err();
    assert!(error.message().contains("other bytes"), "{error}");
    assert_eq!(world.assets().await, 0);
    world.upload(&path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

/// What a disk makes of bytes later is not what was sent: the local platform hashes a first part as it comes, and reads no part
/// of it again. Its own disk is trusted so far (docs/decisions.md).
#[tokio::test]
async fn a_first_part_that_the_platforms_disk_altered_later_is_taken_for_what_came() {
    let world = World::on_disk().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 18);
    altered(&world, &path, true).await;
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.asset.sha256.as_ref(), Some(&sha256));
    let content = world.path("back");
    let error = world.client.media().download(&uploaded.asset.id, &content).await.unwrap_err();
    assert!(error.message().contains("is not what the platform has"), "{error}");
    world.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_whose_names_are_no_utf8_continue_and_are_told_apart() {
    use std::os::unix::ffi::OsStrExt as _;

    let world = World::new().await;
    let path = |name: &[u8]| world.folder.path().join(std::ffi::OsStr::from_bytes(name));
    let (one, other) = (path(b"caf\xe9.bin"), path(b"caf\xe8.bin"));
    let (original, _) = world.file("film.bin", 48 * MIB, 21);
    std::fs::copy(&original, &one).unwrap();
    std::fs::copy(&original, &other).unwrap();
    crash(&world, &one, 8).await;
    let again = world.upload(&one).chunk_size(2 * MIB as u64).send().await.unwrap();
    assert!(again.sent < 44 * MIB as u64, "{} bytes went again", again.sent);
    let (first, second) = tokio::join!(world.upload(&one).send(), world.upload(&other).send());
    first.unwrap();
    second.unwrap();
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
    assert_eq!(uploaded.asset.sha256, Some(sha256(&other)));
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
    assert_eq!(uploaded.asset.sha256, Some(sha256(&bytes)));
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

/// In each the asset was made and the call fails: whoever calls again must not make a second one.
#[tokio::test]
async fn a_small_file_is_one_asset_whatever_answer_stood_for_the_lost_one() {
    let faults = [
        // The asset is there, and its description cannot be read.
        vec![(1, 1, json!({"bad_json": true}))],
        // The first request's answer is lost, and the second one is refused on its way.
        vec![(1, 1, json!({"drop_after": true})), (2, 1, json!({"status": 403}))],
        // The same, and the next call is refused, too.
        vec![(1, 3, json!({"drop_after": true})), (4, 1, json!({"status": 401}))],
    ];
    for (number, faults) in faults.into_iter().enumerate() {
        let world = World::new().await;
        let (path, sha256) = world.file("note.bin", 1000, 24);
        for (nth, times, action) in faults {
            world
                .fault(json!({"method": "POST", "path": "/api/assets/upload", "nth": nth, "times": times, "action": action}))
                .await;
        }
        let mut calls = 0;
        while let Err(error) = world.upload(&path).send().await {
            calls += 1;
            assert!(calls < 3, "case {number}: {error:?}");
        }
        assert!(calls > 0, "case {number}: nothing failed");
        world.only_asset(&sha256).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_small_file_that_was_refused_leaves_nothing_to_continue() {
    let world = World::new().await;
    let (path, sha256) = world.file("note.bin", 1000, 25);
    world
        .fault(json!({"method": "POST", "path": "/api/assets/upload", "action": {"status": 403}}))
        .await;
    assert_eq!(world.upload(&path).send().await.unwrap_err().status(), Some(403));
    let journal = rusqlite::Connection::open(world.path("journal.sqlite3")).unwrap();
    let lines = journal.query_row("SELECT count(*) FROM upload", [], |row| row.get::<_, i64>(0));
    assert_eq!(lines.unwrap(), 0);
    world.upload(&path).send().await.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

/// The platform keeps each part for a day from its own last byte on.
#[tokio::test]
async fn an_upload_that_takes_longer_than_its_parts_are_kept_loses_none_of_them() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 24 * MIB, 26);
    let slowly = json!({"method": "PATCH", "path": "/api/assets/uploads/*", "times": 0, "action": {"delay_ms": 50}});
    world.fault(slowly).await;
    let acknowledged = Arc::new(Mutex::new(0));
    let told = Arc::clone(&acknowledged);
    let upload = world
        .upload(&path)
        .max_streams(2)
        .chunk_size(MIB as u64 / 4)
        .on_progress(move |p| *told.lock().unwrap() = p.acknowledged);
    let half_days = async {
        // Two of three parts are complete, and the third one goes on for more than a day.
        for at in [17, 21] {
            while *acknowledged.lock().unwrap() < at * MIB as u64 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let on = json!({"advance_seconds": 13 * 60 * 60});
            world.client.request("POST", "/_local/clock").json(&on).send().await.unwrap();
        }
    };
    let (uploaded, ()) = tokio::join!(Box::pin(upload.send()), half_days);
    let uploaded = uploaded.unwrap();
    assert_eq!((uploaded.restarts.len(), uploaded.sent), (0, 24 * MIB as u64));
    world.only_asset(&sha256).await;
    world.end().await;
}

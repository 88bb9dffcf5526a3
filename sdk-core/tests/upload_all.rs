//! Many files at once against the real local platform: each with a result of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use common::World;
use serde_json::json;
use storycore::{
    CallOptions, ErrorKind,
    models::{ListParams, UploadOptions},
    upload::{Journal, UploadAllProgress, UploadControl, UploadSource},
};

/// Files of different contents, each of so many bytes.
fn files(world: &World, count: usize, size: usize) -> Vec<PathBuf> {
    let file = |n: usize| {
        let path = world.path(&format!("{n:03}.bin"));
        std::fs::write(&path, n.to_le_bytes().repeat(size / 8)).unwrap();
        path
    };
    (0..count).map(file).collect()
}

/// The names of all assets.
async fn names(world: &World) -> BTreeSet<String> {
    let assets = world.client.media().items(ListParams::new()).collect().await.unwrap();
    let names: BTreeSet<_> = assets.iter().map(|a| a.name.clone()).collect();
    assert_eq!(names.len(), assets.len(), "each file once");
    names
}

#[tokio::test]
async fn one_file_that_fails_stops_no_other() {
    let world = World::new().await;
    let mut files = files(&world, 40, 50_000);
    files.insert(7, world.path("not-there.bin"));
    let large = world.path("large.bin");
    std::fs::write(&large, vec![7; 20 << 20]).unwrap();
    files.push(large);
    let told = Arc::new(Mutex::new(None::<UploadAllProgress>));
    let (last, journal) = (Arc::clone(&told), world.path("journal"));
    let mut uploads = world
        .client
        .media()
        .upload_all(files.clone(), UploadOptions::new("document"))
        .each(move |upload| upload.journal(Journal::At(journal.clone())))
        .on_progress(move |p| *last.lock().unwrap() = Some(p));
    let mut seen = BTreeSet::new();
    while let Some(file) = uploads.next().await {
        assert!(seen.insert(file.index));
        match file.result {
            Ok(uploaded) => {
                let name = files[file.index].file_name().unwrap().to_str();
                assert_eq!(Some(&*uploaded.asset.name), name);
            }
            Err(error) => assert_eq!((file.index, error.kind()), (7, ErrorKind::Upload)),
        }
    }
    assert!(uploads.next().await.is_none());
    assert_eq!((seen.len(), names(&world).await.len()), (42, 41));
    let told = told.lock().unwrap().unwrap();
    assert_eq!((told.files, told.files_done, told.files_failed), (42, 41, 1));
    let bytes = 40 * 50_000 + (20 << 20);
    assert_eq!((told.bytes.acknowledged, told.bytes.total), (bytes, bytes));
    world.platform.shutdown().await;
}

#[tokio::test]
async fn no_more_files_are_under_way_than_was_asked_for() {
    let world = World::new().await;
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, most) = ((Arc::clone(&begun), Arc::clone(&ended)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let mut uploads = world
        .client
        .media()
        .upload_all(files(&world, 20, 8_000), UploadOptions::new("document"))
        .at_once(3)
        .each(move |upload| {
            let running = counts.0.fetch_add(1, SeqCst) + 1 - counts.1.load(SeqCst);
            peak.fetch_max(running, SeqCst);
            upload
        });
    assert_eq!(begun.load(SeqCst), 0, "nothing begins before somebody waits");
    while let Some(file) = uploads.next().await {
        ended.fetch_add(1, SeqCst);
        file.result.unwrap();
    }
    assert_eq!((begun.load(SeqCst), most.load(SeqCst)), (20, 3));
    world.platform.shutdown().await;
}

#[tokio::test]
async fn results_come_in_the_order_of_the_files_and_failures_can_be_tried_again() {
    let world = World::new().await;
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "nth": 2, "times": 3, "action": {"status": 422}});
    world.client.request("POST", "/_local/faults").json(&fault).send().await.unwrap();
    let files = files(&world, 10, 8_000);
    // A key of the caller's is for all of them; each file has its own all the same.
    let options = CallOptions::new().idempotency_key(&"films".repeat(51)).unwrap();
    let client = world.client.with(options);
    let options = UploadOptions::new("document");
    let all = client.media().upload_all(&files, options.clone()).collect().await;
    assert_eq!(all.iter().map(|file| file.index).collect::<Vec<_>>(), Vec::from_iter(0..10));
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(|file| file.result.is_ok());
    assert_eq!((good.len(), bad.len()), (7, 3));
    let again = bad.into_iter().map(|file| file.source);
    let again = world.client.media().upload_all(again, options).collect().await;
    assert!(again.iter().all(|file| file.result.is_ok()));
    assert_eq!(names(&world).await.len(), 10);
    world.platform.shutdown().await;
}

#[tokio::test]
async fn an_upload_that_was_joined_before_counts_whole_among_the_others() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 24 << 20, 5);
    // The platform joins the parts, and the client is stopped before it hears of it.
    world
        .fault(json!({"method": "POST", "path": "/api/assets/uploads", "nth": 4, "action": {"stall": true}}))
        .await;
    tokio::select! {
        outcome = Box::pin(world.upload(&path).send()) => panic!("it ended: {outcome:?}"),
        () = world.until_asset() => {}
    }
    let told = Arc::new(Mutex::new(None::<UploadAllProgress>));
    let (last, journal) = (Arc::clone(&told), world.journal());
    let uploads = world.client.media().upload_all([&path], UploadOptions::new("document"));
    let uploads = uploads
        .each(move |upload| upload.journal(journal.clone()))
        .on_progress(move |p| *last.lock().unwrap() = Some(p));
    let uploaded = uploads.collect().await.pop().unwrap().result.unwrap();
    assert_eq!(uploaded.sent, 0);
    let bytes = told.lock().unwrap().unwrap().bytes;
    assert_eq!((bytes.acknowledged, bytes.total), (24 << 20, 24 << 20));
    world.end().await;
}

/// More files than there may be requests: some wait for others while all are paused.
#[tokio::test]
async fn files_that_wait_for_others_are_not_begun_while_they_are_paused() {
    let world = World::new().await;
    let held = json!({"method": "POST", "path": "/api/assets/upload", "times": 0, "action": {"delay_ms": 600_000}});
    world.fault(held).await;
    let control = UploadControl::new();
    let steered = control.clone();
    let uploads = world
        .client
        .media()
        .upload_all(files(&world, 40, 1000), UploadOptions::new("document"))
        .at_once(40)
        .each(move |upload| upload.control(&steered).journal(Journal::Off));
    let begun = || world.requests_at("POST", "/api/assets/upload");
    let steer = async {
        while begun().await < 16 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.pause();
        world.no_faults().await;
        // Those that were begun end, each of them room for one that waits.
        while world.assets().await < 16 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let paused = begun().await;
        control.resume();
        paused
    };
    let (ended, paused) = tokio::join!(uploads.collect(), steer);
    assert_eq!(paused, 16);
    assert!(ended.iter().all(|file| file.result.is_ok()));
    assert_eq!(names(&world).await.len(), 40);
    world.end().await;
}

#[tokio::test]
async fn no_more_is_told_to_have_arrived_than_there_is() {
    let world = World::new().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let stream = |name: &str, size: usize| {
        let pieces = (0..size / 1000).map(|_| Ok(bytes::Bytes::from(vec![7; 1000])));
        UploadSource::stream(name, futures_util::stream::iter(pieces))
    };
    let sources = vec![
        UploadSource::bytes("note.bin", vec![7; 1000]),
        stream("short.bin", 100_000),
        stream("long.bin", 20_000_000),
    ];
    let notes = Arc::clone(&told);
    let uploads = world
        .client
        .media()
        .upload_all(sources, UploadOptions::new("document"))
        .on_progress(move |p| notes.lock().unwrap().push(p.bytes));
    assert!(uploads.collect().await.iter().all(|file| file.result.is_ok()));
    let told = told.lock().unwrap().clone();
    assert!(told.iter().all(|p| p.acknowledged <= p.total && p.sent <= p.total), "{told:?}");
    let last = told.last().unwrap();
    assert_eq!((last.sent, last.acknowledged, last.total), (20_101_000, 20_101_000, 20_101_000));
    world.end().await;
}

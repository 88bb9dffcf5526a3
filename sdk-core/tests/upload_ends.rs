//! Uploads that go wrong at their very end: no asset is left that nobody knows of, and none is given up that is on its way.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{fs::OpenOptions, time::Duration};

use bytes::Bytes;
use common::{MIB, World, bytes};
use serde_json::json;
use storycore::{
    ErrorKind,
    models::ListParams,
    upload::{Journal, UploadControl, UploadSource},
};

/// It is an asset with its last byte, and the client looks at the file once more after that.
#[tokio::test]
async fn a_file_that_grows_under_its_last_chunk_leaves_no_asset_of_its_beginning() {
    let world = World::new().await;
    for (name, journal) in [("off.bin", Journal::Off), ("at.bin", world.journal())] {
        let (path, _) = world.file(name, 20 * MIB, 40);
        let (asked, held) = (world.requests("PATCH").await, json!({"delay_ms": 600_000}));
        world
            .fault(json!({"method": "PATCH", "path": "/api/assets/uploads/*", "action": held}))
            .await;
        let chunk = 32 * MIB as u64;
        let upload =
            || world.upload(&path).max_streams(1).chunk_size(chunk).journal(journal.clone()).send();
        let grows = async {
            while world.requests("PATCH").await == asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            OpenOptions::new().append(true).open(&path).unwrap().set_len(21 << 20).unwrap();
            world.no_faults().await;
        };
        let (outcome, ()) = tokio::join!(upload(), grows);
        let error = outcome.unwrap_err();
        assert!(error.message().contains("changed while it was uploaded"), "{error}");
        assert_eq!(world.assets().await, 0);
        let uploaded = upload().await.unwrap();
        assert_eq!((uploaded.asset.size, uploaded.restarts.len()), (Some(21 << 20), 0));
        assert_eq!(world.assets().await, 1);
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
    }
    world.end().await;
}

/// Of the same bytes the asset is the file, whatever its times are.
#[tokio::test]
async fn a_file_that_is_only_touched_under_its_last_chunk_keeps_its_asset() {
    let world = World::new().await;
    for (name, journal) in [("off.bin", Journal::Off), ("at.bin", world.journal())] {
        let (path, sha256) = world.file(name, 20 * MIB, 47);
        let (asked, held) = (world.requests("PATCH").await, json!({"delay_ms": 600_000}));
        world
            .fault(json!({"method": "PATCH", "path": "/api/assets/uploads/*", "action": held}))
            .await;
        let chunk = 32 * MIB as u64;
        let upload = world.upload(&path).max_streams(1).chunk_size(chunk).journal(journal).send();
        let touched = async {
            while world.requests("PATCH").await == asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let later = std::time::SystemTime::now() + Duration::from_secs(100);
            OpenOptions::new().append(true).open(&path).unwrap().set_modified(later).unwrap();
            world.no_faults().await;
        };
        let (outcome, ()) = tokio::join!(upload, touched);
        let uploaded = outcome.unwrap();
        world.only_asset(&sha256).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
    }
    world.end().await;
}

/// Nothing can lead the next call to it, and a stream cannot be read again.
#[tokio::test]
async fn an_asset_that_cannot_be_read_after_its_upload_is_named_where_no_journal_has_it() {
    let world = World::new().await;
    let stream = || {
        let pieces = (0..20).map(|_| Ok(Bytes::from(vec![7; MIB])));
        UploadSource::stream("live.bin", futures_util::stream::iter(pieces))
    };
    let film = || UploadSource::bytes("film.bin", bytes(20 * MIB, 41));
    for (source, streams) in [(stream(), 1), (film(), 1), (film(), 4)] {
        let broken = json!({"method": "GET", "path": "/api/assets/*", "times": 3, "action": {"status": 500}});
        world.fault(broken).await;
        let error = world.upload(source).max_streams(streams).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        world.no_faults().await;
        let assets = world.client.media().list(ListParams::new()).await.unwrap().data;
        let [asset] = &assets[..] else { panic!("{assets:?}") };
        assert!(error.to_string().contains(&asset.id), "{error}");
        let advice = error.to_string().matches("again").count();
        assert_eq!(advice, 1, "one advice, which is not to upload it again: {error}");
        world.client.media().delete(&asset.id).await.unwrap();
    }
    // One that is written down is found again.
    let (path, sha256) = world.file("film.bin", 20 * MIB, 42);
    let broken =
        json!({"method": "GET", "path": "/api/assets/*", "times": 3, "action": {"status": 500}});
    world.fault(broken).await;
    world.upload(&path).send().await.unwrap_err();
    assert_eq!(world.upload(&path).send().await.unwrap().sent, 0);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// As behind a proxy that gives an answer a minute.
#[tokio::test]
async fn a_joining_that_is_under_way_is_waited_for_however_often_it_is_asked_for() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 16 * MIB, 43);
    let body = json!({"error": {"code": "idempotency_in_progress", "message": "it is under way"}});
    let fault = json!({
        "method": "POST", "path": "/api/assets/uploads", "nth": 3, "times": 5,
        "action": {"status": 409, "body": body.to_string()}, "headers": {"content-type": "application/json"},
    });
    world.fault(fault).await;
    let uploaded = world.upload(&path).retries(2).send().await.unwrap();
    assert_eq!(uploaded.failures, 0, "to be told to wait is no failure");
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn cancelling_does_not_wait_for_a_platform_that_does_not_say_what_it_can_do() {
    let world = World::new().await;
    let silent = json!({"drop_before": true, "delay_ms": 600_000});
    let at = "/api/assets/uploads";
    world.fault(json!({"method": "OPTIONS", "path": at, "times": 0, "action": silent})).await;
    let (path, _) = world.file("film.bin", 20 * MIB, 44);
    let control = UploadControl::new();
    let cancel = async {
        while world.requests("OPTIONS").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    };
    let upload = world.upload(&path).control(&control).send();
    let both = async { tokio::join!(upload, cancel).0 };
    let outcome = tokio::time::timeout(Duration::from_secs(20), both).await;
    assert_eq!(outcome.expect("it is heard").unwrap_err().kind(), ErrorKind::Cancelled);
    world.end().await;
}

/// It has every byte by then.
#[tokio::test]
async fn cancelling_does_not_wait_for_a_platform_that_does_not_say_what_it_made() {
    let world = World::new().await;
    let silent = json!({"drop_before": true, "delay_ms": 600_000});
    world
        .fault(json!({"method": "GET", "path": "/api/assets/*", "times": 0, "action": silent}))
        .await;
    let pieces = (0..20).map(|_| Ok(Bytes::from(vec![7; MIB])));
    let stream = UploadSource::stream("live.bin", futures_util::stream::iter(pieces));
    let (path, _) = world.file("film.bin", 20 * MIB, 46);
    for (source, streams) in [(stream, 1), (UploadSource::from(&path), 1), ((&path).into(), 4)] {
        let asked = world.requests_at("GET", "/api/assets/").await;
        let control = UploadControl::new();
        let cancel = async {
            while world.requests_at("GET", "/api/assets/").await == asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            control.cancel();
        };
        let upload = world.upload(source).max_streams(streams).control(&control).send();
        let both = async { tokio::join!(upload, cancel).0 };
        let outcome = tokio::time::timeout(Duration::from_secs(20), both).await;
        assert_eq!(outcome.expect("it is heard").unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(world.assets().await, 0, "{streams} streams");
    }
    world.end().await;
}

/// As with a credential that may write and not delete. It would be a second asset otherwise.
#[tokio::test]
async fn what_a_cancelled_upload_made_and_nobody_could_remove_is_the_next_calls_asset() {
    let world = World::new().await;
    let silent = json!({"drop_before": true, "delay_ms": 600_000});
    for (streams, seed) in [(1, 50), (4, 51)] {
        let (path, sha256) = world.file(&format!("film{streams}.bin"), 20 * MIB, seed);
        for (method, action) in [("GET", &silent), ("DELETE", &json!({"status": 403}))] {
            let at = "/api/assets/ast_*";
            world.fault(json!({"method": method, "path": at, "times": 0, "action": action})).await;
        }
        let asked = world.requests_at("GET", "/api/assets/ast_").await;
        let control = UploadControl::new();
        let cancel = async {
            while world.requests_at("GET", "/api/assets/ast_").await == asked {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            control.cancel();
        };
        let upload = world.upload(&path).max_streams(streams).control(&control).send();
        let (outcome, ()) = tokio::join!(upload, cancel);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        world.no_faults().await;
        let uploaded = world.upload(&path).send().await.unwrap();
        assert_eq!(uploaded.sent, 0, "{streams} streams");
        world.only_asset(&sha256).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
    }
    world.end().await;
}

/// A pipe that nobody writes into would be waited for.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_a_pipe_took_the_place_of_is_an_error_and_no_wait_without_end() {
    let world = World::new().await;
    let held = json!({"method": "OPTIONS", "path": "/api/assets/uploads", "times": 0, "action": {"delay_ms": 600_000}});
    world.fault(held).await;
    let (path, _) = world.file("film.bin", 20 * MIB, 45);
    let replaced = async {
        while world.requests("OPTIONS").await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        world.no_faults().await;
    };
    let upload = world.upload(&path).send();
    let both = async { tokio::join!(upload, replaced).0 };
    let outcome = tokio::time::timeout(Duration::from_secs(20), both).await;
    if outcome.is_err() {
        // Lets go of the thread that waits, so that this fails and does not hang.
        drop(OpenOptions::new().write(true).open(&path));
    }
    let error = outcome.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Upload, "{error}");
    assert!(error.message().contains("is no file"), "{error}");
    assert_eq!(world.requests("POST").await, 0);
    world.end().await;
}

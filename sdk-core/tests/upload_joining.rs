//! The joining of an upload's parts that is cancelled, paused or never heard of, against the real local platform: there is one
//! asset in the end, or none.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::{path::Path, time::Duration};

use common::{MIB, World};
use futures_util::FutureExt as _;
use serde_json::json;
use storycore::{ErrorKind, upload::UploadControl};

const LONG: Duration = Duration::from_secs(60);

/// The request that joins two parts is the third one; this happens to it.
async fn joining(world: &World, action: serde_json::Value) {
    let at = "/api/assets/uploads";
    world.fault(json!({"method": "POST", "path": at, "nth": 3, "action": action})).await;
}

/// Waits until the parts are being joined.
async fn until_joining(world: &World) {
    while world.requests("POST").await < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Uploads the file and cancels that after `when`.
async fn cancelled(world: &World, path: &Path, when: impl Future<Output = ()>) {
    let control = UploadControl::new();
    let upload = world.upload(path).control(&control).send().boxed();
    let cancel = async {
        when.await;
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG, async { tokio::join!(upload, cancel) }).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn cancelling_is_heard_while_the_parts_are_joined() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 16 * MIB, 30);
    joining(&world, json!({"drop_before": true, "delay_ms": 600_000})).await;
    cancelled(&world, &path, until_joining(&world)).await;
    assert_eq!((world.assets().await, world.requests("DELETE").await), (0, 2));
    world.end().await;
}

#[tokio::test]
async fn what_a_cancelled_joining_made_is_removed() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 16 * MIB, 31);
    joining(&world, json!({"delay_ms": 1000})).await;
    cancelled(&world, &path, until_joining(&world)).await;
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

/// It would be a second one otherwise.
#[tokio::test]
async fn what_a_cancelled_joining_made_and_nobody_could_remove_is_the_next_calls_asset() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 16 * MIB, 38);
    joining(&world, json!({"delay_ms": 1000})).await;
    let refused = json!({"method": "DELETE", "path": "/api/assets/ast_*", "times": 0, "action": {"status": 403}});
    world.fault(refused).await;
    cancelled(&world, &path, until_joining(&world)).await;
    world.no_faults().await;
    assert_eq!(world.upload(&path).send().await.unwrap().sent, 0);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// It is made while nobody waits for it any more, and would be a second one otherwise.
#[tokio::test]
async fn what_a_cancelled_joining_makes_too_late_is_the_next_calls_asset() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 16 * MIB, 39);
    joining(&world, json!({"stall": true})).await;
    cancelled(&world, &path, world.until_asset()).await;
    assert_eq!(world.upload(&path).send().await.unwrap().sent, 0);
    world.only_asset(&sha256).await;
    world.end().await;
}

/// Its parts were taken back: they are sent anew, and joined under another key where the platform keeps refusals for theirs.
#[tokio::test]
async fn what_a_cancelled_joining_never_made_is_made_by_the_next_call() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 16 * MIB, 48);
    joining(&world, json!({"drop_before": true, "delay_ms": 600_000})).await;
    cancelled(&world, &path, until_joining(&world)).await;
    world.no_faults().await;
    let body = json!({"error": {"code": "idempotency_mismatch", "message": "another request"}});
    // The joining as it was, two parts anew, and these joined.
    world
        .fault(json!({
            "method": "POST", "path": "/api/assets/uploads", "nth": 4,
            "action": {"status": 422, "body": body.to_string()}, "headers": {"content-type": "application/json"},
        }))
        .await;
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!(uploaded.sent, 16 * MIB as u64);
    // The platform lost nothing, and nothing failed but the two joinings that were refused.
    assert_eq!((uploaded.restarts, uploaded.failures), (vec![], 2));
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn what_a_joining_made_whose_answer_was_lost_is_removed_when_the_next_try_is_cancelled() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 16 * MIB, 33);
    joining(&world, json!({"drop_after": true})).await;
    // Asked again, it says to wait: that is when it is cancelled.
    let fault = json!({
        "method": "POST", "path": "/api/assets/uploads", "nth": 4, "action": {"status": 503}, "headers": {"retry-after": "20"},
    });
    world.fault(fault).await;
    let waiting = async {
        while world.requests("POST").await < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(world.assets().await, 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    cancelled(&world, &path, waiting).await;
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

#[tokio::test]
async fn what_a_joining_made_that_a_crash_kept_from_being_heard_of_is_removed_by_cancelling() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 16 * MIB, 34);
    joining(&world, json!({"stall": true})).await;
    tokio::select! {
        outcome = world.upload(&path).send() => panic!("it ended before it was stopped: {outcome:?}"),
        () = world.until_asset() => {}
    }
    let control = UploadControl::new();
    control.cancel();
    let outcome = world.upload(&path).control(&control).send().await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_is_paused_while_its_parts_are_joined_is_one_asset_when_it_is_resumed() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 16 * MIB, 32);
    joining(&world, json!({"delay_ms": 600_000})).await;
    let control = UploadControl::new();
    let upload = world.upload(&path).control(&control).send();
    let steer = async {
        until_joining(&world).await;
        control.pause();
        world.no_faults().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        control.resume();
    };
    let (outcome, ()) = tokio::join!(upload, steer);
    outcome.unwrap();
    world.only_asset(&sha256).await;
    world.end().await;
}

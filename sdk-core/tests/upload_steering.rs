//! Uploads that are paused, cancelled or break off, against the real local platform: what was not wanted any more leaves nothing
//! there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{MIB, World};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use storycore::{
    ErrorKind,
    models::UploadOptions,
    upload::{Journal, Upload, UploadControl, UploadSource},
};

const LONG: Duration = Duration::from_secs(60);

fn small() -> UploadSource {
    UploadSource::bytes("note.bin", vec![7; 1000])
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
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_that_was_cancelled_before_is_not_sent() {
    let world = World::new().await;
    let control = UploadControl::new();
    control.cancel();
    let files = vec![small(), small(), small()];
    let uploads = world.client.media().upload_all(files, UploadOptions::new("document"));
    let uploads = uploads.each(move |upload| upload.control(&control).journal(Journal::Off));
    for file in uploads.collect().await {
        assert_eq!(file.result.unwrap_err().kind(), ErrorKind::Cancelled);
    }
    assert_eq!(world.requests_at("POST", "/api/assets/upload").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_on_its_way_is_cancelled_at_once() {
    let world = World::new().await;
    let fault = json!({"method": "POST", "path": "/api/assets/upload", "times": 0, "action": {"stall": true}});
    world.fault(fault).await;
    let control = UploadControl::new();
    let sending = world.upload(small()).control(&control).send();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG / 2, async { tokio::join!(sending, cancel) }).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    world.end().await;
}

#[tokio::test]
async fn a_small_file_that_is_paused_goes_when_it_is_resumed() {
    let world = World::new().await;
    let control = UploadControl::new();
    control.pause();
    let sending = world.upload(small()).control(&control).send();
    let resume = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let before = world.requests_at("POST", "/api/assets/upload").await;
        control.resume();
        before
    };
    let (outcome, before) = tokio::join!(sending, resume);
    assert_eq!((outcome.unwrap().asset.size, before), (Some(1000), 0));
    world.end().await;
}

#[tokio::test]
async fn a_stream_that_breaks_leaves_nothing_on_the_platform() {
    let world = World::new().await;
    let piece = |n: usize| match n {
        0..40 => Ok(Bytes::from(vec![7; MIB])),
        _ => Err(std::io::Error::other("the camera is gone")),
    };
    let stream = futures_util::stream::iter((0..41).map(piece));
    let error = world.upload(UploadSource::stream("live.bin", stream)).send().await.unwrap_err();
    assert!(error.message().contains("the camera is gone"), "{error}");
    let made = world.requests_at("POST", "/api/assets/uploads").await;
    assert_eq!((made, world.requests_at("DELETE", "/api/assets/uploads/").await), (1, 1));
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

/// Cancels an upload once the platform has made an asset of it, before the answer to its last byte is there.
async fn cancelled_at_its_last_byte(world: &World, upload: Upload) {
    let control = UploadControl::new();
    let upload = upload.control(&control).send().boxed();
    let cancel = async {
        world.until_asset().await;
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG, async { tokio::join!(upload, cancel) }).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(world.assets().await, 0);
}

/// What happens to the `nth` request of a chunk: it is handled, and its answer never comes.
fn unanswered(nth: usize) -> serde_json::Value {
    json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": nth, "action": {"stall": true}})
}

#[tokio::test]
async fn an_upload_in_one_stream_that_is_cancelled_at_its_last_byte_leaves_no_asset() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 20 * MIB, 36);
    world.fault(unanswered(1)).await;
    // The platform is busy when it is asked what became of it.
    let busy =
        json!({"method": "HEAD", "path": "/api/assets/uploads/*", "action": {"status": 423}});
    world.fault(busy).await;
    let upload = world.upload(&path).max_streams(1).chunk_size(32 * MIB as u64);
    cancelled_at_its_last_byte(&world, upload).await;
    // Nothing of it is known any more: it begins anew.
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!((uploaded.sent, uploaded.restarts.len()), (20 * MIB as u64, 0));
    world.end().await;
}

#[tokio::test]
async fn a_stream_that_is_cancelled_at_its_last_byte_leaves_no_asset() {
    let world = World::new().await;
    let pieces = futures_util::stream::iter((0..20).map(|_| Ok(Bytes::from(vec![7; MIB]))));
    world.fault(unanswered(2)).await;
    let source = UploadSource::stream("live.bin", pieces);
    let upload = world.upload(source).chunk_size(16 * MIB as u64);
    cancelled_at_its_last_byte(&world, upload).await;
    world.end().await;
}

#[tokio::test]
async fn cancelling_does_not_wait_for_a_platform_that_takes_no_part_back() {
    let world = World::new().await;
    let (path, _) = world.file("film.bin", 80 * MIB, 35);
    let silent = json!({"drop_before": true, "delay_ms": 600_000});
    let at = "/api/assets/uploads/*";
    world.fault(json!({"method": "DELETE", "path": at, "times": 0, "action": silent})).await;
    let control = UploadControl::new();
    let upload = world.upload(&path).max_streams(8).chunk_size(2 * MIB as u64).control(&control);
    let cancel = async {
        while world.requests("PATCH").await < 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG / 2, async { tokio::join!(upload.send(), cancel) })
            .await
            .unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    world.end().await;
}

/// As with a credential that may write and not delete: what stays there is not sent twice.
#[tokio::test]
async fn what_could_not_be_taken_back_is_continued_by_the_next_call() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 80 * MIB, 37);
    let refused = json!({"method": "DELETE", "path": "/api/assets/uploads/*", "times": 0, "action": {"status": 403}});
    world.fault(refused).await;
    let control = UploadControl::new();
    let upload = world.upload(&path).max_streams(2).chunk_size(2 * MIB as u64).control(&control);
    let cancel = async {
        while world.requests("PATCH").await < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    };
    let (outcome, ()) =
        tokio::time::timeout(LONG, async { tokio::join!(upload.send(), cancel) }).await.unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    world.no_faults().await;
    let uploaded = world.upload(&path).send().await.unwrap();
    assert!(uploaded.sent < 80 * MIB as u64, "{}", uploaded.sent);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn where_the_platform_takes_nothing_back_the_next_call_goes_on() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", 80 * MIB, 49);
    let extensions = "creation,concatenation,checksum,expiration";
    let fault = json!({
        "method": "OPTIONS", "path": "/api/assets/uploads", "times": 0, "action": {"status": 204},
        "headers": {"tus-resumable": "1.0.0", "tus-version": "1.0.0", "tus-extension": extensions, "tus-checksum-algorithm": "sha256"},
    });
    world.fault(fault).await;
    let control = UploadControl::new();
    let upload = world.upload(&path).max_streams(2).chunk_size(2 * MIB as u64).control(&control);
    let cancel = async {
        while world.requests("PATCH").await < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        control.cancel();
    };
    let (outcome, ()) = tokio::join!(upload.send(), cancel);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(world.requests("DELETE").await, 0);
    let uploaded = world.upload(&path).send().await.unwrap();
    assert!(uploaded.sent < 80 * MIB as u64, "{}", uploaded.sent);
    world.only_asset(&sha256).await;
    world.end().await;
}

#[tokio::test]
async fn cancelling_is_heard_while_a_stream_is_silent() {
    let world = World::new().await;
    // Silent from the beginning, and after the first pieces went out.
    for (pieces, made) in [(0, 0), (40, 1)] {
        let sent = futures_util::stream::iter((0..pieces).map(|_| Ok(Bytes::from(vec![7; MIB]))));
        let source = UploadSource::stream("live.bin", sent.chain(futures_util::stream::pending()));
        let control = UploadControl::new();
        let upload = world.upload(source).control(&control).send();
        let cancel = async {
            while world.requests("POST").await < made {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            control.cancel();
        };
        let (outcome, ()) =
            tokio::time::timeout(LONG, async { tokio::join!(upload, cancel) }).await.unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(world.requests("DELETE").await, made, "what was made is taken back");
    }
    assert_eq!(world.assets().await, 0);
    world.end().await;
}

//! Large files to a platform on this very machine: one stream, the checksum of each chunk after its bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::{MIB, World};
use serde_json::{Value, json};

/// One stream begins here.
const LARGE: usize = 128 * MIB;
const AT: &str = "/api/assets/uploads/*";

/// Where the chunks that the platform was sent had their checksums: in a header, in a trailer.
async fn checksums(world: &World) -> (usize, usize) {
    let asked = world.asked().await;
    let has = |r: &&Value, name: &str, value: &str| {
        r["method"] == "PATCH" && r["headers"][name].as_str().is_some_and(|v| v.starts_with(value))
    };
    let count = |name, value| asked.iter().filter(|r| has(r, name, value)).count();
    (count("upload-checksum", "sha256 "), count("trailer", "upload-checksum"))
}

/// Uploads under these faults until the platform answered so soon that it was taken for one on this machine, which on a busy one
/// it need not: the failures that were made good, and where the checksums were.
async fn near(world: &World, faults: &[Value]) -> (u32, (usize, usize)) {
    for seed in 0..20 {
        let (path, sha256) = world.file("film.bin", LARGE + 17, seed);
        world.no_faults().await;
        world.client.request("DELETE", "/_local/requests").send().await.unwrap();
        for fault in faults {
            world.fault(fault.clone()).await;
        }
        let uploaded = world.upload(&path).send().await.unwrap();
        assert_eq!(uploaded.restarts, [""; 0]);
        world.only_asset(&sha256).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
        let (before, after) = checksums(world).await;
        if after > 0 {
            return (uploaded.failures, (before, after));
        }
        assert!(before > 0, "every chunk has its checksum somewhere");
    }
    panic!("the platform never answered within 20 ms");
}

#[tokio::test]
async fn a_chunk_is_read_once_and_its_checksum_follows_it() {
    let world = World::new().await;
    let (failures, (before, after)) = near(&world, &[]).await;
    assert_eq!((failures, before), (0, 0));
    assert_eq!(after, world.requests("PATCH").await);
    world.end().await;
}

#[tokio::test]
async fn a_platform_that_was_busy_for_a_moment_is_still_on_this_machine() {
    let world = World::new().await;
    let late = json!({"method": "OPTIONS", "path": "/api/assets/uploads", "nth": 1, "action": {"delay_ms": 60}});
    let (failures, (before, after)) = near(&world, &[late]).await;
    assert_eq!((failures, before), (0, 0));
    assert_eq!(after, world.requests("PATCH").await);
    assert_eq!(world.requests("OPTIONS").await, 2);
    world.end().await;
}

#[tokio::test]
async fn a_platform_that_fails_when_it_is_asked_once_more_takes_the_upload() {
    let world = World::new().await;
    let (path, sha256) = world.file("film.bin", LARGE, 1);
    for (nth, action) in [(1, json!({"delay_ms": 60})), (2, json!({"status": 400}))] {
        let fault = json!({"method": "OPTIONS", "path": "/api/assets/uploads", "nth": nth, "action": action});
        world.fault(fault).await;
    }
    let uploaded = world.upload(&path).send().await.unwrap();
    assert_eq!((uploaded.failures, uploaded.restarts), (0, Vec::new()));
    world.only_asset(&sha256).await;
    assert_eq!(world.requests("OPTIONS").await, 2);
    world.end().await;
}

#[tokio::test]
async fn a_chunk_that_broke_off_before_its_checksum_is_sent_again() {
    let world = World::new().await;
    let faults: Vec<_> = [
        (1, json!({"drop_before": true})),
        (2, json!({"drop_after": true})),
        (3, json!({"reset": true})),
        (4, json!({"status": 503})),
    ]
    .into_iter()
    .map(|(nth, action)| json!({"method": "PATCH", "path": AT, "nth": nth, "action": action}))
    .collect();
    let (failures, (before, _)) = near(&world, &faults).await;
    assert!(failures >= 4, "{failures}");
    assert_eq!(before, 0, "these have nothing to do with where the checksum is");
    world.end().await;
}

#[tokio::test]
async fn where_the_trailer_does_not_arrive_the_checksums_come_first_from_then_on() {
    let world = World::new().await;
    for status in [400, 411, 460] {
        let fault = json!({"method": "PATCH", "path": AT, "nth": 2, "action": {"status": status}});
        let (failures, (before, after)) = near(&world, &[fault]).await;
        assert_eq!((failures, after), (1, 2), "{status}");
        assert!(before > 0, "{status}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_killed_upload_continues_after_chunks_whose_checksums_followed_them() {
    let world = World::new().await;
    for seed in 0..20 {
        let (path, sha256) = world.file("film.bin", LARGE, seed);
        world.client.request("DELETE", "/_local/requests").send().await.unwrap();
        let enough = async {
            while world.requests("PATCH").await < 4 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let chunk = 8 * MIB as u64;
        tokio::select! {
            outcome = world.upload(&path).chunk_size(chunk).send() => {
                // A busy machine looked too late.
                world.client.media().delete(&outcome.unwrap().asset.id).await.unwrap();
                continue;
            }
            () = enough => {}
        }
        let (_, after) = checksums(&world).await;
        let uploaded = world.upload(&path).chunk_size(chunk).send().await.unwrap();
        assert_eq!(uploaded.restarts, [""; 0]);
        world.only_asset(&sha256).await;
        world.client.media().delete(&uploaded.asset.id).await.unwrap();
        if after > 0 {
            assert!(uploaded.sent <= (LARGE - 2 * 8 * MIB) as u64, "{} went again", uploaded.sent);
            return world.end().await;
        }
    }
    panic!("the platform never answered within 20 ms");
}

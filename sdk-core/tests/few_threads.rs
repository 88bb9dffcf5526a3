//! Uploads and downloads in a runtime that has one thread for blocking work, as small containers are given.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

mod common;

use std::time::Duration;

use common::{MIB, World};
use storycore::Client;

#[test]
fn one_thread_for_blocking_work_is_enough() {
    // The platform has threads of its own.
    let outer = tokio::runtime::Runtime::new().unwrap();
    let world = outer.block_on(World::new());
    let files = [world.file("note.bin", 1000, 1), world.file("one.bin", 12 * MIB, 2)];
    let large = world.file("film.bin", 40 * MIB, 3);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    // A name is looked up on that thread, too, for each new connection.
    let url = world.platform.url().replace("127.0.0.1", "localhost");
    let client = Client::builder().base_url(url).api_key(world.platform.api_key()).build().unwrap();
    runtime.block_on(async {
        let all = async {
            for (path, sha256) in files.iter().chain([&large]) {
                let options = storycore::models::UploadOptions::new("document");
                let upload = client.media().prepare_upload(path, options).journal(world.journal());
                let asset = upload.send().await.unwrap().asset;
                assert_eq!(asset.sha256.as_ref(), Some(sha256));
                let back = world.path("back.bin");
                let download = client.media().prepare_download(&asset.id, &back).max_streams(4);
                download.send().await.unwrap();
                assert_eq!(&common::sha256(&std::fs::read(back).unwrap()), sha256);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("it stalls");
    });
    outer.block_on(world.end());
}

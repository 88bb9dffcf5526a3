//! A download onto a disk that has too little room: an error that says so, and nothing that keeps the room.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::process::Command;

use serde_json::Value;
use storycore::{
    Client,
    models::UploadOptions,
    upload::{Journal, UploadSource},
};

#[path = "../../../local-platform/tests/common/little_disk.rs"]
mod little_disk;

use little_disk::little_disk;

const PROGRAM: &str = env!("CARGO_BIN_EXE_storycore-faults");
const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_download_onto_a_full_disk_says_so_and_keeps_nothing() {
    let platform = storycore_local::start(storycore_local::Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let mut ids = Vec::new();
    for size in [40 * MIB, 100 * MIB, 2 * MIB] {
        let source = UploadSource::bytes("film.bin", vec![7; size]);
        let upload = client.media().prepare_upload(source, UploadOptions::new("document"));
        ids.push(upload.journal(Journal::Off).send().await.unwrap().asset.id);
    }
    let folder = tempfile::tempdir().unwrap();
    let download = async |id: &str| -> (Value, bool) {
        let (starter, own_disk) = little_disk(folder.path());
        let mut command = Command::new(&starter[0]);
        command.args(&starter[1..]).args([PROGRAM, "download", "--url", platform.url()]);
        command.args(["--api-key", platform.api_key(), id]).arg(folder.path().join("film.bin"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (serde_json::from_slice(&output.stdout).unwrap(), own_disk)
    };
    // In one stream and in ranges side by side.
    for id in &ids[..2] {
        let (said, own_disk) = download(id).await;
        assert_eq!(said["failed"], "upload", "{said}");
        let message = said["message"].as_str().unwrap();
        assert!(message.contains("film.bin cannot be written"), "{message}");
        if own_disk {
            assert!(message.contains("No space left on device"), "{message}");
            assert_eq!(said["left"], serde_json::json!([]), "the room is free again");
        }
    }
    // What fits comes.
    let (said, _) = download(&ids[2]).await;
    assert_eq!(said["downloaded"], *ids[2], "{said}");
    platform.shutdown().await;
}

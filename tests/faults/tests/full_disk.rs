//! A download onto a disk that has too little room: an error that says so, and nothing that keeps the room.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{path::Path, process::Command};

use serde_json::Value;
use storycore::{
    Client,
    models::UploadOptions,
    upload::{Journal, UploadSource},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_storycore-faults");
const MIB: usize = 1 << 20;

/// What starts a program with 16 MiB of disk at `folder`: a file system of its own where the system lets us mount one, else a
/// limit on each file.
fn on_a_little_disk(folder: &Path) -> (Command, bool) {
    let unshare = ["--map-root-user", "--mount", "sh", "-c"];
    let mount =
        format!("mount -t tmpfs -o size=16m tmpfs '{}' && exec \"$0\" \"$@\"", folder.display());
    let mut own = Command::new("unshare");
    own.args(unshare).arg(&mount);
    if Command::new("unshare")
        .args(unshare)
        .args([&*mount, "true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        return (own, true);
    }
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 32768; exec \"$0\" \"$@\""]);
    (limited, false)
}

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
        let (mut command, own_disk) = on_a_little_disk(folder.path());
        command.args([PROGRAM, "download", "--url", platform.url()]);
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

//! A disk without room: a download onto it is an error that says so and keeps none of it; an upload whose journal is there
//! goes on without one.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{process::Command, time::Duration};

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

/// The first upload is under way when the disk fills, the second one begins after it.
#[tokio::test]
async fn an_upload_whose_own_journal_has_no_room_goes_on_without() {
    let platform = storycore_local::start(storycore_local::Config::in_memory()).await.unwrap();
    let client =
        Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
    let (files, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(files.path().join("film.bin"), vec![7; 20 * MIB]).unwrap();
    std::fs::write(files.path().join("note.bin"), vec![8; 1000]).unwrap();
    let (starter, own_disk) = little_disk(state.path());
    if !own_disk {
        // A limit on each file leaves no disk that is full.
        println!("skipped: this system lets nobody mount");
        return platform.shutdown().await;
    }
    // The upload is written down, and its parts are not made before the disk is full.
    let slowly = serde_json::json!({"method": "POST", "path": "/api/assets/uploads", "times": 0, "action": {"delay_ms": 600_000}});
    client.request("POST", "/_local/faults").json(&slowly).send().await.unwrap();
    let script = r#"
        "$PROGRAM" upload --user-journal --url "$URL" "$FILES/film.bin" &
        film=$!
        # It would go on for as long as its answer is held back.
        trap 'kill "$film"' EXIT
        until [ -s "$STATE/storycore/uploads.sqlite3-wal" ]; do kill -0 "$film" || exit 8; sleep 0.05; done
        sleep 1
        dd if=/dev/zero of="$STATE/filler" bs=4096 2>&1 | grep -q "No space left" || exit 9
        kill -0 "$film" || exit 7
        : > "$FILES/full"
        wait "$film" || exit 1
        trap - EXIT
        "$PROGRAM" upload --user-journal --url "$URL" "$FILES/note.bin"
    "#;
    let mut command = Command::new(&starter[0]);
    command.args(&starter[1..]).args(["sh", "-c", script]);
    command.env("PROGRAM", PROGRAM).env("URL", platform.url());
    command.env("STORYCORE_API_KEY", platform.api_key());
    command.env("FILES", files.path()).env("STATE", state.path());
    command.env("XDG_STATE_HOME", state.path());
    let mut ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let full = async {
        while !files.path().join("full").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        client.request("DELETE", "/_local/faults").send().await.unwrap();
        std::future::pending::<()>().await;
    };
    let output = tokio::select! {
        ended = &mut ended => ended.unwrap(),
        () = full => unreachable!("it has no end"),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{:?} {said}", output.status.code());
    let said: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (said, size) in said.iter().zip([20 * MIB, 1000]) {
        assert_eq!(said["uploaded"]["asset"]["size"], size, "{said}");
    }
    assert_eq!(said.len(), 2);
    platform.shutdown().await;
}

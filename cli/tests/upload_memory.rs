//! A large file goes up and comes down in little memory. The platform is a process of its own, so that this one's peak is
//! the client's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]
#![cfg(target_os = "linux")]

mod common;

use common::Storycore;
use storycore::{Client, models::UploadOptions, upload::Journal};

const SIZE: u64 = 100 * 1024 * 1024;
/// Of the client's memory, over what it had before.
const MOST_KIB: u64 = 24 * 1024;

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_hundred_mebibytes_go_up_and_come_down_in_little_memory() {
    let mut platform =
        Storycore::spawn(&["dev", "--in-memory", "--json", "--listen", "127.0.0.1:0"]);
    let ready: serde_json::Value = serde_json::from_str(&platform.line()).unwrap();
    let text = |name: &str| ready[name].as_str().unwrap();
    let client = Client::builder().base_url(text("url")).api_key(text("api_key")).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (folder.path().join("small.bin"), folder.path().join("large.bin"));
    std::fs::write(&small, b"small").unwrap();
    let media = client.media();
    // What one upload needs whatever its size is there before it counts.
    media.upload(&small, UploadOptions::new("document")).await.unwrap();
    // As large as one request may be, with room for the form around it.
    let file = std::fs::File::create(&large).unwrap();
    file.set_len(SIZE - 4096).unwrap();
    let before = peak();
    // Nothing of a test stays in the user's own journal.
    let upload = media.prepare_upload(&large, UploadOptions::new("document"));
    let asset = upload.journal(Journal::Off).send().await.unwrap().asset;
    let up = peak();
    let back = folder.path().join("back.bin");
    media.download(&asset.id, &back).await.unwrap();
    let down = peak();
    assert_eq!(back.metadata().unwrap().len(), SIZE - 4096);
    println!("peak: {before} KiB before, {up} KiB after the upload, {down} KiB after the download");
    assert!(up - before <= MOST_KIB && down - before <= MOST_KIB, "{before} {up} {down}");
}

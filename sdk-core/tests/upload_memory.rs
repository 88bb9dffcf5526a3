//! A large file goes up and comes down in little memory. The platform is a process of its own, so that this one's peak is
//! the client's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use storycore::{Client, models::UploadOptions, upload::Journal};

const SERVE: &str = "STORYCORE_TEST_SERVE";
const SIZE: u64 = 100 * 1024 * 1024;
/// Of the client's memory, over what it had before.
const MOST_KIB: u64 = 24 * 1024;

/// The platform that the test starts: nothing to do without the variable that it alone sets.
#[tokio::test]
#[ignore = "it is started by the other"]
async fn serve() {
    if std::env::var_os(SERVE).is_none() {
        return;
    }
    let running = storycore_local::start(storycore_local::Config::in_memory()).await.unwrap();
    println!("READY {} {}", running.url(), running.api_key());
    // Ends with whoever started it, however that ended.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()))
        .await
        .unwrap()
        .unwrap();
    running.shutdown().await;
}

struct Platform {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    client: Client,
}

impl Platform {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serve", "--ignored", "--nocapture"])
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let client = loop {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "the platform did not start");
            if let Some((_, ready)) = line.trim_end().split_once("READY ") {
                let (url, key) = ready.split_once(' ').unwrap();
                break Client::builder().base_url(url).api_key(key).build().unwrap();
            }
        };
        Self { child, _stdout: stdout, client }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_hundred_mebibytes_go_up_and_come_down_in_little_memory() {
    let platform = Platform::start();
    let folder = tempfile::tempdir().unwrap();
    let (small, large) = (folder.path().join("small.bin"), folder.path().join("large.bin"));
    std::fs::write(&small, b"small").unwrap();
    let media = platform.client.media();
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

//! What the tests of uploads and downloads stand on: a local platform, a client of it, files of their own, and what the platform
//! does wrong on request and writes down.
#![allow(dead_code, reason = "no file of tests needs all of it")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use storycore::{
    Client,
    models::{ListParams, UploadOptions},
    upload::{Journal, Upload, UploadSource},
};
use storycore_local::{Config, Running, start};

pub(crate) const MIB: usize = 1024 * 1024;
/// Longer than anything here takes on a busy machine: it is there for what hangs.
const LONG: Duration = Duration::from_secs(120);

/// A platform with its client, and a folder for files.
pub(crate) struct World {
    pub(crate) platform: Running,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Config::in_memory(), tempfile::tempdir().unwrap()).await
    }

    /// One whose files are in `data`.
    pub(crate) async fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::with(Config::in_directory(folder.path().join("data")), folder).await
    }

    async fn with(config: Config, folder: tempfile::TempDir) -> Self {
        let platform = start(config).await.unwrap();
        let client =
            Client::builder().base_url(platform.url()).api_key(platform.api_key()).build().unwrap();
        Self { platform, client, folder }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of `size` bytes that no other part of it repeats, and its SHA-256.
    pub(crate) fn file(&self, name: &str, size: usize, seed: u64) -> (PathBuf, String) {
        let bytes = bytes(size, seed);
        let path = self.path(name);
        std::fs::write(&path, &bytes).unwrap();
        (path, sha256(&bytes))
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::At(self.path("journal.sqlite3"))
    }

    /// An upload that is written down in a journal of its own.
    pub(crate) fn upload(&self, source: impl Into<UploadSource>) -> Upload {
        self.client
            .media()
            .prepare_upload(source, UploadOptions::new("document"))
            .journal(self.journal())
    }

    /// Something that the platform does wrong from now on.
    pub(crate) async fn fault(&self, fault: Value) {
        self.client.request("POST", "/_local/faults").json(&fault).send().await.unwrap();
    }

    pub(crate) async fn no_faults(&self) {
        self.client.request("DELETE", "/_local/faults").send().await.unwrap();
    }

    /// Everything that the platform was asked.
    pub(crate) async fn asked(&self) -> Vec<Value> {
        let answer = self.client.request("GET", "/_local/requests").send().await.unwrap();
        let all: Value = answer.json().unwrap();
        all["data"].as_array().unwrap().clone()
    }

    /// How many requests with this method there were, of those whose path begins so.
    pub(crate) async fn requests_at(&self, method: &str, path: &str) -> usize {
        let is =
            |r: &&Value| r["method"] == method && r["path"].as_str().unwrap().starts_with(path);
        self.asked().await.iter().filter(is).count()
    }

    /// How many requests with this method tus had.
    pub(crate) async fn requests(&self, method: &str) -> usize {
        self.requests_at(method, "/api/assets/uploads").await
    }

    /// Stops an upload in its middle, as a crash does: its chunks from the `nth` on never arrive whole. Those before it have.
    pub(crate) async fn crash(&self, upload: Upload, nth: usize) {
        let patches = async || {
            let mut all = self.asked().await;
            all.retain(|request| request["method"] == "PATCH");
            let taken = all.iter().filter(|request| request["status"] == 204).count();
            (taken, all.len())
        };
        let (taken, all) = patches().await;
        let stall = json!({"stall": true, "after_bytes": 10});
        let path = "/api/assets/uploads/*";
        let fault =
            json!({"method": "PATCH", "path": path, "nth": nth, "times": 0, "action": stall});
        self.fault(fault).await;
        let stands = async {
            loop {
                let (taken_now, all_now) = patches().await;
                if taken_now >= taken + nth - 1 && all_now >= all + nth {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            ended = upload.send() => panic!("it ended: {ended:?}"),
            stands = tokio::time::timeout(LONG, stands) => stands.expect("it does not come so far"),
        }
        self.no_faults().await;
    }

    /// How many assets there are.
    pub(crate) async fn assets(&self) -> usize {
        self.client.media().list(ListParams::new()).await.unwrap().data.len()
    }

    /// Waits until there is an asset.
    pub(crate) async fn until_asset(&self) {
        while self.assets().await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// The one asset that there is, its bytes as the platform gives them.
    pub(crate) async fn only_asset(&self, expected: &str) {
        let page = self.client.media().list(ListParams::new()).await.unwrap();
        assert_eq!(page.data.len(), 1, "exactly one asset");
        let content = self.path("back");
        self.client.media().download(&page.data[0].id, &content).await.unwrap();
        assert_eq!(sha256(&std::fs::read(content).unwrap()), expected);
    }

    pub(crate) async fn end(self) {
        self.platform.shutdown().await;
    }
}

/// In hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Bytes of a small generator (xorshift64*).
pub(crate) fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// What is in a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Makes the file another one, which this gives, of the same size and with the same ends: only the content that was sent tells,
/// whichever parts of it were.
pub(crate) fn another_middle(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.len() - MIB;
    for byte in &mut bytes[MIB..end] {
        *byte ^= 0x55;
    }
    std::fs::write(path, &bytes).unwrap();
    bytes
}

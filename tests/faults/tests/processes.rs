//! Uploads of one file by several processes: one at a time, and nobody is locked out by the dead.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_storycore-faults");

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct World {
    url: String,
    key: String,
    folder: tempfile::TempDir,
    _platform: (Killed, BufReader<ChildStdout>),
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut platform = Command::new(PROGRAM)
            .args(["serve", "--data"])
            .arg(folder.path().join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(platform.stdout.take().unwrap());
        let platform = Killed(platform);
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let [_, url, key] = words.try_into().unwrap();
        Self { url, key, folder, _platform: (platform, stdout) }
    }

    fn file(&self) -> PathBuf {
        let path = self.folder.path().join("film.bin");
        let bytes: Vec<u8> = (0..9_000_001_u64).map(|n| (n * n / 257 % 251) as u8).collect();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn upload(&self, file: &Path) -> Killed {
        let child = Command::new(PROGRAM)
            .args(["upload", "--url", &self.url, "--multipart-below", "0"])
            .arg(format!("--api-key={}", self.key))
            .args(["--chunk-size", "1000000", "--streams", "1", "--leashed", "--journal"])
            .arg(self.folder.path().join("journal"))
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Killed(child.unwrap())
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let client = storycore::Client::builder().base_url(&self.url).api_key(self.key.clone());
        let client = client.build().unwrap();
        let mut request = client.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await.unwrap().json().unwrap()
    }
}

/// What a process said in the end.
fn ended(mut upload: Killed) -> Value {
    // Open until then: it ends with its standard input.
    let _stdin = upload.0.stdin.take();
    let stdout = upload.0.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_uploaded_by_one_process_at_a_time_and_a_killed_one_locks_nobody_out() {
    let world = World::new();
    let file = world.file();
    // The first one's third chunk is never answered: it is in the middle until it is killed.
    let stall = json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": 3, "action": {"stall": true, "after_bytes": 1000}});
    world.ask("POST", "/_local/faults", stall).await;
    let first = world.upload(&file);
    let begun = Instant::now();
    while patches(&world).await < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came to its third chunk");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = ended(world.upload(&file));
    assert_eq!(told["failed"]["kind"], "upload", "{told}");
    assert!(told["failed"]["message"].as_str().unwrap().contains("another process"), "{told}");
    assert_eq!(patches(&world).await, 3, "the second one sent nothing");

    drop(first);
    let told = ended(world.upload(&file));
    assert_eq!(told["uploaded"]["restarts"], json!([]), "{told}");
    assert!(told["uploaded"]["sent"].as_u64().unwrap() <= 7_000_001, "{told}");
    let assets = world.ask("GET", "/api/assets", Value::Null).await;
    assert_eq!(assets["pagination"]["total"], 1);
    assert_eq!(assets["data"][0]["sha256"], told["uploaded"]["asset"]["sha256"]);
}

/// A lock is the open file's, which a forked child has too: it outlives its owner with the child, be it idle or anything else.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_locks_nobody_out_through_a_child_that_it_forked() {
    let world = World::new();
    let file = world.file();
    let stall = json!({"method": "PATCH", "path": "/api/assets/uploads/*", "nth": 3, "action": {"stall": true, "after_bytes": 1000}});
    world.ask("POST", "/_local/faults", stall).await;
    let first = world.upload(&file);
    while patches(&world).await < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let locks = std::fs::read_dir(world.folder.path().join("journal.locks")).unwrap();
    let locks: Vec<_> = locks.map(|lock| lock.unwrap().path()).collect();
    let [lock] = &*locks.iter().filter(|lock| !lock.ends_with("opening")).collect::<Vec<_>>()
    else {
        panic!("one lock is there: {locks:?}");
    };
    // As the child has it.
    let held = std::fs::File::options().read(true).write(true).open(lock).unwrap();
    drop(first);
    held.try_lock().unwrap();
    let told = ended(world.upload(&file));
    assert_eq!(told["uploaded"]["restarts"], json!([]), "{told}");
    assert!(told["uploaded"]["sent"].as_u64().unwrap() <= 7_000_001, "{told}");
    assert!(!lock.exists(), "nothing of it stays");
    drop(held);
}

async fn patches(world: &World) -> usize {
    let all = world.ask("GET", "/_local/requests", Value::Null).await;
    all["data"].as_array().unwrap().iter().filter(|r| r["method"] == "PATCH").count()
}

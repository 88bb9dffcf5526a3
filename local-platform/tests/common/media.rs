//! Files to upload, made by the real ffmpeg, and the forms that carry them.

use std::{path::Path, process::Command, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Answer, Platform, answer, child, http};

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Longer than anything here takes on a busy machine: it is there for what hangs.
pub const DEADLINE: Duration = Duration::from_secs(300);
pub const BOUNDARY: &str = "a-boundary";

/// Whoever has a key of a platform, in this process or in another.
pub struct Api {
    pub http: reqwest::Client,
    pub url: String,
    pub key: String,
}

impl Api {
    pub fn new(url: &str, key: &str) -> Self {
        Self { http: http(), url: url.to_owned(), key: key.to_owned() }
    }

    /// A platform in a process of its own, and its API.
    pub fn of_another(data: &Path) -> (child::Platform, Self) {
        let platform = child::Platform::start(data);
        let api = Self::new(&platform.url, &platform.key);
        (platform, api)
    }

    pub fn of(platform: &Platform) -> Self {
        Self::new(platform.running.url(), &platform.key)
    }

    /// The same platform, as another organization sees it.
    pub async fn stranger(&self) -> Self {
        let made = self.http.post(format!("{}/_local/organizations", self.url));
        let made = answer(made.json(&serde_json::json!({}))).await.expect(201);
        Self::new(&self.url, made.body["api_key"].as_str().unwrap())
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.http.request(method, url).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub fn upload(&self, form: Vec<u8>) -> reqwest::RequestBuilder {
        self.request(Method::POST, "/api/assets/upload")
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(form)
    }

    /// Uploads a file and returns its asset.
    pub async fn asset(&self, kind: &str, name: &str, bytes: &[u8]) -> Value {
        let form = form(&[file(name, bytes), field("type", kind)]);
        answer(self.upload(form)).await.expect(201).body
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.bytes().await.unwrap().to_vec()
    }

    /// Makes a job and returns its id.
    pub async fn job(&self, kind: &str, parameters: Value) -> String {
        let body = serde_json::json!({"type": kind, "parameters": parameters});
        let job = self.post("/api/jobs", body).await.expect(202).body;
        job["id"].as_str().unwrap().to_owned()
    }

    /// The job once `enough` is true of it.
    pub async fn until(&self, job: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/jobs/{job}");
        let wait = async {
            loop {
                let job = self.get(&path).await.expect(200).body;
                if enough(&job) {
                    return job;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("the job does not get there")
    }

    /// The job when it has ended.
    pub async fn ended(&self, job: &str) -> Value {
        self.until(job, |job| !["queued", "processing"].contains(&job["status"].as_str().unwrap()))
            .await
    }
}

/// One part of a form, from its headers on.
pub fn field(name: &str, value: &str) -> Vec<u8> {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}").into_bytes()
}

pub fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), bytes].concat()
}

pub fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut form = Vec::new();
    for part in parts {
        form.extend(format!("--{BOUNDARY}\r\n").bytes());
        form.extend(part);
        form.extend(b"\r\n");
    }
    form.extend(format!("--{BOUNDARY}--\r\n").bytes());
    form
}

/// A film with sound, made once a call.
pub fn film(seconds: u32, size: &str) -> Vec<u8> {
    ffmpeg(
        &format!(
            "-f lavfi -i testsrc2=duration={seconds}:size={size}:rate=25 -f lavfi -i sine=duration={seconds} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac"
        ),
        "film.mp4",
    )
}

/// What ffmpeg makes of these arguments.
pub fn ffmpeg(arguments: &str, name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read(path).unwrap()
}

/// What ffprobe says of some bytes: the given entries of its first stream, separated by commas.
pub fn look(bytes: &[u8], entries: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("looked-at");
    std::fs::write(&path, bytes).unwrap();
    let said = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-select_streams", "0", "-show_entries"])
        .arg(format!("stream={entries}"))
        .arg(&path)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// Every file under a data directory's folder of files.
pub fn files(data: &Path) -> Vec<std::path::PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        let entries = match std::fs::read_dir(folder) {
            // A job that ends takes its folder away, also while this looks into it.
            Err(gone) if gone.kind() == std::io::ErrorKind::NotFound => return,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.push(path.clone());
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&data.join("files"), &mut found);
    found.retain(|path| {
        !["incoming", "assets", "work", "uploads"]
            .contains(&path.file_name().unwrap().to_str().unwrap())
    });
    found
}

/// Waits until `done` holds.
pub async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

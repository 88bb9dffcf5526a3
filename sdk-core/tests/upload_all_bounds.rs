//! What many uploads take together, however many they are and whatever each is given: so many requests, so much memory. This
//! process is theirs alone, since its peak of memory is what is looked at.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]
#![cfg(target_os = "linux")]

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::StatusCode,
    routing::{options, patch},
};
use bytes::Bytes;
use storycore::{
    Client,
    models::UploadOptions,
    upload::{Journal, Upload, UploadAll, UploadSource},
};
use tokio::{net::TcpListener, time::sleep};

const MIB: u64 = 1024 * 1024;
/// Of all uploads of one call, in KiB.
const MOST: u64 = 64 * 1024;
/// Requests of all uploads of one call.
const MOST_AT_ONCE: u64 = 16;

/// A number of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Files without content, each of so many bytes.
fn files(folder: &Path, count: usize, size: u64) -> Vec<PathBuf> {
    let file = |n| {
        let path = folder.join(format!("{n:02}.bin"));
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        path
    };
    (0..count).map(file).collect()
}

fn client(listener: &TcpListener) -> Client {
    let url = format!("http://{}", listener.local_addr().unwrap());
    Client::builder().base_url(&url).api_key("key").build().unwrap()
}

/// Longer than anything here takes on a busy machine: it is there for what never comes so far.
const LONG: Duration = Duration::from_secs(60);

/// Uploads until so much moved and nothing moves any more.
async fn stuck(mut uploads: UploadAll, at_least: u64, moved: impl Fn() -> u64) {
    let still = async {
        let (mut before, mut since) = (u64::MAX, 0);
        let end = Instant::now() + LONG;
        while since < 10 || (moved() < at_least && Instant::now() < end) {
            sleep(Duration::from_millis(100)).await;
            let now = moved();
            since = if now == before { since + 1 } else { 0 };
            before = now;
        }
    };
    tokio::select! {
        ended = uploads.next() => panic!("{ended:?}"),
        () = still => {}
    }
}

/// KiB that uploads to a platform take which takes connections and reads nothing.
async fn taken(uploads: impl FnOnce(Client) -> UploadAll) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uploads = uploads(client(&listener));
    // The peak begins anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmHWM");
    let silent = async {
        let mut held = Vec::new();
        loop {
            held.push(listener.accept().await.unwrap());
        }
    };
    tokio::select! {
        () = silent => unreachable!("it has no end"),
        () = stuck(uploads, 0, || status("VmHWM")) => {}
    }
    status("VmHWM") - before
}

async fn files_in_one_request_each(folder: &Path) -> u64 {
    let files = files(folder, 16, 96 * MIB);
    taken(|client| {
        client
            .media()
            .upload_all(files, UploadOptions::new("document"))
            .each(|upload| upload.multipart_below(u64::MAX).journal(Journal::Off))
    })
    .await
}

async fn streams_without_end() -> u64 {
    let stream = |n: usize| {
        let piece = move || Ok::<_, io::Error>(Bytes::from(vec![n as u8; 256 * 1024]));
        let pieces = futures_util::stream::repeat_with(piece);
        UploadSource::stream(format!("{n}.bin"), pieces)
    };
    let streams: Vec<_> = (0..16).map(stream).collect();
    taken(|client| client.media().upload_all(streams, UploadOptions::new("document"))).await
}

/// The most chunks under way at a time, to a platform that takes each and never answers.
async fn open(count: usize, folder: &Path, size: u64, each: fn(Upload) -> Upload) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    let (made, chunks) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let made = Arc::new(made);
    let able = || async {
        let extensions = ("tus-extension", "creation,concatenation");
        (StatusCode::NO_CONTENT, [("tus-version", "1.0.0"), extensions])
    };
    let create = move || async move {
        let number = made.fetch_add(1, SeqCst);
        (StatusCode::CREATED, [("location", format!("/api/assets/uploads/{number}"))])
    };
    let counted = Arc::clone(&chunks);
    let hold = move || async move {
        counted.fetch_add(1, SeqCst);
        std::future::pending::<StatusCode>().await
    };
    let router = Router::new()
        .route("/api/assets/uploads", options(able).post(create))
        .route("/api/assets/uploads/{id}", patch(hold));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let uploads = client
        .media()
        .upload_all(files(folder, count, size), UploadOptions::new("document"))
        .at_once(count)
        .each(move |upload| each(upload.multipart_below(0).journal(Journal::Off)));
    stuck(uploads, MOST_AT_ONCE, || chunks.load(SeqCst) as u64).await;
    serving.abort();
    chunks.load(SeqCst) as u64
}

/// One after another: each looks at the memory of the whole process.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_beside_each_other_keep_to_64_mib_and_16_requests() {
    let folder = tempfile::tempdir().unwrap();
    let found = [
        ("KiB of files in one request each", files_in_one_request_each(folder.path()).await, MOST),
        ("KiB of streams", streams_without_end().await, MOST),
        (
            "chunks of 64 files",
            open(64, folder.path(), 64 * 1024, |upload| upload).await,
            MOST_AT_ONCE,
        ),
        (
            "chunks of files that may have 16 streams each",
            open(16, folder.path(), 16 * MIB, |upload| upload.max_streams(16)).await,
            MOST_AT_ONCE,
        ),
    ];
    for (what, most, allowed) in found {
        assert!(most <= allowed, "{most} {what}, {found:?}");
    }
    // As many as there may be, and no fewer.
    assert_eq!((found[2].1, found[3].1), (MOST_AT_ONCE, MOST_AT_ONCE));
}

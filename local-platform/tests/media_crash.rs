//! `kill -9`, a full disk, a large file: a platform in a process of its own, with real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::PathBuf;

use common::{
    answer,
    child::{self, Platform, own_disk},
    held::Held,
    little_disk::little_disk,
    media::{Api, BOUNDARY, eventually, ffmpeg, field, file, files, film, form, look},
    sse::Events,
};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[tokio::test]
async fn killed_in_the_middle_of_an_upload_it_starts_again_without_the_half() {
    let data = tempfile::tempdir().unwrap();
    let (platform, api) = Api::of_another(data.path());
    let mut connection =
        TcpStream::connect(api.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /api/assets/upload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: 50000000\r\n\r\n--{BOUNDARY}\r\ncontent-disposition: form-data; name=file; filename=a\r\n\r\n",
        api.key
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![0x5a; 10_000_000]).await.unwrap();
    eventually("nothing arrives", || {
        files(data.path()).iter().any(|f| f.metadata().is_ok_and(|m| m.len() > 5_000_000))
    })
    .await;
    platform.kill();
    assert_eq!(files(data.path()).len(), 1);
    let (platform, api) = Api::of_another(data.path());
    assert_eq!(files(data.path()), Vec::<PathBuf>::new());
    assert_eq!(api.get("/api/assets").await.expect(200).body["pagination"]["total"], 0);
    drop(platform);
}

#[tokio::test]
async fn killed_among_many_uploads_it_has_each_file_with_its_row() {
    let data = tempfile::tempdir().unwrap();
    let (platform, api) = Api::of_another(data.path());
    let api = std::sync::Arc::new(api);
    let uploads: Vec<_> = (0..8u8)
        .map(|n| {
            let api = std::sync::Arc::clone(&api);
            tokio::spawn(async move {
                let form = form(&[field("type", "document"), file("a.bin", &vec![n; 200_000])]);
                while api.upload(form.clone()).send().await.is_ok() {}
            })
        })
        .collect();
    eventually("nothing is stored", || files(data.path()).len() > 40).await;
    platform.kill();
    for upload in uploads {
        upload.await.unwrap();
    }
    let (platform, api) = Api::of_another(data.path());
    let mut rows = Vec::new();
    loop {
        let page =
            api.get(&format!("/api/assets?limit=100&offset={}", rows.len())).await.expect(200).body;
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["pagination"]["has_more"] == false {
            break;
        }
    }
    let mut ids: Vec<_> =
        rows.iter().map(|asset| asset["id"].as_str().unwrap().to_owned()).collect();
    let mut found: Vec<_> = files(data.path())
        .iter()
        .map(|f| f.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    ids.sort();
    found.sort();
    assert_eq!(ids, found);
    assert!(rows.iter().all(|asset| asset["status"] == "ready"));
    drop(platform);
}

#[tokio::test]
async fn killed_while_a_job_runs_it_runs_it_again_and_streams_go_on() {
    let data = tempfile::tempdir().unwrap();
    let held = Held::at_the_films_pace();
    let slow = format!("STORYCORE_FFMPEG={}", held.program().display());
    let platform = Platform::start_under(&["env", &slow], data.path());
    let api = Api::new(&platform.url, &platform.key);
    // It runs on when the platform is killed, and ends by itself.
    let film = api.asset("video", "clip.mp4", &film(30, "64x64")).await;
    let settings = json!({"format": "webm", "resolution": "64x48"});
    let id = api
        .job("video_processing", json!({"input": film["id"], "output_settings": settings}))
        .await;
    let mut events = Events::of(&api, &id, None).await;
    let mut last = 0;
    for _ in 0..4 {
        last = events.next().await.unwrap().id;
    }
    platform.kill();
    assert!(files(data.path()).len() > 1, "nothing was half done");
    let (platform, api) = Api::of_another(data.path());
    let rest = Events::of(&api, &id, Some(last)).await.rest().await;
    assert!(rest.iter().all(|event| event.id > last), "{rest:?}");
    assert_eq!(rest.first().unwrap().data["progress"], 0);
    assert_eq!(rest.last().unwrap().name, "job.completed");
    let job = api.ended(&id).await;
    assert_eq!(look(&api.bytes(job["result_url"].as_str().unwrap()).await, "codec_name"), "vp9");
    eventually("the half output is left", || files(data.path()).len() == 2).await;
    assert_eq!(api.get("/api/events?event=job.completed").await.body["pagination"]["total"], 1);
    drop(platform);
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is running");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_hundred_mebibytes_go_through_in_little_memory() {
    let data = tempfile::tempdir().unwrap();
    let (platform, api) = Api::of_another(data.path());
    let asset = api.asset("document", "small.bin", &[1; 1000]).await;
    api.bytes(asset["url"].as_str().unwrap()).await;
    let before = peak(platform.pid());
    let large = api.asset("document", "large.bin", &vec![0x5a; 100 * 1024 * 1024]).await;
    let up = peak(platform.pid());
    api.bytes(large["url"].as_str().unwrap()).await;
    let down = peak(platform.pid());
    println!("peak: {before} KiB before, {up} KiB after the upload, {down} KiB after the download");
    assert!(up - before <= 24 * 1024 && down - before <= 24 * 1024, "{before} {up} {down}");
    drop(platform);
}

#[tokio::test]
async fn a_full_disk_refuses_the_file_and_keeps_nothing_of_it() {
    let data = tempfile::tempdir().unwrap();
    let (starter, own_disk) = little_disk(data.path());
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let seen = if own_disk { platform.sees(data.path()) } else { data.path().to_owned() };
    let sound = ffmpeg("-f lavfi -i sine=duration=300 -c:a aac -b:a 32k", "sound.m4a");
    let sound = api.asset("audio", "sound.m4a", &sound).await;
    let parts = [field("type", "document"), file("a.bin", &vec![1; 40 * 1024 * 1024])];
    let refused = answer(api.upload(form(&parts))).await.expect(503);
    assert_eq!(refused.code(), "unavailable");
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("no space"));
    eventually("a file is left", || files(&seen).len() == 1).await;
    // 300 s of sound are 26 MB without compression.
    let id = api
        .job(
            "audio_extraction",
            json!({"input": sound["id"], "output_settings": {"format": "wav"}}),
        )
        .await;
    let job = api.ended(&id).await;
    assert_eq!(job["status"], "failed");
    let message = job["error_message"].as_str().unwrap();
    let words = if own_disk { "No space left on device" } else { "File too large" };
    assert!(message.contains(words), "{message}");
    eventually("an output is left", || files(&seen).len() == 1).await;
    // There is room for what fits.
    api.asset("document", "b.bin", &vec![2; 1024 * 1024]).await;
    drop(platform);
}

#[tokio::test]
async fn own_disk_that_was_full_takes_writes_again_once_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let starter = own_disk(data.path());
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let seen = platform.sees(data.path());
    let filler = seen.join("filler");
    let settings = json!({"text": "x".repeat(100_000)});
    for round in 0..3 {
        let mut file = std::fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 65536]).is_ok() {}
        let mut refused = 0;
        for _ in 0..40 {
            let made = api.post("/api/projects", json!({"name": "a", "settings": settings})).await;
            if made.status != 201 {
                assert_eq!(made.expect(503).code(), "unavailable");
                refused += 1;
            }
        }
        assert!(refused > 0, "the disk was not full in round {round}");
        drop(file);
        std::fs::remove_file(&filler).unwrap();
        api.post("/api/projects", json!({"name": "b"})).await.expect(201);
    }
    drop(platform);
}

#[tokio::test]
async fn own_disk_without_room_it_does_not_start_and_says_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let starter = own_disk(data.path());
    // The same little disk, filled before the platform starts.
    let mount = &starter[..starter.len() - 1];
    let fill = starter.last().unwrap().replace(
        "&& exec",
        &format!(
            "&& (cat /dev/zero > '{}/filler' || true) 2>/dev/null && exec",
            data.path().display()
        ),
    );
    let ended = std::process::Command::new(&mount[0])
        .args(&mount[1..])
        .arg(fill)
        .arg(child::PROGRAM)
        .arg(data.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && told.contains("DiskFull"), "{told}");
}

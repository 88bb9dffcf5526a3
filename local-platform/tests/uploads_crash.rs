//! Resumable uploads through `kill -9`: what the platform says afterwards is what is on the disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{
    Answer, answer,
    child::{self, Platform},
    little_disk::little_disk,
    media::{Api, eventually, files},
};
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

fn tus(api: &Api, method: Method, path: &str) -> reqwest::RequestBuilder {
    api.request(method, path).header("tus-resumable", "1.0.0")
}

async fn create(api: &Api, length: usize) -> String {
    let made = tus(api, Method::POST, "/api/assets/uploads").header("upload-length", length);
    answer(made).await.expect(201).header("location").to_owned()
}

async fn patch(api: &Api, path: &str, offset: usize, body: &[u8]) -> Answer {
    let request = tus(api, Method::PATCH, path)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream");
    answer(request.body(body.to_vec())).await
}

async fn offset(api: &Api, path: &str) -> usize {
    let state = answer(tus(api, Method::HEAD, path)).await.expect(200);
    state.header("upload-offset").parse().unwrap()
}

/// Sends the head of a PATCH and some of its bytes, and leaves the connection open.
async fn begin(
    api: &Api,
    path: &str,
    from: usize,
    all: &[u8],
    sent: usize,
    sum: bool,
) -> TcpStream {
    let mut tcp = TcpStream::connect(api.url.strip_prefix("http://").unwrap()).await.unwrap();
    let sum = match sum {
        true => format!("Upload-Checksum: sha256 {}\r\n", STANDARD.encode(Sha256::digest(all))),
        false => String::new(),
    };
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: local\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {from}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n{sum}\r\n",
        api.key,
        all.len()
    );
    tcp.write_all(head.as_bytes()).await.unwrap();
    tcp.write_all(&all[..sent]).await.unwrap();
    tcp
}

fn on_disk(data: &Path, url: &str) -> PathBuf {
    data.join("files/uploads").join(url.rsplit('/').next().unwrap())
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

#[tokio::test]
async fn a_killed_upload_continues_where_the_disk_stopped() {
    let data = tempfile::tempdir().unwrap();
    let file: Vec<u8> = (0..5_000_000_u32).map(|n| (n * 7 % 253) as u8).collect();
    let (platform, api) = Api::of_another(data.path());
    let (plain, summed) = (create(&api, file.len()).await, create(&api, file.len()).await);
    for url in [&plain, &summed] {
        patch(&api, url, 0, &file[..1000]).await.expect(204);
    }
    let rest = &file[1000..];
    let first = begin(&api, &plain, 1000, rest, 3_000_000, false).await;
    let second = begin(&api, &summed, 1000, rest, 3_000_000, true).await;
    for url in [&plain, &summed] {
        let path = on_disk(data.path(), url);
        eventually("nothing arrives", || length(&path) > 1_000_000).await;
    }
    platform.kill();
    drop((first, second));
    let left = length(&on_disk(data.path(), &plain)) as usize;
    std::fs::write(data.path().join("files/uploads/upl_stray"), b"of nothing").unwrap();
    let (platform, api) = Api::of_another(data.path());
    assert_eq!(offset(&api, &plain).await, left);
    // Its checksum was not checked: nothing of the chunk counts.
    assert_eq!(offset(&api, &summed).await, 1000);
    assert!(!data.path().join("files/uploads/upl_stray").exists());
    for (url, from) in [(&plain, left), (&summed, 1000)] {
        let asset = patch(&api, url, from, &file[from..]).await.expect(204);
        let asset = format!("/api/assets/{}", asset.header("x-asset-id"));
        let row = api.get(&asset).await.expect(200).body;
        assert_eq!(row["sha256"], hex::encode(Sha256::digest(&file)));
        assert_eq!(api.bytes(&format!("{asset}/content")).await, file);
    }
    assert_eq!(files(data.path()).len(), 2);
    drop(platform);
}

/// A power cut may take back what was received, for it is not forced onto the disk.
#[tokio::test]
async fn an_upload_that_a_power_cut_made_shorter_than_its_chunk_begins_is_not_filled_with_zeros() {
    let data = tempfile::tempdir().unwrap();
    let file: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 253) as u8).collect();
    let (platform, api) = Api::of_another(data.path());
    let url = create(&api, file.len()).await;
    patch(&api, &url, 0, &file[..1_000_000]).await.expect(204);
    let rest = &file[1_000_000..];
    let tcp = begin(&api, &url, 1_000_000, rest, rest.len() / 2, true).await;
    let path = on_disk(data.path(), &url);
    eventually("nothing arrives", || length(&path) > 1_100_000).await;
    platform.kill();
    drop(tcp);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(500_000).unwrap();
    let (platform, api) = Api::of_another(data.path());
    assert_eq!(offset(&api, &url).await, 500_000);
    let asset = patch(&api, &url, 500_000, &file[500_000..]).await.expect(204);
    let asset = format!("/api/assets/{}", asset.header("x-asset-id"));
    let row = api.get(&asset).await.expect(200).body;
    assert_eq!(row["sha256"], hex::encode(Sha256::digest(&file)));
    assert_eq!(api.bytes(&format!("{asset}/content")).await, file);
    drop(platform);
}

#[tokio::test]
async fn a_whole_upload_that_a_crash_kept_from_being_an_asset_becomes_one_when_asked() {
    let data = tempfile::tempdir().unwrap();
    let (platform, api) = Api::of_another(data.path());
    let url = create(&api, 6).await;
    patch(&api, &url, 0, b"abc").await.expect(204);
    platform.kill();
    // As after a kill between the last byte and the asset's row.
    std::fs::write(on_disk(data.path(), &url), b"abcdef").unwrap();
    std::fs::write(data.path().join("files/assets/ast_stray"), b"abcdef").unwrap();
    let (platform, api) = Api::of_another(data.path());
    for _ in 0..2 {
        let state = answer(tus(&api, Method::HEAD, &url)).await.expect(200);
        let asset = state.header("x-asset-id").to_owned();
        assert_eq!(api.bytes(&format!("/api/assets/{asset}/content")).await, b"abcdef");
    }
    assert_eq!(api.get("/api/assets").await.body["pagination"]["total"], 1);
    drop(platform);
}

async fn patch_with_sum(api: &Api, path: &str, body: &[u8]) -> Answer {
    let request = tus(api, Method::PATCH, path)
        .header("upload-offset", 0)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-checksum", format!("sha256 {}", STANDARD.encode(Sha256::digest(body))));
    answer(request.body(body.to_vec())).await
}

/// On a disk of 16 MiB.
#[tokio::test]
async fn a_full_disk_keeps_what_it_took_and_nothing_that_is_not_verified() {
    let data = tempfile::tempdir().unwrap();
    let (starter, own_disk) = little_disk(data.path());
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let seen = if own_disk { platform.sees(data.path()) } else { data.path().to_owned() };
    let file: Vec<u8> = (0..40_000_000_u32).map(|n| (n * 7 % 253) as u8).collect();

    let summed = create(&api, file.len()).await;
    assert_eq!(patch_with_sum(&api, &summed, &file).await.expect(503).code(), "unavailable");
    assert_eq!(offset(&api, &summed).await, 0);

    let plain = create(&api, file.len()).await;
    let refused = patch(&api, &plain, 0, &file).await.expect(503);
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("no space"));
    let there = offset(&api, &plain).await;
    assert!(there > 1_000_000 && there < file.len(), "{there}");
    let kept = std::fs::read(on_disk(&seen, &plain)).unwrap();
    assert!(kept == file[..there], "what it says to have is what was sent");

    // Taken back, it makes room for what fits.
    answer(tus(&api, Method::DELETE, &plain)).await.expect(204);
    let small = create(&api, 2_000_000).await;
    patch(&api, &small, 0, &file[..2_000_000]).await.expect(204);
    assert_eq!(files(&seen).len(), 2, "the asset, and the empty upload that may go on");
    drop(platform);
}

#[tokio::test]
async fn own_disk_that_was_full_lets_an_upload_go_on_once_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let starter = child::own_disk(data.path());
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let filler = platform.sees(data.path()).join("filler");
    let file: Vec<u8> = (0..5_000_000_u32).map(|n| (n * 11 % 251) as u8).collect();
    let url = create(&api, file.len()).await;
    std::fs::write(&filler, vec![0; 12 * 1024 * 1024]).unwrap();
    patch(&api, &url, 0, &file).await.expect(503);
    std::fs::remove_file(&filler).unwrap();
    let there = offset(&api, &url).await;
    assert!(there < file.len());
    let asset = patch(&api, &url, there, &file[there..]).await.expect(204);
    let asset = format!("/api/assets/{}", asset.header("x-asset-id"));
    assert_eq!(api.bytes(&format!("{asset}/content")).await, file);
    assert_eq!(
        api.get(&asset).await.expect(200).body["sha256"],
        hex::encode(Sha256::digest(&file))
    );
    drop(platform);
}

#[tokio::test]
async fn a_disk_that_fills_with_a_chunks_last_bytes_is_not_called_a_wrong_checksum() {
    let data = tempfile::tempdir().unwrap();
    let (starter, own_disk) = little_disk(data.path());
    if !own_disk {
        // A limit on each file leaves no disk that is nearly full.
        println!("skipped: this system lets nobody mount");
        return;
    }
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let path = platform.sees(data.path()).join("filler");
    let file: Vec<u8> = (0..1024 * 1024_u32).map(|n| (n * 11 % 251) as u8).collect();
    let url = create(&api, file.len()).await;
    let mut filler = std::fs::File::create(&path).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 65536]).is_ok() {}
    // Room for the first half, and for what the platform writes down beside it.
    filler.set_len(filler.metadata().unwrap().len() - 700 * 1024).unwrap();
    assert_eq!(patch_with_sum(&api, &url, &file).await.expect(503).code(), "unavailable");
    assert_eq!(offset(&api, &url).await, 0);
    drop(filler);
    std::fs::remove_file(&path).unwrap();
    patch_with_sum(&api, &url, &file).await.expect(204);
    drop(platform);
}

/// The parts fit on a disk of 16 MiB, and they fit once.
#[tokio::test]
async fn parts_for_whose_whole_there_is_no_room_stay_and_are_joined_once_there_is() {
    let data = tempfile::tempdir().unwrap();
    let (starter, own_disk) = little_disk(data.path());
    if !own_disk {
        println!("skipped: this system lets nobody mount");
        return;
    }
    let starter: Vec<&str> = starter.iter().map(String::as_str).collect();
    let platform = Platform::start_under(&starter, data.path());
    let api = Api::new(&platform.url, &platform.key);
    let seen = platform.sees(data.path());
    let filler = seen.join("filler");
    let file: Vec<u8> = (0..6_000_000_u32).map(|n| (n * 13 % 241) as u8).collect();
    let mut urls = Vec::new();
    for part in [&file[..1_000_000], &file[1_000_000..]] {
        let made = tus(&api, Method::POST, "/api/assets/uploads")
            .header("upload-concat", "partial")
            .header("upload-length", part.len());
        let url = answer(made).await.expect(201).header("location").to_owned();
        patch(&api, &url, 0, part).await.expect(204);
        urls.push(url);
    }
    let join = || {
        answer(
            tus(&api, Method::POST, "/api/assets/uploads")
                .header("upload-concat", format!("final;{}", urls.join(" ")))
                .header("upload-metadata", format!("filename {}", STANDARD.encode("film.bin"))),
        )
    };
    std::fs::write(&filler, vec![0; 6 * 1024 * 1024]).unwrap();
    let before = files(&seen);
    assert_eq!(join().await.expect(503).code(), "unavailable");
    assert_eq!(files(&seen), before, "nothing is left of what there was no room for");
    std::fs::remove_file(&filler).unwrap();
    let asset = format!("/api/assets/{}", join().await.expect(201).header("x-asset-id"));
    assert_eq!(api.get(&asset).await.body["sha256"], hex::encode(Sha256::digest(&file)));
    assert!(api.bytes(&format!("{asset}/content")).await == file);
    assert_eq!(files(&seen).len(), 1, "the parts are gone");
    drop(platform);
}

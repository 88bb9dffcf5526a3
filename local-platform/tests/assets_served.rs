//! Files as they are served and kept: by range, to their own organization, and until they are deleted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{
    Platform, answer,
    media::{Api, DEADLINE, files, sha256},
};
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use storycore_local::Config;

#[tokio::test]
async fn content_is_served_by_range() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let bytes: Vec<u8> = (0..1000u32).map(|n| n as u8).collect();
    let asset = api.asset("document", "a.bin", &bytes).await;
    let url = asset["url"].as_str().unwrap();
    let etag = format!("\"{}\"", sha256(&bytes));
    let ask = |headers: &[(&str, &str)], method: Method| {
        let mut request = api.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async { request.send().await.unwrap() }
    };
    for (range, start, end) in [
        ("bytes=0-0", 0, 0),
        ("bytes=0-499", 0, 499),
        ("bytes=500-999", 500, 999),
        ("bytes=500-", 500, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=-1", 999, 999),
        ("bytes=-5000", 0, 999),
        ("BYTES=10-19", 10, 19),
        ("bytes=998-99999999999999999999999", 998, 999),
    ] {
        let part = ask(&[("range", range)], Method::GET).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.headers()["content-range"], format!("bytes {start}-{end}/1000"));
        assert_eq!(part.headers()["content-length"], (end - start + 1).to_string());
        assert_eq!(part.headers()["etag"], etag);
        assert_eq!(part.bytes().await.unwrap(), bytes[start..=end], "{range}");
    }
    for range in ["bytes=1000-", "bytes=5000-6000", "bytes=-0"] {
        let none = answer(api.request(Method::GET, url).header("range", range)).await.expect(416);
        assert_eq!(
            (none.header("content-range"), none.code()),
            ("bytes */1000", "range_not_satisfiable")
        );
    }
    // Not understood, or several at once: the whole.
    for range in [
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-5",
        "bytes=a-b",
        "bytes=+1-2",
        "lines=0-1",
        "bytes=0-1,5-6",
    ] {
        let whole = ask(&[("range", range)], Method::GET).await;
        assert_eq!(
            (whole.status().as_u16(), whole.bytes().await.unwrap()),
            (200, bytes.clone().into()),
            "{range}"
        );
    }
    let other = "\"0000\"";
    let weak = format!("W/{etag}");
    let listed = format!("{other}, {weak}");
    for (condition, status) in
        [(etag.as_str(), 206), (other, 200), (&weak, 200), ("Fri, 20 Nov 2026 10:00:00 GMT", 200)]
    {
        let answer = ask(&[("range", "bytes=0-9"), ("if-range", condition)], Method::GET).await;
        assert_eq!(answer.status().as_u16(), status, "{condition}");
    }
    for (condition, status) in
        [(etag.as_str(), 304), (&weak, 304), (&listed, 304), ("*", 304), (other, 200)]
    {
        let answer = ask(&[("if-none-match", condition)], Method::GET).await;
        assert_eq!(answer.status().as_u16(), status, "{condition}");
        assert_eq!(answer.headers()["etag"], etag);
    }
    for (headers, status, length) in
        [(vec![], 200, "1000"), (vec![("range", "bytes=0-9")], 206, "10")]
    {
        let head = ask(&headers, Method::HEAD).await;
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-length"]),
            (status, &length.parse().unwrap())
        );
        assert!(head.bytes().await.unwrap().is_empty());
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn another_organization_sees_no_file() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let asset = api.asset("document", "a.txt", b"ours").await;
    let stranger = api.stranger().await;
    let path = format!("/api/assets/{}", asset["id"].as_str().unwrap());
    stranger.get(&path).await.expect(404);
    stranger.get(&format!("{path}/content")).await.expect(404);
    stranger.delete(&path).await.expect(404);
    assert_eq!(stranger.get("/api/assets").await.expect(200).body["data"], json!([]));
    let parameters = json!({"input": asset["id"]});
    let job = stranger.post("/api/jobs", json!({"type": "probe", "parameters": parameters})).await;
    assert_eq!(job.expect(422).body["error"]["details"][0]["field"], "parameters.input");
    api.get(&path).await.expect(200);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_file_that_vanished_makes_its_asset_failed_and_a_stray_one_goes() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let lost = api.asset("document", "lost.txt", b"lost").await;
    let kept = api.asset("document", "kept.txt", b"kept").await;
    p.running.shutdown().await;
    let folder = data.path().join("files/assets");
    std::fs::remove_file(folder.join(lost["id"].as_str().unwrap())).unwrap();
    std::fs::write(folder.join("ast_stray"), b"stray").unwrap();
    std::fs::write(data.path().join("files/incoming/half"), b"half").unwrap();

    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let status = async |asset: &Value| {
        let path = format!("/api/assets/{}", asset["id"].as_str().unwrap());
        let content = api.get(&format!("{path}/content")).await.status.as_u16();
        (api.get(&path).await.body["status"].clone(), content)
    };
    assert_eq!(status(&lost).await, (json!("failed"), 409));
    assert_eq!(status(&kept).await, (json!("ready"), 200));
    assert_eq!(files(data.path()), [folder.join(kept["id"].as_str().unwrap())]);
    assert_eq!(api.get("/api/events?event=asset.failed").await.body["pagination"]["total"], 1);
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_download_goes_on_when_its_asset_is_deleted() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let bytes = vec![0x42; 30 * 1024 * 1024];
    let asset = api.asset("document", "a.bin", &bytes).await;
    let response = api.request(Method::GET, asset["url"].as_str().unwrap()).send().await.unwrap();
    let mut content = response.bytes_stream();
    let mut read = content.next().await.unwrap().unwrap().len();
    api.delete(&format!("/api/assets/{}", asset["id"].as_str().unwrap())).await.expect(200);
    let rest = async {
        while let Some(piece) = content.next().await {
            read += piece.unwrap().len();
        }
    };
    tokio::time::timeout(DEADLINE, rest).await.unwrap();
    assert_eq!(read, bytes.len());
    p.running.shutdown().await;
}

#[tokio::test]
async fn emptying_the_platform_takes_its_files_too() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    api.asset("document", "a.txt", b"a").await;
    api.delete("/_local/state").await.expect(200);
    assert_eq!(api.get("/api/assets").await.expect(200).body["pagination"]["total"], 0);
    assert!(files(data.path()).is_empty());
    p.running.shutdown().await;
}

//! Files: the whole life of an upload, what is refused, and bytes by range.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{
    Platform, answer,
    media::{Api, BOUNDARY, eventually, field, file, files, film, form, sha256},
};
use reqwest::Method;
use serde_json::json;
use storycore_local::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

#[tokio::test]
async fn an_uploaded_film_is_described_served_listed_and_deleted() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let project = p.post("/api/projects", json!({"name": "Film"})).await.expect(201).body;
    let film = film(2, "320x180");
    let parts = [
        field("project_id", project["id"].as_str().unwrap()),
        file("Été \\\"99\\\".mp4", &film),
        field("type", "video"),
        field("description", "two seconds"),
    ];
    let asset = answer(api.upload(form(&parts))).await.expect(201).body;
    let id = asset["id"].as_str().unwrap();
    assert!(id.starts_with("ast_"));
    for (field, expected) in [
        ("name", json!("Été \"99\".mp4")),
        ("type", json!("video")),
        ("description", json!("two seconds")),
        ("status", json!("ready")),
        ("size", json!(film.len())),
        ("content_type", json!("video/mp4")),
        ("sha256", json!(sha256(&film))),
        ("url", json!(format!("{}/api/assets/{id}/content", p.running.url()))),
        ("project_id", project["id"].clone()),
    ] {
        assert_eq!(asset[field], expected, "{field}");
    }
    let metadata = &asset["metadata"];
    assert_eq!(
        (&metadata["width"], &metadata["height"], &metadata["codec"], &metadata["audio_codec"]),
        (&json!(320), &json!(180), &json!("h264"), &json!("aac"))
    );
    assert!((metadata["duration_s"].as_f64().unwrap() - 2.0).abs() < 0.1);

    let path = format!("/api/assets/{id}");
    assert_eq!(api.get(&path).await.expect(200).body, asset);
    assert_eq!(
        api.get("/api/assets?type=video&status=ready").await.expect(200).body["data"],
        json!([asset])
    );
    assert_eq!(api.get("/api/assets?type=audio").await.expect(200).body["data"], json!([]));
    let of_project = format!("/api/assets?project_id={}", project["id"].as_str().unwrap());
    assert_eq!(api.get(&of_project).await.expect(200).body["pagination"]["total"], 1);

    let content = api.request(Method::GET, asset["url"].as_str().unwrap()).send().await.unwrap();
    let header = |name: &str| content.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "video/mp4");
    assert_eq!(header("content-length"), film.len().to_string());
    assert_eq!(header("etag"), format!("\"{}\"", sha256(&film)));
    assert_eq!(header("accept-ranges"), "bytes");
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"_t_ _99_.mp4\"; filename*=UTF-8''%C3%89t%C3%A9%20%2299%22.mp4"
    );
    assert_eq!(content.bytes().await.unwrap(), film);

    let events = api.get("/api/events?event=asset.ready").await.expect(200).body;
    assert_eq!(
        (&events["data"][0]["data"], &events["data"][0]["asset_id"]),
        (&asset, &asset["id"])
    );
    assert_eq!(files(data.path()).len(), 1);
    assert_eq!(api.delete(&path).await.expect(200).body, json!({"id": id, "deleted": true}));
    assert_eq!(files(data.path()).len(), 0);
    for path in [path.clone(), format!("{path}/content")] {
        assert_eq!(api.get(&path).await.expect(404).code(), "not_found");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn any_kind_of_file_is_taken_and_named_sensibly() {
    let p = Platform::start().await;
    let api = Api::of(&p);
    let paper = api.asset("document", "dir/C:\\notes.md", b"# Notes").await;
    assert_eq!(
        (&paper["name"], &paper["content_type"]),
        (&json!("notes.md"), &json!("text/markdown"))
    );
    assert_eq!(paper["metadata"], json!({}));
    let empty = api.asset("document", "nothing", b"").await;
    assert_eq!((&empty["size"], &empty["sha256"]), (&json!(0), &json!(sha256(b""))));
    assert!(api.bytes(empty["url"].as_str().unwrap()).await.is_empty());
    // What is not what it says is kept: a job on it fails with the reason.
    let noise = api.asset("video", "noise.mp4", b"no film at all").await;
    assert_eq!((&noise["status"], &noise["metadata"]), (&json!("ready"), &json!({})));
    let head = "Content-Disposition: form-data; name=\"file\"\r\nContent-Type: audio/flac\r\n\r\nx";
    let parts = [field("name", "A song"), field("type", "audio"), head.into()];
    let unnamed = answer(api.upload(form(&parts))).await.expect(201).body;
    assert_eq!(
        (&unnamed["name"], &unnamed["content_type"]),
        (&json!("A song"), &json!("audio/flac"))
    );
    let content = api.get(unnamed["url"].as_str().unwrap()).await.expect(200);
    assert!(content.header("content-disposition").contains("filename=\"A song.flac\""));
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_bad_form_gets_the_error_that_names_what_is_wrong_and_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let (film, video) = (file("a.mp4", &[7; 300_000]), field("type", "video"));
    let long = "x".repeat(256);
    for (parts, name) in [
        (vec![film.clone()], "type"),
        (vec![video.clone()], "file"),
        (vec![film.clone(), field("type", "movie")], "type"),
        (vec![film.clone(), film.clone(), video.clone()], "file"),
        (vec![video.clone(), film.clone(), video.clone()], "type"),
        (vec![film.clone(), video.clone(), field("titel", "x")], "titel"),
        (vec![film.clone(), video.clone(), field("name", &long)], "name"),
        (vec![film.clone(), video.clone(), field("name", &"x".repeat(100_000))], "name"),
        (vec![film.clone(), video.clone(), field("name", "a\u{7}")], "name"),
        (vec![film.clone(), video.clone(), field("project_id", "prj_none")], "project_id"),
    ] {
        let wrong = answer(api.upload(form(&parts))).await.expect(422);
        assert_eq!(
            (wrong.code(), &wrong.body["error"]["details"][0]["field"]),
            ("unprocessable", &json!(name))
        );
    }
    let missing = answer(api.upload(form(&[field("name", "x")]))).await.expect(422);
    assert_eq!(missing.body["error"]["details"].as_array().unwrap().len(), 2);
    let whole = form(&[film.clone(), video.clone()]);
    answer(api.upload(whole[..whole.len() / 2].to_vec())).await.expect(400);
    answer(api.upload(b"no form".to_vec())).await.expect(400);
    let bare = api.upload(whole.clone()).header("content-type", "multipart/form-data");
    let bare = bare.build().unwrap();
    let mut headers = bare.headers().clone();
    headers.insert("content-type", "multipart/form-data".parse().unwrap());
    let unbounded = api.request(Method::POST, "/api/assets/upload").headers(headers).body(whole);
    assert_eq!(
        answer(unbounded).await.expect(400).body["error"]["details"][0]["field"],
        "Content-Type"
    );
    assert_eq!(
        api.post("/api/assets/upload", json!({})).await.expect(415).code(),
        "unsupported_media_type"
    );
    assert_eq!(api.get("/api/assets").await.expect(200).body["pagination"]["total"], 0);
    eventually("a file is left", || files(data.path()).is_empty()).await;
    p.running.shutdown().await;
}

/// A form with a file of so many bytes, sent without a length in pieces as they come.
fn streamed(bytes: usize) -> reqwest::Body {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\ndocument\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.bin\"\r\n\r\n"
    );
    let end = format!("\r\n--{BOUNDARY}--");
    let piece = bytes::Bytes::from(vec![0x5a; 64 * 1024]);
    let pieces =
        (0..bytes).step_by(piece.len()).map(move |at| piece.slice(..piece.len().min(bytes - at)));
    let all = [head.into()].into_iter().chain(pieces).chain([end.into()]);
    reqwest::Body::wrap_stream(futures_util::stream::iter(all.map(Ok::<_, std::io::Error>)))
}

/// The beginning of such a form, and then nothing more: the connection breaks.
fn broken(bytes: usize) -> reqwest::Body {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.bin\"\r\n\r\n"
    );
    let pieces = [Ok(head.into()), Ok(vec![0x5a; bytes]), Err(std::io::Error::other("hung up"))];
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}

#[tokio::test]
async fn a_file_past_the_limit_is_refused_with_the_way_to_send_it() {
    const LIMIT: usize = 100 * 1024 * 1024;
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    // Told beforehand, and found out on the way.
    let told = api
        .upload(form(&[file("big.bin", &vec![0; LIMIT + 2_000_000]), field("type", "document")]));
    let found_out = api.upload(Vec::new()).body(streamed(LIMIT + 1));
    for request in [told, found_out] {
        let refused = answer(request).await.expect(413);
        assert_eq!(refused.code(), "payload_too_large");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains("/api/assets/uploads"));
    }
    eventually("a file is left", || files(data.path()).is_empty()).await;
    let fits = answer(api.upload(Vec::new()).body(streamed(LIMIT))).await.expect(201);
    assert_eq!(fits.body["size"], LIMIT);
    p.running.shutdown().await;
}

/// Sends all it has before it reads, as simple clients do.
#[tokio::test]
async fn a_client_that_sends_everything_first_still_reads_why_it_was_refused() {
    let p = Platform::start().await;
    for (key, status) in [(p.key.as_str(), "413"), ("wrong-key-wrong-key", "401")] {
        let mut connection =
            TcpStream::connect(p.running.url().strip_prefix("http://").unwrap()).await.unwrap();
        let length = 120 * 1024 * 1024;
        let head = format!(
            "POST /api/assets/upload HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![0; 1024 * 1024];
        for _ in 0..length / piece.len() {
            connection.write_all(&piece).await.unwrap();
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    p.running.shutdown().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let broken = api.upload(Vec::new()).body(broken(20 * 1024 * 1024));
    broken.send().await.unwrap_err();
    eventually("a file is left", || files(data.path()).is_empty()).await;
    assert_eq!(api.get("/api/assets").await.expect(200).body["pagination"]["total"], 0);
    p.running.shutdown().await;
}

#[tokio::test]
async fn the_same_idempotency_key_uploads_once() {
    let data = tempfile::tempdir().unwrap();
    let p = Platform::with(Config::in_directory(data.path())).await;
    let api = Api::of(&p);
    let parts = [file("a.txt", b"the same"), field("type", "document")];
    let other = [file("a.txt", b"not the same"), field("type", "document")];
    let send =
        |parts: &[Vec<u8>]| answer(api.upload(form(parts)).header("idempotency-key", "once"));
    let first = send(&parts).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = send(&[parts[1].clone(), parts[0].clone()]).await.expect(201);
    assert_eq!((again.header("idempotent-replayed"), &again.body), ("true", &first.body));
    assert_eq!(send(&other).await.expect(422).code(), "idempotency_mismatch");
    eventually("a copy is left", || files(data.path()).len() == 1).await;
    assert_eq!(api.get("/api/assets").await.expect(200).body["pagination"]["total"], 1);
    p.running.shutdown().await;
}

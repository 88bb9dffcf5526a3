//! Resumable uploads (tus 1.0.0) through real sockets, onto real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{Answer, Platform, answer, http, media::Api};
use reqwest::Method;
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const UPLOADS: &str = "/api/assets/uploads";

fn metadata(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 % 251) as u8).collect()
}

fn tus(api: &Api, method: Method, path: &str) -> reqwest::RequestBuilder {
    api.request(method, path).header("tus-resumable", "1.0.0")
}

fn patch(api: &Api, path: &str, offset: usize, body: &[u8]) -> reqwest::RequestBuilder {
    tus(api, Method::PATCH, path)
        .header("upload-offset", offset)
        .header("content-type", "application/offset+octet-stream")
        .body(body.to_vec())
}

async fn head(api: &Api, path: &str) -> Answer {
    answer(tus(api, Method::HEAD, path)).await
}

async fn create(api: &Api, length: usize, concat: Option<&str>) -> String {
    let mut request = tus(api, Method::POST, UPLOADS)
        .header("upload-length", length)
        .header("upload-metadata", metadata(&[("filename", "a.bin"), ("type", "document")]));
    if let Some(concat) = concat {
        request = request.header("upload-concat", concat);
    }
    answer(request).await.expect(201).header("location").to_owned()
}

async fn total(api: &Api) -> u64 {
    api.get("/api/assets").await.expect(200).body["pagination"]["total"].as_u64().unwrap()
}

async fn content(api: &Api, asset: &str) -> Vec<u8> {
    api.bytes(&format!("/api/assets/{asset}/content")).await
}

#[tokio::test]
async fn a_file_in_two_pieces_is_an_asset_when_the_last_byte_is_in() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let file = bytes(1_000_000);
    let url = create(&api, file.len(), None).await;
    let first = answer(patch(&api, &url, 0, &file[..300_001])).await.expect(204);
    assert_eq!((first.header("upload-offset"), first.header("x-asset-id")), ("300001", ""));
    let state = head(&api, &url).await.expect(200);
    assert_eq!(state.header("upload-offset"), "300001");
    assert_eq!(state.header("upload-length"), "1000000");
    assert_eq!(state.header("cache-control"), "no-store");
    assert!(state.header("upload-expires").ends_with(" GMT"));
    let wrong = answer(patch(&api, &url, 5, b"x")).await.expect(409);
    assert_eq!(wrong.header("upload-offset"), "300001");
    let last = answer(patch(&api, &url, 300_001, &file[300_001..])).await.expect(204);
    let asset = last.header("x-asset-id").to_owned();
    assert_eq!(head(&api, &url).await.header("x-asset-id"), asset);
    assert_eq!(content(&api, &asset).await, file);
    let asset = api.get(&format!("/api/assets/{asset}")).await.expect(200).body;
    assert_eq!(asset["sha256"], hex::encode(Sha256::digest(&file)));
    assert_eq!((asset["name"].as_str(), asset["status"].as_str()), (Some("a.bin"), Some("ready")));
    let events = api.get("/api/events?event=asset.ready").await.expect(200);
    assert_eq!(events.body["pagination"]["total"], 1);
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_nothing_of_its_chunk_is_kept() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let file = bytes(700_000);
    let url = create(&api, file.len(), None).await;
    answer(patch(&api, &url, 0, &file[..100])).await.expect(204);
    let sha1 = |bytes: &[u8]| format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)));
    let wrong = patch(&api, &url, 100, &file[100..]).header("upload-checksum", sha1(b"other"));
    assert_eq!(answer(wrong).await.expect(460).code(), "checksum_mismatch");
    assert_eq!(head(&api, &url).await.header("upload-offset"), "100");
    let unknown = patch(&api, &url, 100, b"x").header("upload-checksum", "md5 AAAA");
    answer(unknown).await.expect(400);
    let crc = STANDARD.encode(crc32c::crc32c(&file[100..200]).to_be_bytes());
    let next = patch(&api, &url, 100, &file[100..200]);
    answer(next.header("upload-checksum", format!("crc32c {crc}"))).await.expect(204);
    let sha256 = format!("sha256 {}", STANDARD.encode(Sha256::digest(&file[200..300])));
    let next = patch(&api, &url, 200, &file[200..300]).header("upload-checksum", sha256);
    answer(next).await.expect(204);
    let right = patch(&api, &url, 300, &file[300..]).header("upload-checksum", sha1(&file[300..]));
    let asset = answer(right).await.expect(204).header("x-asset-id").to_owned();
    let row = api.get(&format!("/api/assets/{asset}")).await.body;
    assert_eq!(row["sha256"], hex::encode(Sha256::digest(&file)));
    assert_eq!(content(&api, &asset).await, file);
}

#[tokio::test]
async fn the_same_parts_make_one_asset_however_often_they_are_joined() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let (one, two) = (bytes(400_000), bytes(5));
    let first = create(&api, one.len(), Some("partial")).await;
    let second = create(&api, two.len(), Some("partial")).await;
    let join = || {
        tus(&api, Method::POST, UPLOADS)
            .header("upload-concat", format!("final;{}{first} {second}", api.url))
            .header("upload-metadata", metadata(&[("filename", "joined.bin")]))
    };
    answer(patch(&api, &first, 0, &one)).await.expect(204);
    assert_eq!(answer(join()).await.expect(409).code(), "conflict");
    answer(patch(&api, &second, 0, &two)).await.expect(204);
    assert_eq!(total(&api).await, 0);
    let (a, b) = tokio::join!(answer(join()), answer(join()));
    let (a, b, c) = (a.expect(201), b.expect(201), answer(join()).await.expect(201));
    assert_eq!(
        (a.header("location"), a.header("location")),
        (b.header("location"), c.header("location"))
    );
    assert_eq!(total(&api).await, 1);
    let whole = [one, two].concat();
    assert_eq!(content(&api, a.header("x-asset-id")).await, whole);
    let state = head(&api, a.header("location")).await.expect(200);
    assert_eq!(state.header("upload-concat"), format!("final;{first} {second}"));
    assert_eq!(head(&api, &first).await.expect(200).header("upload-offset"), "400000");
    answer(patch(&api, a.header("location"), whole.len(), b"x")).await.expect(403);
}

/// Longer than what one thread copies in one go, shorter, and empty.
#[tokio::test]
async fn parts_of_any_length_are_one_file_byte_for_byte() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    const MIB: usize = 1 << 20;
    let lengths = [17 * MIB + 3, 1, 0, 8 * MIB, 8 * MIB + 1, 4095, 8 * MIB - 1, 0, 700_001];
    for first in [0, 2] {
        let (mut whole, mut urls) = (Vec::new(), Vec::new());
        for (number, length) in lengths.iter().enumerate().skip(first) {
            // No part is another's beginning.
            let part: Vec<u8> =
                (0..*length).map(|n| ((n ^ (n >> 8)) + 31 * number) as u8).collect();
            let url = create(&api, part.len(), Some("partial")).await;
            answer(patch(&api, &url, 0, &part)).await.expect(204);
            whole.extend(part);
            urls.push(url);
        }
        let join = tus(&api, Method::POST, UPLOADS)
            .header("upload-concat", format!("final;{}", urls.join(" ")))
            .header("upload-metadata", metadata(&[("filename", "joined.bin")]));
        let asset = answer(join).await.expect(201).header("x-asset-id").to_owned();
        let row = api.get(&format!("/api/assets/{asset}")).await.body;
        assert_eq!(row["sha256"], hex::encode(Sha256::digest(&whole)));
        assert_eq!(row["size"], whole.len());
        assert!(content(&api, &asset).await == whole, "other bytes than the parts have");
    }
}

#[tokio::test]
async fn a_patch_cut_or_stalled_at_a_byte_keeps_what_came_and_blocks_nobody() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let file = bytes(900_000);
    for action in ["drop_before", "reset", "stall"] {
        let url = create(&api, file.len(), None).await;
        let fault = json!({"method": "PATCH", "path": "/api/assets/uploads/*",
            "action": {action: true, "after_bytes": 500_000}});
        let faults = format!("{}/_local/faults", api.url);
        let (mut offset, mut cut) = (0, None);
        for round in 1..20 {
            answer(http().delete(&faults)).await;
            answer(http().post(&faults).json(&fault)).await;
            cut = Some(tokio::spawn(patch(&api, &url, 0, &file).send()));
            // A HEAD ends whoever writes: on a busy machine it may come before the first byte did.
            tokio::time::sleep(std::time::Duration::from_millis(100 * round)).await;
            offset = head(&api, &url).await.header("upload-offset").parse().unwrap();
            if offset > 0 {
                break;
            }
        }
        answer(http().delete(&faults)).await;
        assert!(offset > 0 && offset <= 500_000, "{action}: {offset}");
        // A HEAD may have come before every byte did; the same connection never brings more.
        let last = answer(patch(&api, &url, offset, &file[offset..])).await;
        let last = last.expect(204);
        assert_eq!(content(&api, last.header("x-asset-id")).await, file);
        cut.unwrap().abort();
    }
    assert_eq!(total(&api).await, 3);
}

#[tokio::test]
async fn what_breaks_the_protocol_is_told_so() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let found = answer(api.http.request(Method::OPTIONS, format!("{}{UPLOADS}", api.url))).await;
    assert_eq!(found.expect(204).header("tus-checksum-algorithm"), "sha256,sha1,crc32c");
    let old = api.request(Method::POST, UPLOADS).header("upload-length", 3);
    assert_eq!(answer(old).await.expect(412).header("tus-version"), "1.0.0");
    let post =
        |name: &'static str, value: String| tus(&api, Method::POST, UPLOADS).header(name, value);
    answer(post("upload-length", (1u64 << 41).to_string())).await.expect(413);
    answer(post("upload-length", "-1".into())).await.expect(400);
    for key in ["type", "project_id"] {
        let request = post("upload-length", "3".into());
        let request = request.header("upload-metadata", metadata(&[(key, "nonsense")]));
        let refused = answer(request).await.expect(400);
        assert_eq!(refused.body["error"]["details"][0]["field"], key);
    }
    let url = create(&api, 3, None).await;
    let form = tus(&api, Method::PATCH, &url).header("upload-offset", 0).body("abc");
    answer(form).await.expect(415);
    answer(patch(&api, &url, 0, b"abcd")).await.expect(413);
    let stranger = api.stranger().await;
    head(&stranger, &url).await.expect(404);
    let nobody = Api::new(&api.url, "nobody-has-this-key");
    head(&nobody, &url).await.expect(401);
    let other = tus(&api, Method::POST, &url).header("x-http-method-override", "PATCH");
    let other = other.header("upload-offset", 0).body("abc");
    let other = other.header("content-type", "application/offset+octet-stream");
    answer(other).await.expect(204);
}

#[tokio::test]
async fn an_upload_that_ended_or_expired_is_gone() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let (ended, expired) = (create(&api, 3, None).await, create(&api, 3, None).await);
    answer(tus(&api, Method::DELETE, &ended)).await.expect(204);
    head(&api, &ended).await.expect(410);
    answer(patch(&api, &ended, 0, b"abc")).await.expect(410);
    head(&api, &expired).await.expect(200);
    platform.post("/_local/clock", json!({"advance_seconds": 86_401})).await.expect(200);
    head(&api, &expired).await.expect(410);
    head(&api, "/api/assets/uploads/upl_none").await.expect(404);
}

#[tokio::test]
async fn an_upload_begins_with_its_bytes_or_without_a_length_and_behind_other_prefixes() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let make = || {
        tus(&api, Method::POST, "/v1/assets/uploads")
            .header("upload-defer-length", 1)
            .header("idempotency-key", "one")
            .header("content-type", "application/offset+octet-stream")
            .body("abc")
    };
    let made = answer(make()).await.expect(201);
    let url = made.header("location").to_owned();
    assert!(url.starts_with("/v1/assets/uploads/upl_"), "{url}");
    assert_eq!(made.header("upload-offset"), "3");
    let again = answer(make()).await.expect(201);
    assert_eq!((again.header("location"), again.header("upload-offset")), (&*url, "3"));
    assert_eq!(head(&api, &url).await.header("upload-defer-length"), "1");
    let last = patch(&api, &url, 3, b"de").header("upload-length", 5);
    let last = answer(last).await.expect(204);
    assert_eq!(content(&api, last.header("x-asset-id")).await, b"abcde");
    let empty = tus(&api, Method::POST, UPLOADS).header("upload-length", 0);
    assert!(answer(empty).await.expect(201).header("x-asset-id").starts_with("ast_"));
}

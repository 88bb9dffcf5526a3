//! A chunk's checksum that comes after its bytes (tus's `checksum-trailer`), as it stands on the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{Platform, answer, media::Api};
use reqwest::Method;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn tus(api: &Api, method: Method, path: &str) -> reqwest::RequestBuilder {
    api.request(method, path).header("tus-resumable", "1.0.0")
}

async fn create(api: &Api, length: usize) -> String {
    let made = tus(api, Method::POST, "/api/assets/uploads").header("upload-length", length);
    answer(made).await.expect(201).header("location").to_owned()
}

async fn offset(api: &Api, path: &str) -> String {
    let state = answer(tus(api, Method::HEAD, path)).await.expect(200);
    state.header("upload-offset").to_owned()
}

/// Sends bytes in two pieces of a body whose length is not told, and after them these trailers: the answer's status and text.
async fn patch(api: &Api, path: &str, from: usize, bytes: &[u8], trailers: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(api.url.strip_prefix("http://").unwrap()).await.unwrap();
    let mut request = format!(
        "PATCH {path} HTTP/1.1\r\nHost: local\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: {from}\r\n\
         Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\nTrailer: X-Other, Upload-Checksum\r\n\
         Connection: close\r\n\r\n",
        api.key
    )
    .into_bytes();
    for piece in bytes.chunks(bytes.len().div_ceil(2)) {
        request.extend(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(format!("0\r\n{trailers}\r\n").as_bytes());
    tcp.write_all(&request).await.unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

fn trailer(name: &str, digest: &[u8]) -> String {
    format!("Upload-Checksum: {name} {}\r\n", STANDARD.encode(digest))
}

#[tokio::test]
async fn a_checksum_after_the_bytes_is_compared_and_nothing_is_kept_where_it_is_wrong() {
    let platform = Platform::strict().await;
    let api = Api::of(&platform);
    let found = answer(tus(&api, Method::OPTIONS, "/api/assets/uploads")).await.expect(204);
    assert!(found.header("tus-extension").split(',').any(|name| name == "checksum-trailer"));
    let file: Vec<u8> = (0..900_000_u32).map(|n| (n * 31 % 251) as u8).collect();
    let url = create(&api, file.len()).await;
    let (first, second, last) = (&file[..300_000], &file[300_000..600_000], &file[600_000..]);

    let wrong = trailer("sha256", &Sha256::digest(b"other"));
    let (status, text) = patch(&api, &url, 0, first, &wrong).await;
    assert_eq!(status, 460, "{text}");
    assert!(text.contains("checksum_mismatch"));
    assert_eq!(offset(&api, &url).await, "0");
    let right = trailer("sha256", &Sha256::digest(first));
    assert_eq!(patch(&api, &url, 0, first, &right).await.0, 204);

    // Announced, and not there; of an algorithm that nobody knows; of one that the bytes have to be read again for.
    for (trailers, expected) in [
        (String::new(), 400),
        ("Upload-Checksum: sha256\r\n".to_owned(), 400),
        (trailer("md5", b"0123456789abcdef"), 400),
        (trailer("sha1", &Sha1::digest(first)), 460),
    ] {
        assert_eq!(patch(&api, &url, 300_000, second, &trailers).await.0, expected, "{trailers}");
        assert_eq!(offset(&api, &url).await, "300000");
    }
    let right = trailer("sha1", &Sha1::digest(second));
    assert_eq!(patch(&api, &url, 300_000, second, &right).await.0, 204);
    let crc = crc32c::crc32c(last).to_be_bytes();
    let (status, text) = patch(&api, &url, 600_000, last, &trailer("crc32c", &crc)).await;
    assert_eq!(status, 204, "{text}");
    let assets = api.get("/api/assets").await.expect(200).body;
    assert_eq!(assets["data"][0]["sha256"], hex::encode(Sha256::digest(&file)));
}

#[tokio::test]
async fn a_body_that_breaks_off_before_its_checksum_leaves_nothing() {
    let platform = Platform::start().await;
    let api = Api::of(&platform);
    let url = create(&api, 200_000).await;
    let mut tcp = TcpStream::connect(api.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PATCH {url} HTTP/1.1\r\nHost: local\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nTransfer-Encoding: chunked\r\nTrailer: upload-checksum\r\n\r\n",
        api.key
    );
    tcp.write_all(head.as_bytes()).await.unwrap();
    tcp.write_all(b"186a0\r\n").await.unwrap();
    tcp.write_all(&[7; 100_000]).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut rest = Vec::new();
    tcp.read_to_end(&mut rest).await.unwrap();
    assert_eq!(offset(&api, &url).await, "0");
    let whole = [7; 200_000];
    let right = trailer("sha256", &Sha256::digest(whole));
    assert_eq!(patch(&api, &url, 0, &whole, &right).await.0, 204);
}

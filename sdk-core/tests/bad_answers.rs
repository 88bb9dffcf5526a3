//! What no platform should answer: each ends in one typed error that says what was wrong and keeps status and request id.
//! The server here speaks raw bytes, since none worth its name can be made to send these.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::time::{Duration, Instant};

use storycore::{CallOptions, Client, Error, ErrorKind};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// Answers every connection with these bytes; ends when dropped.
struct Server {
    url: String,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut request = [0; 8192];
                let _ = connection.read(&mut request).await;
                // A client that has read enough hangs up.
                let _ = connection.write_all(&answer).await;
                let _ = connection.shutdown().await;
            }
        });
        Self { url, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nx-request-id: req_7\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The error of one call that is answered with these bytes.
async fn error(answer: Vec<u8>) -> Error {
    let server = Server::start(answer).await;
    let client = Client::builder().base_url(&server.url).api_key("key").max_retries(0);
    let client = client.timeout(Duration::from_secs(20)).build().unwrap();
    client.projects().get("prj_1").await.unwrap_err()
}

#[tokio::test]
async fn a_proxys_page_is_an_error_of_its_status() {
    let page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let error = error(http("502 Bad Gateway", "content-type: text/html\r\n", page)).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)));
    assert_eq!(error.request_id(), Some("req_7"));
    assert!(error.body().unwrap().contains("nginx"));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_page_instead_of_the_object_is_a_decode_error() {
    let error = error(http("200 OK", "content-type: text/html\r\n", b"<html>log in</html>")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Decode, Some(200)));
    assert_eq!(error.request_id(), Some("req_7"));
}

#[tokio::test]
async fn nothing_where_an_object_was_expected_is_told() {
    let error = error(http("200 OK", "", b"")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Decode, Some(200)));
    assert!(error.message().contains("empty"), "{error}");
    assert_eq!(error.request_id(), Some("req_7"));
}

#[tokio::test]
async fn half_an_object_is_a_decode_error() {
    let error = error(http("200 OK", "", br#"{"id": "prj_1", "name": "Fi"#)).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Decode, Some(200)));
    assert_eq!(error.request_id(), Some("req_7"));
}

#[tokio::test]
async fn nesting_without_end_is_a_decode_error() {
    let deep = [b"{\"id\": \"prj_1\", \"settings\": ".to_vec(), b"[".repeat(100_000)].concat();
    assert_eq!(error(http("200 OK", "", &deep)).await.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn twenty_megabytes_of_error_are_not_kept() {
    let started = Instant::now();
    let error = error(http("500 Internal Server Error", "", &vec![b'x'; 20 << 20])).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(500)));
    assert_eq!(error.request_id(), Some("req_7"));
    let kept = error.body().unwrap().len();
    assert!((1..=64 * 1024).contains(&kept), "{kept} bytes of the body are kept");
    assert!(error.to_string().len() < 4096 && format!("{error:?}").len() < 8192);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_message_with_control_characters_shows_none() {
    let body = br#"{"error": {"code": "bad\u0000\u001b[31m", "message": "red\u001b[0m\r\nSet-Cookie: a"}}"#;
    let error = error(http("400 Bad Request", "", body)).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidRequest, Some(400)));
    let shown = format!("{error}");
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
}

#[tokio::test]
async fn a_header_with_control_characters_costs_neither_status_nor_request_id() {
    // The header alone is dropped; to refuse the whole answer would lose what it says.
    let error = error(http("503 Unavailable", "x-odd: a\x01b\r\n", b"")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(503)));
    assert_eq!(error.request_id(), Some("req_7"));
}

#[tokio::test]
async fn a_header_with_control_characters_is_not_sent() {
    for (name, value) in [("x-odd", "a\r\nx-admin: 1"), ("x-odd", "a\0"), ("x odd", "a"), ("", "a")]
    {
        let error = CallOptions::new().header(name, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name:?} {value:?}");
        let client = Client::builder().api_key("key").header(name, value).build();
        assert_eq!(client.unwrap_err().kind(), ErrorKind::Config, "{name:?} {value:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_decode_error() {
    for bytes in [&b"SSH-2.0-OpenSSH_9.6\r\n"[..], b"\0\0\0\0", b"HTTP/1.1 9999 No\r\n\r\n"] {
        let error = error(bytes.to_vec()).await;
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.message().contains("no HTTP"), "{error}");
    }
}

#[tokio::test]
async fn a_retry_after_that_cannot_be_read_is_none() {
    for value in ["soon", "-1", "99999999999999999999999", "1e400", "NaN", ""] {
        let answer = http("503 Unavailable", &format!("retry-after: {value}\r\n"), b"");
        let error = error(answer).await;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(503)), "{value}");
    }
    let far = "retry-after: Thu, 01 Jan 2099 00:00:00 GMT\r\n";
    let error = error(http("429 Too Many Requests", far, b"")).await;
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(error.retry_after().unwrap() > Duration::from_secs(365 * 86_400));
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn what_a_client_cannot_be_made_of_is_told_when_it_is_made() {
    for url in ["https://a.io/v1", "https://a.io?x=1", "https://u:p@a.io", "a.io", ""] {
        let error = Client::builder().base_url(url).api_key("key").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    }
    for key in ["a\nb", "a\0", "", "ключ"] {
        let error = Client::builder().api_key(key).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{key:?}");
        assert!(key.is_empty() || !format!("{error} {error:?}").contains(key), "{error:?}");
    }
}

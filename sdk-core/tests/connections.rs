//! Which connection a request goes over in HTTP/1.1: one that is there and sound.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use storycore::{Client, JwtCredential};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// A server of HTTP/1.1 that gives `each` answers over a connection and then closes it without having said so; counts the
/// connections.
fn serve(each: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Relaxed);
            std::thread::spawn(move || {
                for _ in 0..each {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        if stream.read(&mut byte).unwrap_or(0) == 0 {
                            return;
                        }
                        request.extend(byte);
                    }
                    stream.write_all(ANSWER).unwrap();
                }
            });
        }
    });
    (url, opened)
}

fn client(url: &str) -> Client {
    Client::builder().base_url(url).api_key("key").max_retries(0).build().unwrap()
}

#[tokio::test]
async fn one_call_after_another_goes_over_one_connection() {
    let (url, opened) = serve(usize::MAX);
    let client = client(&url);
    for _ in 0..20 {
        client.request("GET", "/").send().await.unwrap();
    }
    assert_eq!(opened.load(Relaxed), 1);
    join_all((0..5).map(|_| client.request("GET", "/").send())).await.into_iter().for_each(
        |sent| {
            sent.unwrap();
        },
    );
    assert!(opened.load(Relaxed) <= 5, "each has one of its own at most");
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (url, opened) = serve(1);
    let client = client(&url);
    // Nothing looks at its connections between two calls.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for call in 1..=3 {
        // A PATCH that may have been begun is not sent again.
        runtime.block_on(client.request("PATCH", "/").send()).unwrap();
        assert_eq!(opened.load(Relaxed), call);
        std::thread::sleep(Duration::from_millis(1_100));
    }
}

/// A server that closes its side after an answer was read, and tells when the client closed the other.
fn serve_half() -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    // It ends with the client's connection.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).unwrap() > 0);
        stream.write_all(ANSWER).unwrap();
        // The client has put it aside by then.
        std::thread::sleep(Duration::from_millis(300));
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        while stream.read(&mut buffer).unwrap_or(0) > 0 {}
        let _ = tell.send(());
    });
    (url, told)
}

#[tokio::test]
async fn a_connection_that_the_server_closed_does_not_stay_open_without_a_call() {
    let (url, closed) = serve_half();
    let client = client(&url);
    client.request("GET", "/").send().await.unwrap();
    let closed =
        tokio::task::spawn_blocking(move || closed.recv_timeout(Duration::from_secs(30))).await;
    closed.unwrap().expect("it is closed long before it is too old");
}

#[tokio::test]
async fn a_call_goes_at_once_where_a_connection_is_free() {
    let (url, _) = serve(usize::MAX);
    let client = client(&url);
    assert!(!client.goes_at_once(), "there is none yet");
    client.request("GET", "/").send().await.unwrap();
    assert!(client.goes_at_once());
    assert!(!client.with_own_connections().goes_at_once(), "that one has others");
    let mut call = std::pin::pin!(client.request("GET", "/").send());
    assert!(futures_util::poll!(&mut call).is_pending());
    assert!(!client.goes_at_once(), "it is in use");
    call.await.unwrap();
    assert!(client.goes_at_once());
}

#[tokio::test]
async fn a_call_goes_at_once_where_its_credential_holds() {
    let (url, _) = serve(usize::MAX);
    let mut jwt = JwtCredential::new("secret", "usr_1", ["read"]);
    jwt.lifetime = Duration::from_secs(60);
    let client = Client::builder().base_url(url).jwt(jwt).build().unwrap();
    client.request("GET", "/").send().await.unwrap();
    assert!(client.goes_at_once());
    // It is renewed at half its life.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(!client.goes_at_once());
}

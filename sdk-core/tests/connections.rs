//! Which connection a request goes over: one that is there and sound, in HTTP/1.1 and in HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    convert::Infallible,
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use storycore::Client;
use tokio::task::JoinSet;

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

#[tokio::test]
async fn calls_at_the_same_time_share_one_connection_of_http_2() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    // Both end with the test.
    let mut connections = JoinSet::new();
    let mut server = JoinSet::new();
    let (close, closed) = tokio::sync::watch::channel(());
    server.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            count.fetch_add(1, Relaxed);
            let mut closed = closed.clone();
            connections.spawn(async move {
                let answer =
                    service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                        assert_eq!(request.uri().path(), "/api/audit");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from("{}"))))
                    });
                let builder = http2::Builder::new(TokioExecutor::new());
                let serving = builder.serve_connection(TokioIo::new(stream), answer);
                let mut serving = std::pin::pin!(serving);
                tokio::select! {
                    _ = serving.as_mut() => return,
                    _ = closed.changed() => serving.as_mut().graceful_shutdown(),
                }
                let _ = serving.await;
            });
        }
    });
    let builder = Client::builder().base_url(&url).api_key("key").max_retries(0);
    let client = builder.add_root_certificates(key.cert.pem()).build().unwrap();
    let call = || client.request("GET", "/api/audit").send();
    let version = call().await.unwrap();
    assert_eq!((version.status, opened.load(Relaxed)), (200, 1));
    for sent in join_all((0..30).map(|_| call())).await {
        sent.unwrap();
    }
    assert_eq!(opened.load(Relaxed), 1, "all went over the one that was there");
    // A server that is restarted says so, and the next call opens another connection.
    close.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    call().await.unwrap();
    assert_eq!(opened.load(Relaxed), 2);
}

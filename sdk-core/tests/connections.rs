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
use tokio::{sync::watch, task::JoinSet};

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

/// How a server of HTTP/2 ends its connections.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It has said so.
    Told,
    Untold,
}

/// A server of HTTP/2 over TLS. It ends when dropped.
struct Http2 {
    url: String,
    certificate: String,
    /// Connections so far.
    opened: Arc<AtomicUsize>,
    end: watch::Sender<Option<End>>,
    _server: JoinSet<()>,
}

impl Http2 {
    async fn start() -> Self {
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
        let (end, ended) = watch::channel(None);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                count.fetch_add(1, Relaxed);
                let mut ended = ended.clone();
                ended.mark_unchanged();
                connections.spawn(async move {
                    let builder = http2::Builder::new(TokioExecutor::new());
                    let answer = service_fn(answer_http2);
                    let serving = builder.serve_connection(TokioIo::new(stream), answer);
                    let mut serving = std::pin::pin!(serving);
                    tokio::select! {
                        _ = serving.as_mut() => return,
                        _ = ended.changed() => {}
                    }
                    if *ended.borrow() == Some(End::Told) {
                        serving.as_mut().graceful_shutdown();
                        let _ = serving.await;
                    }
                });
            }
        });
        Self { url, certificate: key.cert.pem(), opened, end, _server: server }
    }

    fn client(&self) -> Client {
        let builder = Client::builder().base_url(&self.url).api_key("key").max_retries(0);
        builder.add_root_certificates(&*self.certificate).build().unwrap()
    }
}

async fn answer_http2(
    request: http::Request<hyper::body::Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/api/audit");
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(http::Response::new(Full::new(Bytes::from("{}"))))
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_connection_of_http_2() {
    let server = Http2::start().await;
    let client = server.client();
    let call = || client.request("GET", "/api/audit").send();
    let version = call().await.unwrap();
    assert_eq!((version.status, server.opened.load(Relaxed)), (200, 1));
    for sent in join_all((0..30).map(|_| call())).await {
        sent.unwrap();
    }
    assert_eq!(server.opened.load(Relaxed), 1, "all went over the one that was there");
    // A server that is restarted says so, and the next call opens another connection.
    server.end.send(Some(End::Told)).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    call().await.unwrap();
    assert_eq!(server.opened.load(Relaxed), 2);
}

#[test]
fn a_connection_of_http_2_that_was_closed_meanwhile_is_not_used() {
    let servers = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = servers.block_on(Http2::start());
    let client = server.client();
    // Nothing looks at its connections between two calls.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for call in 1..=3 {
        runtime.block_on(client.request("PATCH", "/api/audit").send()).unwrap();
        assert_eq!(server.opened.load(Relaxed), call);
        server.end.send(Some(End::Untold)).unwrap();
        std::thread::sleep(Duration::from_millis(1_100));
    }
}

//! What goes over a connection of HTTP/2, what does not, and when one is not used any more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use storycore::{CallOptions, Client, upload::UploadSource};
use tokio::{
    net::TcpStream,
    sync::{Barrier, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Files that are on their way at the same time.
const FILES: usize = 4;
/// More than a stream of HTTP/2 holds for somebody who does not read.
const LARGE: usize = 8 * 1024 * 1024;

/// How a server ends its connections of HTTP/2.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// It has said so.
    Told,
    Untold,
}

/// A server over TLS. It ends when dropped.
struct Server {
    url: String,
    certificate: String,
    seen: Arc<Seen>,
    end: watch::Sender<Option<End>>,
    _server: JoinSet<()>,
}

/// What it has seen, and what it is to do.
struct Seen {
    /// Connections so far.
    http1: AtomicUsize,
    http2: AtomicUsize,
    /// Those of HTTP/2 that ended as they should.
    ended: AtomicUsize,
    /// Whether the first connection gives no answers any more.
    is_first_dead: AtomicBool,
    files: Barrier,
}

impl Server {
    async fn start(protocols: &[&str]) -> Self {
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
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Seen {
            http1: AtomicUsize::new(0),
            http2: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            is_first_dead: AtomicBool::new(false),
            files: Barrier::new(FILES),
        });
        let (end, ended) = watch::channel(None);
        let shared = Arc::clone(&seen);
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                connections.spawn(Arc::clone(&shared).serve(stream, ended.clone()));
            }
        });
        Self { url, certificate: key.cert.pem(), seen, end, _server: server }
    }

    fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    fn builder(&self) -> storycore::ClientBuilder {
        let builder = Client::builder().base_url(&self.url).api_key("key").max_retries(0);
        builder.add_root_certificates(&*self.certificate)
    }

    /// Connections so far, of HTTP/1.1 and of HTTP/2.
    fn opened(&self) -> (usize, usize) {
        (self.seen.http1.load(Relaxed), self.seen.http2.load(Relaxed))
    }
}

impl Seen {
    async fn serve(
        self: Arc<Self>,
        stream: TlsStream<TcpStream>,
        mut ended: watch::Receiver<Option<End>>,
    ) {
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let opened = if is_http2 { &self.http2 } else { &self.http1 };
        let number = opened.fetch_add(1, Relaxed);
        let (is_first, seen) = (is_http2 && number == 0, Arc::clone(&self));
        let answer = service_fn(move |request| Arc::clone(&self).answer(is_first, request));
        let stream = TokioIo::new(stream);
        if !is_http2 {
            let _ = http1::Builder::new().serve_connection(stream, answer).await;
            return;
        }
        ended.mark_unchanged();
        let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, answer);
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            _ = serving.as_mut() => return,
            _ = ended.changed() => {}
        }
        if *ended.borrow() == Some(End::Told) {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
            seen.ended.fetch_add(1, Relaxed);
        }
    }

    async fn answer(
        self: Arc<Self>,
        is_first: bool,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Infallible> {
        if is_first && self.is_first_dead.load(Relaxed) {
            return std::future::pending().await;
        }
        let answer = match request.uri().path() {
            "/api/audit" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Bytes::from("{}")
            }
            "/api/assets/large/content" => Bytes::from(vec![0; LARGE]),
            "/backup" => {
                // Each waits until all are there, so that none can come after another.
                let _ = request.into_body().collect().await;
                self.files.wait().await;
                Bytes::from("{}")
            }
            other => panic!("nobody asks for {other}"),
        };
        Ok(http::Response::new(Full::new(answer)))
    }
}

#[tokio::test]
async fn calls_at_the_same_time_share_one_connection() {
    let server = Server::start(&["h2"]).await;
    let client = server.client();
    let call = || client.request("GET", "/api/audit").send();
    let first = call().await.unwrap();
    assert_eq!((first.status, server.opened()), (200, (0, 1)));
    for sent in join_all((0..30).map(|_| call())).await {
        sent.unwrap();
    }
    assert_eq!(server.opened(), (0, 1), "all went over the one that was there");
    // A server that is restarted says so, and the next call opens another connection.
    server.end.send(Some(End::Told)).unwrap();
    let ended = async {
        while server.seen.ended.load(Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    call().await.unwrap();
    assert_eq!(server.opened(), (0, 2));
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let servers = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = servers.block_on(Server::start(&["h2"]));
    let client = server.client();
    // Nothing looks at its connections between two calls.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for call in 1..=3 {
        runtime.block_on(client.request("PATCH", "/api/audit").send()).unwrap();
        assert_eq!(server.opened(), (0, call));
        server.end.send(Some(End::Untold)).unwrap();
        std::thread::sleep(Duration::from_millis(1_100));
    }
}

#[tokio::test]
async fn a_connection_that_fell_silent_carries_no_further_call() {
    let server = Server::start(&["h2"]).await;
    let client = server.client();
    client.request("GET", "/api/audit").send().await.unwrap();
    server.seen.is_first_dead.store(true, Relaxed);
    let hasty = |ms| client.with(CallOptions::new().timeout(Duration::from_millis(ms)));
    // Each gives up soon, and nobody hears anything for more than a second.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_400) {
        let _ = hasty(220).request("GET", "/api/audit").send().await;
    }
    client.request("GET", "/api/audit").send().await.unwrap();
    assert!(server.opened().1 >= 2, "it went over another one");
}

#[tokio::test]
async fn calls_that_are_given_up_now_and_then_cost_no_connection() {
    let server = Server::start(&["h2"]).await;
    let client = server.client();
    client.request("GET", "/api/audit").send().await.unwrap();
    for _ in 0..2 {
        let call = client.request("GET", "/api/audit").send();
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    client.request("GET", "/api/audit").send().await.unwrap();
    assert_eq!(server.opened(), (0, 1));
}

#[tokio::test]
async fn files_go_over_connections_of_their_own() {
    let server = Server::start(&["h2", "http/1.1"]).await;
    let client = server.client();
    client.request("GET", "/api/audit").send().await.unwrap();
    let file = || UploadSource::bytes("film.mp4", vec![0; 1024]);
    let send = || client.request("PUT", "/backup").source("video/mp4", file()).send();
    for sent in join_all((0..FILES).map(|_| send())).await {
        sent.unwrap();
    }
    assert_eq!(server.opened(), (FILES, 1), "parallel parts are parallel on the network, too");
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_up_no_call() {
    let server = Server::start(&["h2", "http/1.1"]).await;
    let client = server.builder().attempt_timeout(Duration::from_secs(10)).build().unwrap();
    client.request("GET", "/api/audit").send().await.unwrap();
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(client.media().content_stream("large").await.unwrap());
    }
    client.request("GET", "/api/audit").send().await.unwrap();
    assert_eq!(server.opened().1, 1);
    drop(unread);
}

#[tokio::test]
async fn a_server_of_http_2_alone_gets_files_over_it() {
    let server = Server::start(&["h2"]).await;
    let client = server.client();
    let file = || UploadSource::bytes("film.mp4", vec![0; 1024]);
    let send = || client.request("PUT", "/backup").source("video/mp4", file()).send();
    for _ in 0..2 {
        for sent in join_all((0..FILES).map(|_| send())).await {
            sent.unwrap();
        }
    }
    client.request("GET", "/api/audit").send().await.unwrap();
    let (http1, http2) = server.opened();
    assert!(http1 == 0 && http2 <= FILES, "the second four use what is there: {http2}");
}

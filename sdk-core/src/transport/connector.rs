//! Opens one connection: to the host, or to its proxy and through it; encrypted where the URL says so; within the connect
//! timeout, name lookup and handshakes included.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Scheme};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::HttpsConnector;
use hyper_util::client::{
    legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
    proxy::matcher::Intercept,
};
use rustls::ClientConfig;
use tower_service::Service;

use super::{
    proxy::Proxies,
    sockets::{Opening, SocketWatch, Tcp},
};

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// Time between two signs of life on an idle connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Opens connections; a clone is cheap, and one is made for each connection.
#[derive(Debug, Clone)]
pub(crate) struct Connector(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    tcp: Tcp,
    tls: Arc<ClientConfig>,
    /// To proxies, which are asked for tunnels in HTTP/1.1.
    tls_to_proxy: Arc<ClientConfig>,
    proxies: Arc<Proxies>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        tls: ClientConfig,
        proxies: Arc<Proxies>,
        timeout: Duration,
        watch: Option<Arc<dyn SocketWatch>>,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        // Divided among a name's addresses.
        tcp.set_connect_timeout(Some(timeout));
        let mut tls_to_proxy = tls.clone();
        tls_to_proxy.alpn_protocols.clear();
        Self(Arc::new(Parts {
            tcp: Tcp { connector: tcp, watch },
            tls: Arc::new(tls),
            tls_to_proxy: Arc::new(tls_to_proxy),
            proxies,
            timeout,
        }))
    }
}

impl Parts {
    async fn connect(&self, to: Uri) -> Result<Stream, BoxError> {
        match self.proxies.of(&to) {
            None => {
                let mut direct = HttpsConnector::from((self.tcp.clone(), Arc::clone(&self.tls)));
                Ok(Stream { io: Box::new(direct.call(to).await?), is_forwarded: false })
            }
            Some(proxy) => self.connect_through(&proxy, to).await,
        }
    }

    async fn connect_through(&self, proxy: &Intercept, to: Uri) -> Result<Stream, BoxError> {
        let tls = Arc::clone(&self.tls_to_proxy);
        let mut to_proxy = HttpsConnector::from((self.tcp.clone(), tls));
        if to.scheme() != Some(&Scheme::HTTPS) {
            let io = Box::new(to_proxy.call(proxy.uri().clone()).await?);
            return Ok(Stream { io, is_forwarded: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(credential) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        let mut through = HttpsConnector::from((tunnel, Arc::clone(&self.tls)));
        Ok(Stream { io: Box::new(through.call(to).await?), is_forwarded: false })
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let parts = Arc::clone(&self.0);
        Box::pin(async move {
            let _opening = parts.tcp.watch.as_deref().map(Opening::new);
            match tokio::time::timeout(parts.timeout, parts.connect(to)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ConnectTimedOut(parts.timeout).into()),
            }
        })
    }
}

/// No connection within the time that it may take.
#[derive(Debug, thiserror::Error)]
#[error("not connected within {0:?}")]
pub(crate) struct ConnectTimedOut(Duration);

/// A connection.
pub(crate) struct Stream {
    io: Box<dyn Io>,
    /// Whether a proxy at its other end passes each request on.
    is_forwarded: bool,
}

trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match bufs {
            // The system takes one piece with less ado than a list of one.
            [one] => Pin::new(&mut self.io).poll_write(cx, one),
            bufs => Pin::new(&mut self.io).poll_write_vectored(cx, bufs),
        }
    }
}

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
use rustls::{AlertDescription, ClientConfig};
use tower_service::Service as _;

use super::{
    pool::Lane,
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
    /// Where HTTP/1.1 alone will do: for a file's bytes, and to proxies, which are asked for tunnels.
    tls_http1: Arc<ClientConfig>,
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
        let mut tls_http1 = tls.clone();
        tls_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(Parts {
            tcp: Tcp { connector: tcp, watch },
            tls: Arc::new(tls),
            tls_http1: Arc::new(tls_http1),
            proxies,
            timeout,
        }))
    }

    /// Opens a connection.
    pub(super) async fn open(&self, to: Uri, lane: Lane) -> Result<Stream, BoxError> {
        let parts = &*self.0;
        let _opening = parts.tcp.watch.as_deref().map(Opening::new);
        match tokio::time::timeout(parts.timeout, parts.connect_for(to, lane)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ConnectTimedOut(parts.timeout).into()),
        }
    }
}

impl Parts {
    /// In HTTP/1.1 for what is large; where the other end does not take that, as for everything else.
    async fn connect_for(&self, to: Uri, lane: Lane) -> Result<Stream, BoxError> {
        if lane == Lane::Bulk {
            match self.connect(to.clone(), &self.tls_http1).await {
                Err(error) if is_of_protocol(&*error) => {}
                outcome => return outcome,
            }
        }
        self.connect(to, &self.tls).await
    }

    async fn connect(&self, to: Uri, tls: &Arc<ClientConfig>) -> Result<Stream, BoxError> {
        match self.proxies.of(&to) {
            None => {
                let mut direct = HttpsConnector::from((self.tcp.clone(), Arc::clone(tls)));
                Ok(Stream { io: Box::new(direct.call(to).await?), is_forwarded: false })
            }
            Some(proxy) => self.connect_through(&proxy, to, tls).await,
        }
    }

    async fn connect_through(
        &self,
        proxy: &Intercept,
        to: Uri,
        tls: &Arc<ClientConfig>,
    ) -> Result<Stream, BoxError> {
        let mut to_proxy = HttpsConnector::from((self.tcp.clone(), Arc::clone(&self.tls_http1)));
        if to.scheme() != Some(&Scheme::HTTPS) {
            let io = Box::new(to_proxy.call(proxy.uri().clone()).await?);
            return Ok(Stream { io, is_forwarded: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(credential) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        let mut through = HttpsConnector::from((tunnel, Arc::clone(tls)));
        Ok(Stream { io: Box::new(through.call(to).await?), is_forwarded: false })
    }
}

/// Whether the other end takes none of the protocols that it was offered.
fn is_of_protocol(error: &(dyn StdError + 'static)) -> bool {
    const REFUSED: rustls::Error =
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref() == Some(&REFUSED) {
            return true;
        }
        // What an I/O error holds is not its source, but that one's own.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    false
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

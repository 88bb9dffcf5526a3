//! Accepted connections, each with a switch by which a planted fault cuts it off, and with a slow close for those whose
//! last request was answered before it was all sent.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep_until},
};

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// How long a client that was answered early may go on sending. To close at once would reset the connection, and the
/// answer with it (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(20);

/// The switch of one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    state: AtomicU8,
    unread: AtomicBool,
}

impl Connection {
    /// Ends the connection before another byte is sent.
    pub(crate) fn close(&self) {
        self.0.state.store(CLOSED, Ordering::Relaxed);
    }

    /// Ends it with a TCP RST.
    pub(crate) fn reset(&self) {
        self.0.state.store(RESET, Ordering::Relaxed);
    }

    /// Says that a request on it was not read to its end.
    pub(crate) fn unread(&self) {
        self.0.unread.store(true, Ordering::Relaxed);
    }

    /// Whether this is the connection's last request, since what is left of it cannot be told from a next one.
    pub(crate) fn ends(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }
}

impl Connected<IncomingStream<'_, Listener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().switch.clone()
    }
}

/// A listener whose connections can be cut off.
#[derive(Debug)]
pub(crate) struct Listener(pub(crate) TcpListener);

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        // axum's own listener waits and goes on when the process has no file left for a connection.
        let (tcp, address) = axum::serve::Listener::accept(&mut self.0).await;
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        (Stream { tcp, switch: Connection::default(), lingering: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A TCP connection with its switch.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    switch: Connection,
    /// Until when it is read from after it was closed for writing.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    fn check(&self) -> io::Result<()> {
        match self.switch.0.state.load(Ordering::Relaxed) {
            OPEN => Ok(()),
            RESET => {
                self.tcp.set_zero_linger()?;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Reads and drops what the client still sends, until it has seen the end or was given long enough.
    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut block = [0; 16 * 1024];
        loop {
            if let Some(until) = &mut self.lingering
                && until.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(&mut block);
            match Pin::new(&mut self.tcp).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(cx))?;
            if !self.switch.ends() {
                return Poll::Ready(Ok(()));
            }
            self.lingering = Some(Box::pin(sleep_until(Instant::now() + LINGER)));
        }
        self.discard(cx)
    }
}

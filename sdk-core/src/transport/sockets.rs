//! The sockets: how they are opened and written into. Whoever has an event loop of its own is told of each, so that its loop can
//! wait for an answer where this client's runtime is not driven meanwhile. It looks only; the sockets stay the client's.

#[cfg(unix)]
use std::os::fd::{AsFd as _, BorrowedFd};
use std::{
    error::Error as StdError,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
use futures_util::ready;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockRef;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tokio::io::Interest;
use tokio::net::TcpStream;
use tower_service::Service;

/// What is told of a client's connections. Not for programs: it says what a runtime waits for, and no more.
#[doc(hidden)]
pub trait SocketWatch: fmt::Debug + Send + Sync + 'static {
    /// A connection begins to be made: until `opened`, more is waited for than that a socket can be read.
    fn opening(&self);

    /// This socket is connected. That it is closed again is not told.
    #[cfg(unix)]
    fn connected(&self, socket: BorrowedFd<'_>);

    /// What `opening` told of is at its end, well or badly.
    fn opened(&self);
}

/// A connection that is being made.
pub(super) struct Opening<'a>(&'a dyn SocketWatch);

impl<'a> Opening<'a> {
    pub(super) fn new(watch: &'a dyn SocketWatch) -> Self {
        watch.opening();
        Self(watch)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.opened();
    }
}

/// Opens sockets, and tells of them.
#[derive(Debug, Clone)]
pub(super) struct Tcp {
    pub(super) connector: HttpConnector,
    pub(super) watch: Option<Arc<dyn SocketWatch>>,
}

impl Service<Uri> for Tcp {
    type Response = Socket;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.connector.call(to);
        let watch = self.watch.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            #[cfg(unix)]
            if let Some(watch) = watch {
                watch.connected(stream.inner().as_fd());
            }
            #[cfg(not(unix))]
            drop(watch);
            Ok(Socket(stream))
        })
    }
}

/// A connected socket. To write into one that the other end has closed is an error like any other, in every program: the signal
/// SIGPIPE, which else comes first and ends a program that does not ignore it (Swift's), is not raised. The standard library sees
/// to that for one piece, and on Apple's systems by an option of the socket; for several pieces at once it is done here.
#[derive(Debug)]
pub(super) struct Socket(TokioIo<TcpStream>);

impl Connection for Socket {
    fn connected(&self) -> Connected {
        self.0.connected()
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.0.inner();
        let send = || SockRef::from(stream).send_vectored_with_flags(bufs, libc::MSG_NOSIGNAL);
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_io(Interest::WRITABLE, send) {
                // It was not ready after all, which is known now: it is waited for.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{IoSlice, Read as _};

    use super::*;

    /// What waits for this thread among the signals that it blocks: the mask as the system shows it.
    fn pending() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap()
    }

    /// Blocks SIGPIPE for this thread: one that is raised then waits, and can be seen.
    #[allow(unsafe_code, reason = "functions of the C library's, which have no safe form")]
    fn block_sigpipe() -> u64 {
        // SAFETY: a set of signals is plain numbers, and is made by the function that is there for it.
        let blocked = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut())
        };
        assert_eq!(blocked, 0);
        1 << (libc::SIGPIPE - 1)
    }

    #[tokio::test]
    async fn to_write_into_a_connection_that_was_closed_raises_no_signal() {
        let sigpipe = block_sigpipe();
        for pieces in [1, 2] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            // Closed at the other end, with all that came read: a FIN, and a reset for what comes later.
            let (mut other, _) = listener.accept().unwrap();
            let mut socket = Socket(TokioIo::new(stream));
            let mut write = async || {
                let bufs = [IoSlice::new(b"a"), IoSlice::new(b"b")];
                std::future::poll_fn(|cx| {
                    let socket = Pin::new(&mut socket);
                    if pieces == 1 {
                        socket.poll_write(cx, b"ab")
                    } else {
                        socket.poll_write_vectored(cx, &bufs)
                    }
                })
                .await
            };
            assert_eq!(write().await.unwrap(), 2);
            other.read_exact(&mut [0; 2]).unwrap();
            drop(other);
            let error = loop {
                match write().await {
                    Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "of {pieces} pieces");
            assert_eq!(pending() & sigpipe, 0, "of {pieces} pieces");
        }
    }
}

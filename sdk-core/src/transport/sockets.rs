//! For a library whose host has an event loop of its own: it is told of each socket, so that the host's loop can wait for an
//! answer where this client's runtime is not driven meanwhile. It looks only; the sockets stay the client's.

#[cfg(unix)]
use std::os::fd::{AsFd as _, BorrowedFd};
use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
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
    type Response = TokioIo<TcpStream>;
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
            Ok(stream)
        })
    }
}

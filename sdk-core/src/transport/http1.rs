//! One HTTP/1 connection. Whoever waits for its answer drives it: no task of its own is woken for each call, and none has to
//! wake the caller. Which connection a request gets is `pool.rs`'s.

use std::{
    pin::{Pin, pin},
    task::{Context, Waker},
};

use http::{HeaderValue, Request, Response, Uri, header, uri::Parts};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::client::legacy::connect::Connection as _;

use super::{body::SendBody, connector::Stream, destination::Destination};
use crate::process;

/// A connection that carries one request at a time.
pub(super) struct Http1 {
    pub(super) to: Destination,
    sender: http1::SendRequest<SendBody>,
    /// Nothing once it has ended.
    connection: Option<http1::Connection<Stream, SendBody>>,
    host: HeaderValue,
    /// Whether a proxy at its other end passes requests on, and has to be told where to.
    is_forwarded: bool,
    /// Whose it is.
    process: u32,
}

impl Http1 {
    pub(super) async fn open(stream: Stream, to: &Destination) -> Result<Self, hyper::Error> {
        let is_forwarded = stream.connected().is_proxied();
        let (sender, connection) = http1::Builder::new()
            // A header that a proxy mangled must cost neither the status nor the rest.
            .ignore_invalid_headers_in_responses(true)
            .handshake(stream)
            .await?;
        let connection = Some(connection);
        let process = process::id();
        Ok(Self { to: to.clone(), sender, connection, host: to.host(), is_forwarded, process })
    }

    /// Sends a request and waits for the answer's head. A request that was not begun comes back with the error.
    pub(super) async fn exchange(
        &mut self,
        request: &mut Request<SendBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<SendBody>>> {
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        if !self.is_forwarded {
            let mut path = Parts::default();
            path.path_and_query = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from_parts(path).unwrap_or_default();
        }
        let mut answer = pin!(self.sender.try_send_request(std::mem::take(request)));
        std::future::poll_fn(|cx| {
            drive(&mut self.connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Lets it go on: with a request's body, or with an answer's. What fails is told to who waits for either.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.connection, cx);
    }

    /// Whether it can carry another request, as far as that is known without waiting. It wakes nobody from here on: else the
    /// next request would wake the task that sends it, which is awake, and have it look in vain for what has come.
    pub(super) fn is_free(&mut self) -> bool {
        self.rests(&mut Context::from_waker(Waker::noop()))
    }

    /// The same; its end wakes whoever asks.
    pub(super) fn rests(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Whether it is a parent's: this process was forked off while it was open.
    pub(super) fn is_parents(&self) -> bool {
        self.process != process::id()
    }
}

impl Drop for Http1 {
    /// A parent's is not closed: that would tell the system, and the runtime, which the parent goes on with, to forget it.
    fn drop(&mut self) {
        if self.connection.is_some() && self.is_parents() {
            std::mem::forget(self.connection.take());
        }
    }
}

fn drive(connection: &mut Option<http1::Connection<Stream, SendBody>>, cx: &mut Context<'_>) {
    if let Some(open) = connection
        && Pin::new(open).poll(cx).is_ready()
    {
        // A request that it had not begun goes back with it.
        *connection = None;
    }
}

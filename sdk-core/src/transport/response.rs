//! An answer whose headers are there and whose body is still to come, whichever HTTP library it came through.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, response::Parts};
use http_body::{Body as _, Frame};

use super::{failure, pool::Lease};
use crate::error::Error;

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    head: Parts,
    body: Incoming,
}

#[derive(Debug)]
enum Incoming {
    Own(Own),
    #[cfg(feature = "reqwest")]
    Given(reqwest::Body),
}

/// A body, and the connection that it comes over where the reader is the one who drives it. The body goes first: then the
/// connection knows that no more is read.
struct Own {
    body: hyper::body::Incoming,
    /// Never locked: an answer may be looked at from several threads, and a connection may not.
    lease: Option<Mutex<Lease>>,
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.body.fmt(f)
    }
}

impl Own {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &mut self.lease {
            Some(lease) if polled.is_pending() => {
                lease.get_mut().unwrap_or_else(PoisonError::into_inner).drive(cx);
                Pin::new(&mut self.body).poll_frame(cx)
            }
            _ => polled,
        }
    }
}

impl From<(http::Response<hyper::body::Incoming>, Option<Lease>)> for Response {
    fn from((response, lease): (http::Response<hyper::body::Incoming>, Option<Lease>)) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body: Incoming::Own(Own { body, lease: lease.map(Mutex::new) }) }
    }
}

#[cfg(feature = "reqwest")]
impl From<reqwest::Response> for Response {
    fn from(response: reqwest::Response) -> Self {
        let (head, body) = http::Response::from(response).into_parts();
        Self { head, body: Incoming::Given(body) }
    }
}

impl Response {
    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    pub(crate) fn take_headers(&mut self) -> HeaderMap {
        std::mem::take(&mut self.head.headers)
    }

    /// Whether nothing more comes, as far as that is known without waiting.
    pub(crate) fn has_ended(&self) -> bool {
        match &self.body {
            Incoming::Own(own) => own.body.is_end_stream(),
            #[cfg(feature = "reqwest")]
            Incoming::Given(body) => body.is_end_stream(),
        }
    }

    /// How many bytes are still to come, where the answer says so.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match &self.body {
            Incoming::Own(own) => own.body.size_hint().exact(),
            #[cfg(feature = "reqwest")]
            Incoming::Given(body) => body.size_hint().exact(),
        }
    }

    /// The next piece of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match std::future::poll_fn(|cx| self.poll_frame(cx)).await {
                None => return Ok(None),
                // Trailers are not read.
                Some(frame) => match frame?.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => continue,
                },
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.body {
            Incoming::Own(own) => own.poll_frame(cx).map_err(failure::of_exchange),
            #[cfg(feature = "reqwest")]
            Incoming::Given(body) => {
                Pin::new(body).poll_frame(cx).map_err(failure::of_given_client)
            }
        }
    }
}

//! A request's body as it goes onto the wire: nothing, bytes, or a stream. It belongs to no HTTP library.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};

type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// What is sent after the headers.
pub(crate) enum SendBody {
    Empty,
    Whole(Bytes),
    Stream(Pieces),
}

impl SendBody {
    pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::Stream(Box::pin(pieces))
    }
}

impl http_body::Body for SendBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream(pieces) => pieces.as_mut().poll_next(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            // The length, where it is known, goes along as a header.
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

#[cfg(feature = "reqwest")]
impl From<SendBody> for reqwest::Body {
    fn from(body: SendBody) -> Self {
        match body {
            SendBody::Empty => Self::from(Bytes::new()),
            SendBody::Whole(bytes) => Self::from(bytes),
            SendBody::Stream(pieces) => Self::wrap_stream(pieces),
        }
    }
}

//! A request's body as it goes onto the wire: nothing, bytes, or a stream, which may have trailers. It belongs to no HTTP
//! library.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body::{Frame, SizeHint};

type Frames = Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>;

/// What is sent after the headers.
#[derive(Default)]
pub(crate) enum SendBody {
    #[default]
    Empty,
    Whole(Bytes),
    Stream(Frames),
}

impl SendBody {
    pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::frames(pieces.map(|piece| piece.map(Frame::data)))
    }

    /// Bytes, and perhaps trailers after them, which the request has to announce.
    pub(crate) fn frames(
        frames: impl Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static,
    ) -> Self {
        Self::Stream(Box::pin(frames))
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
            Self::Stream(frames) => frames.as_mut().poll_next(cx),
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
            // Trailers are left out: no caller sends any through a client that was given.
            SendBody::Stream(frames) => Self::wrap_stream(frames.filter_map(|frame| {
                std::future::ready(frame.map(|frame| frame.into_data().ok()).transpose())
            })),
        }
    }
}

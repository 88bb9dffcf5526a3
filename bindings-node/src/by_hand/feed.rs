//! Streams on their way in: JavaScript is asked for a piece when there is room for it, so that a fast stream waits for a slow
//! network and memory stays flat. And what else can be uploaded: a path, bytes.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, stream};
use napi::bindgen_prelude::{Either3, Uint8Array};
use napi_derive::napi;
use storycore::upload::UploadSource;
use tokio::sync::mpsc;

use crate::{bridge::Environment, failure::Failure};

type Piece = io::Result<Bytes>;

/// A stream that JavaScript feeds.
#[napi]
pub struct NativeFeed {
    sender: Mutex<Option<mpsc::UnboundedSender<Piece>>>,
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Piece>>>,
}

#[napi]
impl NativeFeed {
    #[napi(constructor)]
    #[allow(clippy::new_without_default, reason = "it is JavaScript's constructor")]
    pub fn new() -> Self {
        // Not bounded: nothing is pushed that was not asked for.
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender: Mutex::new(Some(sender)), receiver: Mutex::new(Some(receiver)) }
    }

    /// Gives the next piece. It is copied, because its owner may write into it again.
    #[napi]
    pub fn push(&self, piece: &[u8]) {
        self.send(Ok(Bytes::copy_from_slice(piece)));
    }

    /// Says that reading failed.
    #[napi]
    pub fn fail(&self, message: String) {
        self.send(Err(io::Error::other(message)));
        self.end();
    }

    /// Says that there are no more.
    #[napi]
    pub fn end(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn send(&self, piece: Piece) {
        if let Some(sender) = &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody reads it any more: its upload has ended.
            let _ = sender.send(piece);
        }
    }

    /// The pieces. Each is asked for while the one before is sent.
    pub(crate) fn pieces(
        &self,
        environment: &Arc<Environment>,
        id: u32,
    ) -> Result<impl Stream<Item = Piece> + Send + 'static + use<>, Failure> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let receiver = receiver.ok_or_else(|| Failure::config("a stream can be sent once only"))?;
        let environment = Arc::clone(environment);
        let ask = move || environment.tell(id, "\"more\"");
        Ok(stream::unfold((receiver, ask, false), |(mut receiver, ask, asked)| async move {
            if !asked {
                ask();
            }
            let piece = receiver.recv().await?;
            ask();
            Some((piece, (receiver, ask, true)))
        }))
    }
}

/// Where the bytes come from, before they have a name.
pub(super) enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(Pin<Box<dyn Stream<Item = Piece> + Send>>),
}

impl Source {
    /// What JavaScript gives. A stream asks for its pieces by telling the number `id`.
    pub(super) fn read(
        given: Either3<String, &NativeFeed, Uint8Array>,
        environment: &Arc<Environment>,
        id: u32,
    ) -> Result<Self, Failure> {
        Ok(match given {
            Either3::A(path) => Self::Path(path.into()),
            Either3::B(feed) => Self::Stream(Box::pin(feed.pieces(environment, id)?)),
            Either3::C(bytes) => Self::Bytes(Bytes::copy_from_slice(&bytes)),
        })
    }

    /// With the name that it needs where it has none.
    pub(super) fn named(self, name: Option<String>) -> Result<UploadSource, Failure> {
        let needed = |name: Option<String>| {
            let message = "bytes and streams need a `fileName`";
            name.ok_or_else(|| Failure::invalid("fileName", message))
        };
        Ok(match self {
            Self::Path(_) if name.is_some() => {
                let message = "a path has a file name: give `name` for another one";
                return Err(Failure::invalid("fileName", message));
            }
            Self::Path(path) => UploadSource::Path(path),
            Self::Bytes(bytes) => UploadSource::bytes(needed(name)?, bytes),
            Self::Stream(pieces) => UploadSource::stream(needed(name)?, pieces),
        })
    }
}

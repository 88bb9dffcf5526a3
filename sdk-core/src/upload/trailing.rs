//! A chunk's checksum after its bytes (tus's extension `checksum-trailer`): it is taken while they are on their way, so that the
//! file is read once, and neither waits for the other. Before it is sent, the journal has it.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use tokio::sync::mpsc;

use super::{
    journal::SentChunk,
    ledger::Ledger,
    multipart::SourceFailed,
    source::Near,
    thread::{self, Running},
    tus::{CHECKSUM, checksum},
    whole::{Along, Hashing},
};
use crate::{error::Error, transport::SendBody};

/// What is hashed along with a chunk, and where its hash is written down.
#[derive(Debug, Clone)]
pub(crate) struct Trailing {
    pub(crate) along: Option<Along>,
    /// The part, where the chunk begins in it, and how long it is.
    pub(crate) ledger: Option<(Ledger, usize, u64, u64)>,
    /// How the bytes are read.
    pub(crate) near: Near,
}

/// What is left to send.
struct Rest<P> {
    pieces: P,
    hashed: mpsc::Sender<Bytes>,
    hash: Running<[u8; 32]>,
    trailing: Trailing,
}

impl Trailing {
    /// The pieces, and after them the trailer.
    pub(crate) fn body(
        &self,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<SendBody, Error> {
        let (hashed, receiver) = mpsc::channel(self.near.ahead());
        let along = self.along.clone();
        let mut hash = thread::run(move || hash(receiver, along.as_ref()));
        if let Some(error) = hash.failed() {
            return Err(Error::upload(format!("no thread could be started: {error}")));
        }
        let rest = Rest { pieces: Box::pin(pieces), hashed, hash, trailing: self.clone() };
        Ok(SendBody::frames(futures_util::stream::unfold(Some(rest), |rest| async {
            let mut rest = rest?;
            match rest.pieces.next().await {
                Some(Ok(piece)) => {
                    // The thread ends only when it has all, or broke, which the end tells.
                    let _ = rest.hashed.send(piece.clone()).await;
                    Some((Ok(Frame::data(piece)), Some(rest)))
                }
                Some(Err(error)) => Some((Err(error), None)),
                None => {
                    let end = rest.end().await;
                    let end = end.map_err(|e| io::Error::other(SourceFailed(e.to_string())));
                    Some((end.map(Frame::trailers), None))
                }
            }
        })))
    }

    /// Writes the hash down.
    async fn note(&self, sha256: [u8; 32]) -> io::Result<()> {
        let Some((ledger, part, first, length)) = &self.ledger else { return Ok(()) };
        let chunk = SentChunk { first: *first, length: *length, sha256 };
        ledger.chunk(*part, chunk).await.map_err(io::Error::other)
    }
}

impl<P> Rest<P> {
    /// The trailer, which is known now.
    async fn end(self) -> io::Result<HeaderMap> {
        drop(self.hashed);
        let sha256 = self.hash.await?;
        self.trailing.note(sha256).await?;
        let value = HeaderValue::try_from(checksum(&sha256)).map_err(io::Error::other)?;
        Ok(HeaderMap::from_iter([(http::HeaderName::from_static(CHECKSUM), value)]))
    }
}

fn hash(mut pieces: mpsc::Receiver<Bytes>, along: Option<&Along>) -> [u8; 32] {
    let mut hash = Hashing::new(along);
    while let Some(piece) = pieces.blocking_recv() {
        hash.update(&piece);
    }
    hash.finish()
}

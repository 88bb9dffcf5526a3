//! A chunk's checksum after its bytes (tus's extension `checksum-trailer`): it is taken while they are on their way, so that the
//! file is read once, and neither waits for the other. Before it is sent, the journal has it.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;

use super::{
    feed::{Course, Feed, Feeds},
    journal::SentChunk,
    ledger::Ledger,
    multipart::SourceFailed,
    progress::BodyCount,
    tus::{CHECKSUM, checksum},
};
use crate::{error::Error, transport::SendBody};

/// A chunk whose hash is taken along, and where that is written down.
#[derive(Debug, Clone)]
pub(crate) struct Trailing {
    /// It begins where this does.
    pub(crate) course: Course,
    pub(crate) feeds: Feeds,
    /// The part, and where the chunk begins in it.
    pub(crate) ledger: Option<(Ledger, usize, u64)>,
}

/// What is left to send.
struct Rest {
    feed: Feed,
    left: u64,
    trailing: Trailing,
    count: BodyCount,
}

impl Trailing {
    /// The pieces, which `count` counts, and after them the trailer.
    pub(crate) fn body(&self, count: BodyCount) -> Result<SendBody, Error> {
        let feed = self.feeds.take(&self.course);
        let feed = feed.map_err(|e| Error::upload(format!("no thread could be started: {e}")))?;
        let rest = Rest { feed, left: self.course.first(), trailing: self.clone(), count };
        Ok(SendBody::frames(futures_util::stream::unfold(Some(rest), |rest| async {
            let mut rest = rest?;
            let (frame, rest) = if rest.left > 0 {
                (rest.piece().await.map(Frame::data), Some(rest))
            } else {
                (rest.end().await.map(Frame::trailers), None)
            };
            Some((frame.map_err(|e| io::Error::other(SourceFailed(e.to_string()))), rest))
        })))
    }

    /// Writes the hash down.
    async fn note(&self, sha256: [u8; 32]) -> io::Result<()> {
        let Some((ledger, part, first)) = &self.ledger else { return Ok(()) };
        let chunk = SentChunk { first: *first, length: self.course.first(), sha256 };
        ledger.chunk(*part, chunk).await.map_err(io::Error::other)
    }
}

impl Rest {
    async fn piece(&mut self) -> io::Result<Bytes> {
        let piece = self.feed.piece().await?;
        self.left -= piece.len() as u64;
        self.count.add(piece.len() as u64);
        Ok(piece)
    }

    /// The trailer, which is known now.
    async fn end(mut self) -> io::Result<HeaderMap> {
        let sha256 = self.feed.digest().await?;
        self.trailing.note(sha256).await?;
        self.trailing.feeds.leave(self.feed);
        let value = HeaderValue::try_from(checksum(&sha256)).map_err(io::Error::other)?;
        Ok(HeaderMap::from_iter([(http::HeaderName::from_static(CHECKSUM), value)]))
    }
}

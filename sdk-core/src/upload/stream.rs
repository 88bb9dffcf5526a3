//! A stream of unknown length: short ones become one multipart request, longer ones a tus upload whose length is told with
//! its last chunk. Two chunks are in memory, no more; there is nothing to take up again after a crash.

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::BoxStream};

use super::{
    UploadSource, Uploaded,
    context::Setup,
    controller::Controller,
    engine,
    join::{briefly, cancelled},
    outcome::{abandon, asset, compare, complete, discard, was_cancelled},
    part::{Halt, Kind, Part, State},
};
use crate::error::{Error, ErrorKind};

/// The largest piece that is held.
const MOST_PIECE: u64 = 16 * 1024 * 1024;

/// Cuts a stream into pieces of one size.
pub(crate) struct Pieces {
    stream: BoxStream<'static, io::Result<Bytes>>,
    rest: BytesMut,
    is_over: bool,
}

impl Pieces {
    pub(crate) fn new(stream: BoxStream<'static, io::Result<Bytes>>) -> Self {
        Self { stream, rest: BytesMut::new(), is_over: false }
    }

    /// The next `size` bytes; fewer, or none, at the end.
    pub(crate) async fn next(&mut self, size: usize) -> Result<Bytes, Error> {
        while self.rest.len() < size && !self.is_over {
            match self.stream.next().await {
                Some(Ok(bytes)) => self.rest.extend_from_slice(&bytes),
                Some(Err(e)) => {
                    return Err(Error::upload(format!("the stream broke: {e}")).with_source(e));
                }
                None => self.is_over = true,
            }
        }
        let size = size.min(self.rest.len());
        Ok(self.rest.split_to(size).freeze())
    }
}

/// A stream that is uploaded.
pub(crate) struct StreamJob<'a>(pub(crate) Setup<'a>);

impl StreamJob<'_> {
    /// Uploads `first` and everything after it.
    pub(crate) async fn run(&self, first: Bytes, mut rest: Pieces) -> Result<Uploaded, Error> {
        if !self.0.abilities.defer_length {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the platform takes no upload of unknown length (creation-defer-length): write the stream to a file and upload that",
            ));
        }
        let mut ctx = self.0.context(None, None);
        // It has its shares already, all that it takes.
        ctx.shares = None;
        let (mut piece, mut base) = (first, 0_u64);
        let mut state = State::new(crate::random::uuid().to_string());
        let mut wanted = self.0.settings.control.watch();
        let mut controller = Controller::new(1);
        loop {
            let size = ctx.chunk_size().min(MOST_PIECE);
            // The length has to be told with the last piece, so that one is read ahead.
            let reading = rest.next(usize::try_from(size).unwrap_or(usize::MAX));
            let next = match cancelled(&mut wanted, reading).await {
                Ok(Ok(next)) => next,
                Ok(Err(error)) => {
                    abandon(&ctx, state.location).await;
                    return Err(error);
                }
                Err(_) => {
                    abandon(&ctx, state.location).await;
                    return Err(was_cancelled());
                }
            };
            let length = piece.len() as u64;
            self.0.tally.set_total(base + length + next.len() as u64);
            let part = Arc::new(Part {
                number: 0,
                kind: Kind::Piece { is_last: next.is_empty() },
                source: UploadSource::bytes(self.0.source.file_name(), piece),
                range: 0..length,
                base,
                state: Mutex::new(state),
            });
            let parts = [Arc::clone(&part)];
            match engine::run(&ctx, &parts, &mut controller, &mut wanted).await {
                Ok(()) => {
                    let hashed = ctx.whole.up_to(&part.source, base, base + length).await;
                    hashed.map_err(|e| Error::upload(e.to_string()).with_source(e))?;
                }
                Err(Halt::Failed(error) | Halt::Torn(error)) => {
                    abandon(&ctx, part.with(|s| s.location.clone())).await;
                    return Err(error);
                }
                Err(Halt::Cancelled | Halt::Changed | Halt::Lost) => {
                    discard(&ctx, &parts, true).await;
                    return Err(was_cancelled());
                }
            }
            base += length;
            state = part.with(|s| s.next_piece());
            if next.is_empty() {
                break;
            }
            piece = next;
        }
        let sha256 = ctx.whole.digest();
        let location = state.location.unwrap_or_default();
        let id = state.asset_id;
        let asking = asset(self.0.client, &location, id.clone(), base, &sha256);
        let asked =
            briefly(&mut wanted, ctx.ending, asking).await.unwrap_or_else(|_| Err(was_cancelled()));
        let asset = match asked {
            Ok(asset) => asset,
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                abandon(&ctx, Some(location)).await;
                return Err(error);
            }
            Err(error) => return Err(complete(error, id.as_deref().unwrap_or(&location))),
        };
        compare(self.0.client, &asset, &sha256).await?;
        let (sent, failures) = (self.0.tally.wire(), ctx.failures.load(Relaxed));
        Ok(Uploaded { asset, sent, failures, restarts: Vec::new() })
    }
}

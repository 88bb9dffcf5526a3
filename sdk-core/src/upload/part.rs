//! One part of an upload: which bytes it has, and how far it is. What is done with it is in `step` and `recover`.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use super::{
    UploadSource,
    ahead::Ahead,
    context::Context,
    journal::SentChunk,
    kept::Kept,
    progress::{Bodies, InFlight},
    whole::Along,
};
use crate::error::Error;

/// Why a part stops.
#[derive(Debug)]
pub(crate) enum Halt {
    /// What the platform has is not what the file has: nothing of it may be kept.
    Changed,
    /// An earlier process brought it to its end, and the asset was removed since.
    Lost,
    /// The file became another one while the last of it was sent: what the platform made of it is neither.
    Torn(Error),
    Cancelled,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a part is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The whole file.
    Whole,
    /// One of several, joined in the end.
    Part,
    /// A piece of a stream: an upload whose length is told with the last one.
    Piece { is_last: bool },
}

/// A part of an upload.
pub(crate) struct Part {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) source: UploadSource,
    /// Where it stands in the source.
    pub(crate) range: Range<u64>,
    /// Where it begins in its upload: after the pieces of a stream that went before.
    pub(crate) base: u64,
    pub(crate) state: Mutex<State>,
}

/// How far a part is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) key: String,
    /// An earlier call may have made an upload under this key.
    pub(crate) is_used: bool,
    pub(crate) location: Option<String>,
    /// The platform's offset in the upload, where it is known.
    pub(crate) offset: Option<u64>,
    pub(crate) asset_id: Option<String>,
    /// It was made, and is not wanted any more.
    pub(crate) is_taken_back: bool,
    /// What the tally counts of it.
    pub(crate) counted: u64,
    /// What the last request sent, until the platform has told how much of it is there.
    in_flight: Option<InFlight>,
    pub(crate) kept: Option<Kept>,
    /// What an earlier process sent; until they are compared with the file nothing is added to them.
    pub(crate) unverified: Option<Vec<SentChunk>>,
    /// The hash of the chunk that comes next.
    pub(crate) ahead: Option<Ahead>,
    pub(crate) best: u64,
    pub(crate) failures: u32,
    pub(crate) resends: u32,
    pub(crate) renewals: u32,
    pub(crate) last_length: u64,
}

impl State {
    pub(crate) fn new(key: String) -> Self {
        Self { key, ..Self::default() }
    }

    /// What the next piece of the same stream begins with.
    pub(crate) fn next_piece(&self) -> Self {
        Self {
            location: self.location.clone(),
            offset: self.offset,
            asset_id: self.asset_id.clone(),
            ..Self::new(self.key.clone())
        }
    }
}

impl Part {
    /// Where it ends in its upload.
    pub(crate) fn end(&self) -> u64 {
        self.base + (self.range.end - self.range.start)
    }

    /// A stream without a byte, of which the platform was not told yet that this is all.
    pub(crate) fn owes_length(&self) -> bool {
        let is_last = self.kind == Kind::Piece { is_last: true };
        is_last && self.end() == 0 && self.with(|s| s.asset_id.is_none())
    }

    /// The whole's hash, to be taken along with that of a chunk which begins at `offset` in the upload; only what is sent from
    /// the first byte to the last in order has one.
    pub(crate) fn along(&self, ctx: &Context<'_>, offset: u64) -> Option<Along> {
        (self.kind != Kind::Part).then(|| ctx.whole.along(offset))
    }

    pub(crate) fn with<T>(&self, see: impl FnOnce(&mut State) -> T) -> T {
        see(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The platform has it up to here.
    pub(crate) fn at(&self, ctx: &Context<'_>, offset: u64) {
        self.with(|s| {
            s.offset = Some(offset);
            if offset > s.best {
                (s.best, s.failures, s.resends) = (offset, 0, 0);
            }
            let own = offset.saturating_sub(self.base);
            ctx.tally.moved(s.counted, own);
            s.counted = own;
            s.in_flight = None;
        });
    }

    /// A request with a chunk begins. What the one before it sent goes again.
    pub(crate) fn sends(&self, ctx: &Context<'_>) -> Bodies {
        let request = InFlight::new(&ctx.tally);
        let bodies = request.bodies();
        self.with(|s| s.in_flight = Some(request));
        bodies
    }
}

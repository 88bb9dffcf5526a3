//! One part of an upload, chunk by chunk: made, asked for its offset, verified, sent, and taken up again after a failure.
//! The platform's offset is the truth throughout; the retry table is `judge`.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    UploadSource,
    ahead::Ahead,
    fingerprint::Stamp,
    journal::SentChunk,
    judge::{Asked, Next, judge},
    ledger::Ledger,
    plan::ChunkSize,
    progress::{InFlight, Tally},
    source::cannot_read,
    tus::{Abilities, Chunk, New, Wire, expires_at},
};
use crate::{
    error::{Error, ErrorKind, Sent},
    transport::backoff,
};

/// Times that a chunk which arrived changed is sent again.
const MOST_RESENDS: u32 = 3;

/// Times that a part which the platform lost is made anew: bytes that arrive and are lost again each time, as on nodes that
/// do not share what they store, would go on for ever.
const MOST_RENEWALS: u32 = 3;

/// What all parts of an upload share.
pub(crate) struct Context<'a> {
    pub(crate) wire: Wire<'a>,
    pub(crate) abilities: Abilities,
    pub(crate) tally: Arc<Tally>,
    pub(crate) sizes: Mutex<ChunkSize>,
    pub(crate) congested: AtomicBool,
    pub(crate) failures: AtomicU32,
    /// What was begun anew, in words.
    pub(crate) restarts: Mutex<Vec<String>>,
    pub(crate) ledger: Option<Ledger>,
    /// The file and what it was at the beginning.
    pub(crate) file: Option<(PathBuf, Stamp)>,
    pub(crate) checksums: bool,
    pub(crate) metadata: String,
    /// Failures in a row, without a byte between them, that are survived.
    pub(crate) retries: u32,
    pub(crate) stall: Duration,
    pub(crate) max_retry_after: Duration,
}

/// Why a part stops.
#[derive(Debug)]
pub(crate) enum Halt {
    /// What the platform has is not what the file has: nothing of it may be kept.
    Changed,
    /// An earlier process brought it to its end, and the asset was removed since.
    Lost,
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
    pub(crate) location: Option<String>,
    /// The platform's offset in the upload, where it is known.
    pub(crate) offset: Option<u64>,
    pub(crate) asset_id: Option<String>,
    /// What the tally counts of it.
    pub(crate) counted: u64,
    /// What an earlier process sent; until they are compared with the file nothing is added to them.
    pub(crate) unverified: Option<Vec<SentChunk>>,
    /// The hash of the chunk that comes next.
    ahead: Option<Ahead>,
    best: u64,
    failures: u32,
    resends: u32,
    renewals: u32,
    last_length: u64,
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
    fn end(&self) -> u64 {
        self.base + (self.range.end - self.range.start)
    }

    pub(crate) fn with<T>(&self, see: impl FnOnce(&mut State) -> T) -> T {
        see(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The platform has it up to here.
    fn at(&self, ctx: &Context<'_>, offset: u64) {
        self.with(|s| {
            s.offset = Some(offset);
            if offset > s.best {
                (s.best, s.failures, s.resends) = (offset, 0, 0);
            }
            let own = offset.saturating_sub(self.base);
            ctx.tally.moved(s.counted, own);
            s.counted = own;
        });
    }
}

/// Sends a part's next chunk, whatever comes between; true when there is none left.
pub(crate) async fn step(ctx: &Context<'_>, part: &Part) -> Result<bool, Halt> {
    loop {
        let (asked, error) = match attempt(ctx, part).await {
            Ok(done) => return Ok(done),
            Err(Trouble::Halt(halt)) => return Err(halt),
            Err(Trouble::Failed(asked, error)) => (asked, error),
        };
        recover(ctx, part, asked, error).await?;
    }
}

enum Trouble {
    Halt(Halt),
    Failed(Asked, Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Halt(Halt::Failed(error))
    }
}

async fn attempt(ctx: &Context<'_>, part: &Part) -> Result<bool, Trouble> {
    let location = match part.with(|s| s.location.clone()) {
        Some(location) => location,
        None => create(ctx, part).await?,
    };
    let offset = match part.with(|s| s.offset) {
        Some(offset) => offset,
        None => find_offset(ctx, part, &location).await?,
    };
    let left = part.end() - offset;
    if left == 0 {
        return Ok(true);
    }
    let start = part.range.start + (offset - part.base);
    let ahead = part.with(|s| s.ahead.take()).filter(|ahead| ahead.start == start);
    let ahead = ahead.unwrap_or_else(|| Ahead::of(&part.source, start, left.min(ctx.chunk_size())));
    send(ctx, part, &location, offset, ahead).await
}

async fn create(ctx: &Context<'_>, part: &Part) -> Result<String, Trouble> {
    let length = part.range.end - part.range.start;
    let new = match part.kind {
        Kind::Whole => New::Whole { length: Some(length), metadata: &ctx.metadata },
        Kind::Piece { .. } => New::Whole { length: None, metadata: &ctx.metadata },
        Kind::Part => New::Part { length },
    };
    let key = part.with(|s| s.key.clone());
    let held = ctx.wire.create(new, &key).await.map_err(|e| Trouble::Failed(Asked::Create, e))?;
    let location = held.location.unwrap_or_default();
    if let Some(ledger) = &ctx.ledger {
        let expires = held.expires.as_deref().and_then(expires_at);
        ledger.located(part.number, &location, expires).await?;
    }
    part.with(|s| {
        s.location = Some(location.clone());
        s.asset_id = held.asset_id;
    });
    // An answer that was kept for its key may be of an upload that has bytes by now.
    if held.offset.is_none_or(|offset| offset == 0) && part.with(|s| s.failures == 0) {
        part.with(|s| s.unverified = None);
        part.at(ctx, 0);
    }
    Ok(location)
}

async fn find_offset(ctx: &Context<'_>, part: &Part, location: &str) -> Result<u64, Trouble> {
    let failed = |error| Trouble::Failed(Asked::Offset, error);
    let held = ctx.wire.offset(location).await.map_err(failed)?;
    let odd = |what: &'static str| {
        failed(Error::new(ErrorKind::Decode, what).with(|e| e.sent = Some(Sent::Maybe)))
    };
    let offset = held.offset.ok_or_else(|| odd("the upload's state has no Upload-Offset"))?;
    if offset > part.end() {
        return Err(odd("the platform has more of the upload than there is"));
    }
    if offset < part.base {
        return Err(Error::upload(
            "the platform lost what it had acknowledged of the stream: upload it again",
        )
        .into());
    }
    if let Some(chunks) = part.with(|s| s.unverified.clone()) {
        if !is_unchanged(part, &chunks, offset).await? {
            return Err(Trouble::Halt(Halt::Changed));
        }
        part.with(|s| s.unverified = None);
    }
    part.with(|s| s.asset_id = held.asset_id);
    part.at(ctx, offset);
    Ok(offset)
}

/// Whether every byte that the platform has was read from the file as it is now.
pub(crate) async fn is_unchanged(
    part: &Part,
    chunks: &[SentChunk],
    offset: u64,
) -> Result<bool, Error> {
    let mut covered = 0;
    for chunk in chunks.iter().filter(|c| c.first < offset) {
        if chunk.first > covered {
            return Ok(false);
        }
        let start = part.range.start + chunk.first;
        let range = start..(start + chunk.length).min(part.range.end);
        match part.source.sha256(range).await {
            Ok(sha256) if sha256 == chunk.sha256 => {
                covered = covered.max(chunk.first + chunk.length)
            }
            _ => return Ok(false),
        }
    }
    Ok(covered >= offset)
}

async fn send(
    ctx: &Context<'_>,
    part: &Part,
    location: &str,
    offset: u64,
    ahead: Ahead,
) -> Result<bool, Trouble> {
    let (start, length) = (ahead.start, ahead.length);
    ctx.unchanged()?;
    let sha256 = if ctx.hashes() {
        Some(ahead.sha256().await.map_err(|e| Error::upload(e.to_string()).with_source(e))?)
    } else {
        None
    };
    if let (Some(ledger), Some(sha256)) = (&ctx.ledger, sha256) {
        let first = offset - part.base;
        ledger.chunk(part.number, SentChunk { first, length, sha256 }).await?;
    }
    part.with(|s| s.last_length = length);
    let is_last = part.kind == Kind::Piece { is_last: true };
    let chunk = Chunk {
        source: &part.source,
        start,
        offset,
        length,
        sha256: sha256.filter(|_| ctx.checksums),
        upload_length: is_last.then(|| part.end()),
        stall: ctx.stall,
    };
    let (request, began) = (Arc::new(InFlight::new(&ctx.tally)), Instant::now());
    let sending = ctx.wire.send(location, chunk, &request);
    let left = part.range.end - (start + length);
    let answer = if ctx.hashes() && left > 0 {
        let mut next = Ahead::of(&part.source, start + length, left.min(ctx.chunk_size()));
        let answer = next.beside(sending).await;
        part.with(|s| s.ahead = Some(next));
        answer
    } else {
        sending.await
    };
    request.end();
    let held = answer.map_err(|e| Trouble::Failed(Asked::Chunk, e))?;
    let now = held.offset.unwrap_or(offset + length);
    if now <= offset || now > offset + length {
        let odd = "the platform's offset after a chunk is not one of it";
        let odd = Error::new(ErrorKind::Decode, odd).with(|e| e.sent = Some(Sent::Maybe));
        return Err(Trouble::Failed(Asked::Chunk, odd));
    }
    ctx.sizes.lock().unwrap_or_else(PoisonError::into_inner).took(length, began.elapsed());
    if let Some(ledger) = &ctx.ledger {
        let expires = held.expires.as_deref().and_then(expires_at);
        ledger.acknowledged(part.number, now, expires).await?;
    }
    part.with(|s| s.asset_id = held.asset_id);
    part.at(ctx, now);
    Ok(now == part.end())
}

/// Does what the retry table says, or gives the error back.
async fn recover(ctx: &Context<'_>, part: &Part, asked: Asked, error: Error) -> Result<(), Halt> {
    let next = judge(asked, &error);
    let (failures, resends, length) = part.with(|s| {
        s.failures += 1;
        s.resends += u32::from(next == Next::Resend);
        (s.failures, s.resends, s.last_length)
    });
    ctx.failures.fetch_add(1, Relaxed);
    tracing::debug!(part = part.number, ?asked, ?next, failures, %error, "an upload's request failed");
    let mut wait = failures > 1;
    let mut congested = false;
    match next {
        Next::Permanent => return Err(error.into()),
        Next::Continue { congested: too_much } => {
            congested = too_much;
            wait = true;
            part.with(|s| s.offset = None);
        }
        Next::Locked => {
            wait = true;
            part.with(|s| s.offset = None);
        }
        Next::AskOffset => part.with(|s| s.offset = None),
        Next::Resend if resends > MOST_RESENDS => return Err(error.into()),
        Next::Resend => wait = false,
        Next::Smaller => {
            let mut sizes = ctx.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            if !sizes.too_large(length) {
                return Err(error.into());
            }
            part.with(|s| s.ahead = None);
        }
        // What went by of a stream cannot be read again.
        Next::Gone if matches!(part.kind, Kind::Piece { .. }) => return Err(error.into()),
        Next::Gone if part.with(|s| s.renewals) >= MOST_RENEWALS => return Err(error.into()),
        Next::Gone => {
            let status = error.status().unwrap_or_default();
            ctx.restarted(format!(
                "the platform no longer has part {} ({status}): it was begun anew",
                part.number
            ));
            let key = crate::random::uuid().to_string();
            if let Some(ledger) = &ctx.ledger {
                ledger.renewed(part.number, &key).await?;
            }
            part.with(|s| {
                (s.key, s.location, s.unverified, s.best) = (key, None, None, 0);
                s.renewals += 1;
            });
            part.at(ctx, 0);
            part.with(|s| s.offset = None);
        }
    }
    if failures > ctx.retries {
        return Err(error.into());
    }
    if congested {
        ctx.congested.store(true, Relaxed);
    }
    if wait {
        let asked = error.retry_after();
        if asked.is_some_and(|asked| asked > ctx.max_retry_after) {
            return Err(error.into());
        }
        let delay = backoff::delay(failures - 1, congested, rand::random(), asked);
        tokio::time::sleep(delay).await;
    }
    Ok(())
}

impl Context<'_> {
    /// Whether the hash of each chunk is of use to anybody.
    fn hashes(&self) -> bool {
        self.checksums || self.ledger.is_some()
    }

    /// What a chunk should have.
    fn chunk_size(&self) -> u64 {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }

    /// Says what was begun anew.
    pub(crate) fn restarted(&self, what: String) {
        tracing::warn!("{what}");
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// The file is still the one that the upload began with.
    pub(crate) fn unchanged(&self) -> Result<(), Error> {
        let Some((path, stamp)) = &self.file else { return Ok(()) };
        match Stamp::read(path) {
            Ok(now) if now == *stamp => Ok(()),
            Ok(_) => Err(Error::upload(format!(
                "{} changed while it was uploaded: upload it again once it is complete",
                path.display()
            ))),
            Err(error) => Err(cannot_read(path, error)),
        }
    }
}

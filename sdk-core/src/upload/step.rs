//! A part's next chunk: the part is made, asked for its offset, verified after a crash, and sent on from there. The platform's
//! offset is the truth throughout; what is done about a failure is in `recover`.

use std::{io, sync::atomic::Ordering::Relaxed, time::Instant};

use super::{
    ahead::Ahead,
    context::Context,
    feed::Course,
    journal::SentChunk,
    judge::Asked,
    part::{Halt, Kind, Part},
    recover::{recover, renew},
    trailing::Trailing,
    tus::{Chunk, New, Proof, expires_at},
};
use crate::error::{Error, ErrorKind, Sent};

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

/// The chunk that is sent next, its hash where it is taken before.
struct Next {
    start: u64,
    length: u64,
    hash: Option<Ahead>,
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
    if left == 0 && !part.owes_length() {
        return Ok(true);
    }
    let start = part.range.start + (offset - part.base);
    let ahead = part.with(|s| s.ahead.take()).filter(|ahead| ahead.start == start);
    let next = match ahead {
        Some(ahead) => Next { start, length: ahead.length, hash: Some(ahead) },
        None => {
            let length = left.min(ctx.chunk_size());
            let hash = || {
                let along = part.along(ctx, offset);
                Ahead::of(&part.source, start..start + length, along, ctx.buffers())
            };
            Next { start, length, hash: (ctx.hashes() && !ctx.trails()).then(hash) }
        }
    };
    let Some(shares) = &ctx.shares else { return send(ctx, part, &location, offset, next).await };
    // Before its bytes are read, and until the answer is there; what is hashed beside it is hashed within it.
    let share = match ctx.feeds.share() {
        Some(share) => share,
        None => shares.request().await,
    };
    let sent = send(ctx, part, &location, offset, next).await;
    if sent.is_ok() {
        ctx.feeds.keep(share);
    } else {
        ctx.feeds.clear();
    }
    sent
}

async fn create(ctx: &Context<'_>, part: &Part) -> Result<String, Trouble> {
    let length = part.range.end - part.range.start;
    let new = match part.kind {
        Kind::Whole => New::Whole { length: Some(length), metadata: &ctx.metadata },
        Kind::Piece { .. } => New::Whole { length: None, metadata: &ctx.metadata },
        Kind::Part => New::Part { length },
    };
    let create = async || ctx.wire.create(new, &part.with(|s| s.key.clone())).await;
    let held = match create().await {
        // What an earlier call made under this key was taken back, or is over.
        Err(error) if matches!(error.status(), Some(404 | 410)) && part.with(|s| s.is_used) => {
            renew(ctx, part, error.status().unwrap_or_default()).await?;
            create().await
        }
        held => held,
    };
    let held = held.map_err(|e| Trouble::Failed(Asked::Create, e))?;
    part.heard(ctx, &held);
    let location = held.location.unwrap_or_default();
    if let Some(ledger) = &ctx.ledger {
        let expires = held.expires.as_deref().and_then(expires_at);
        ledger.located(part.number, &location, expires).await?;
    }
    part.with(|s| {
        s.location = Some(location.clone());
        s.asset_id = held.asset_id;
    });
    // An answer that was kept for its key may be of an upload that has bytes by now, which not every platform says.
    let is_empty = match held.offset {
        Some(offset) => offset == 0,
        None => part.with(|s| !s.is_used),
    };
    if is_empty && part.with(|s| s.failures == 0) {
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
        if !is_unchanged(ctx, part, &chunks, offset).await? {
            return Err(Trouble::Halt(Halt::Changed));
        }
        part.with(|s| s.unverified = None);
    }
    part.heard(ctx, &held);
    part.with(|s| s.asset_id = held.asset_id);
    part.at(ctx, offset);
    Ok(offset)
}

/// Whether every byte that the platform has was read from the file as it is now. A file that cannot be read tells nothing of
/// that: what arrived is kept for a call that can.
pub(crate) async fn is_unchanged(
    ctx: &Context<'_>,
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
        match part.source.sha256(range, part.along(ctx, part.base + chunk.first)).await {
            Ok(sha256) if sha256 == chunk.sha256 => {
                covered = covered.max(chunk.first + chunk.length)
            }
            Ok(_) => return Ok(false),
            // It has fewer bytes by now.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(part.source.unreadable(error)),
        }
    }
    Ok(covered >= offset)
}

async fn send(
    ctx: &Context<'_>,
    part: &Part,
    location: &str,
    offset: u64,
    next: Next,
) -> Result<bool, Trouble> {
    let (start, length) = (next.start, next.length);
    ctx.unchanged()?;
    let first = offset - part.base;
    let proof = match next.hash {
        Some(hash) => {
            let sha256 = hash.sha256().await;
            let sha256 = sha256.map_err(|e| part.source.unreadable(e))?;
            if let Some(ledger) = &ctx.ledger {
                ledger.chunk(part.number, SentChunk { first, length, sha256 }).await?;
            }
            if ctx.checksums { Proof::Before(sha256) } else { Proof::None }
        }
        None if ctx.trails() => {
            let ledger = ctx.ledger.clone();
            let course = Course {
                source: part.source.clone(),
                range: start..part.range.end,
                chunk: ctx.chunk_size(),
                along: part.along(ctx, offset),
                near: ctx.near(),
            };
            Proof::After(Trailing {
                course,
                feeds: ctx.feeds.clone(),
                ledger: ledger.map(|ledger| (ledger, part.number, first)),
            })
        }
        None => Proof::None,
    };
    let trails = matches!(proof, Proof::After(_));
    part.with(|s| s.last_length = length);
    let is_last = part.kind == Kind::Piece { is_last: true };
    let chunk = Chunk {
        source: &part.source,
        start,
        offset,
        length,
        proof,
        buffers: ctx.buffers(),
        upload_length: is_last.then(|| part.end()),
        stall: ctx.stall,
    };
    let (bodies, began) = (part.sends(ctx), Instant::now());
    let sending = ctx.wire.send(location, chunk, &bodies);
    let left = part.range.end - (start + length);
    let answer = if ctx.hashes() && !trails && left > 0 {
        let start = start + length;
        let next = start..start + left.min(ctx.chunk_size());
        let along = part.along(ctx, offset + length);
        let mut next = Ahead::of(&part.source, next, along, ctx.buffers());
        let answer = next.beside(sending).await;
        part.with(|s| s.ahead = Some(next));
        answer
    } else {
        sending.await
    };
    let held = answer.map_err(|error| match trails && refuses_trailers(&error) {
        true => {
            ctx.trailers.store(false, Relaxed);
            ctx.feeds.clear();
            Trouble::Failed(Asked::Trailed, error)
        }
        false => Trouble::Failed(Asked::Chunk, error),
    })?;
    let now = held.offset.unwrap_or(offset + length);
    if (now <= offset && length > 0) || now > offset + length {
        let odd = "the platform's offset after a chunk is not one of it";
        let odd = Error::new(ErrorKind::Decode, odd).with(|e| e.sent = Some(Sent::Maybe));
        return Err(Trouble::Failed(Asked::Chunk, odd));
    }
    ctx.sizes().took(length, began.elapsed());
    if let Some(ledger) = &ctx.ledger {
        let expires = held.expires.as_deref().and_then(expires_at);
        ledger.acknowledged(part.number, now, expires).await;
    }
    part.heard(ctx, &held);
    part.with(|s| s.asset_id = held.asset_id);
    part.at(ctx, now);
    Ok(now == part.end())
}

/// Whether somebody on the way did not pass the trailer on, or takes no body without a length.
fn refuses_trailers(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 411 | 417 | 460 | 501))
}

//! What is done about a failure of a part, so that it can go on. What each failure calls for is in `judge`; what this adds is how
//! often, and how long is waited.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    context::Context,
    judge::{Asked, Next, judge},
    keys,
    part::{Halt, Kind, Part},
};
use crate::{error::Error, transport::backoff};

/// Times that a chunk which arrived changed is sent again.
const MOST_RESENDS: u32 = 3;

/// Times that a part which the platform lost is made anew: bytes that arrive and are lost again each time, as on nodes that
/// do not share what they store, would go on for ever.
const MOST_RENEWALS: u32 = 3;

/// Does what the retry table says, or gives the error back.
pub(crate) async fn recover(
    ctx: &Context<'_>,
    part: &Part,
    asked: Asked,
    error: Error,
) -> Result<(), Halt> {
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
            if !ctx.sizes().too_large(length) {
                return Err(error.into());
            }
            part.with(|s| s.ahead = None);
        }
        // What went by of a stream cannot be read again.
        Next::Gone if matches!(part.kind, Kind::Piece { .. }) => return Err(error.into()),
        Next::Gone if part.with(|s| s.renewals) >= MOST_RENEWALS => return Err(error.into()),
        Next::Gone => {
            renew(ctx, part, error.status().unwrap_or_default()).await?;
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

/// Begins a part anew that the platform says to be gone.
pub(crate) async fn renew(ctx: &Context<'_>, part: &Part, status: u16) -> Result<(), Error> {
    ctx.restarted(format!(
        "the platform no longer has part {} ({status}): it was begun anew",
        part.number
    ));
    part.with(|s| s.renewals += 1);
    anew(ctx, part).await
}

/// Begins a part anew that is known not to be there any more.
pub(crate) async fn anew(ctx: &Context<'_>, part: &Part) -> Result<(), Error> {
    let key = keys::new();
    if let Some(ledger) = &ctx.ledger {
        ledger.renewed(part.number, &key).await?;
    }
    part.with(|s| {
        (s.key, s.is_used, s.location, s.unverified, s.best) = (key, false, None, None, 0);
    });
    part.at(ctx, 0);
    part.with(|s| s.offset = None);
    Ok(())
}

/// Asks `again` for as long as the answer to what was `asked` is a failure that passes. Its caller bounds the time.
pub(crate) async fn insist<T, F: Future<Output = Result<T, Error>>>(
    asked: Asked,
    first: impl Future<Output = Result<T, Error>>,
    again: impl Fn() -> F,
) -> Result<T, Error> {
    let (mut answer, mut failures) = (first.await, 0);
    loop {
        let Err(error) = answer else { return answer };
        let Some(congested) = passes(asked, &error) else { return Err(error) };
        let delay = backoff::delay(failures, congested, rand::random(), error.retry_after());
        tokio::time::sleep(delay).await;
        failures += 1;
        answer = again().await;
    }
}

/// Whether it is worth asking again, and whether that is to be slowly.
pub(crate) fn passes(asked: Asked, error: &Error) -> Option<bool> {
    match judge(asked, error) {
        Next::Continue { congested } => Some(congested),
        Next::Locked => Some(false),
        _ => None,
    }
}

//! The joining of an upload's parts: asked for under one key until there is an answer, and stopped when the upload is paused or
//! cancelled meanwhile.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use tokio::sync::watch;

use super::{
    context::Context,
    control::{Wanted, until},
    ending::Ending,
    judge::{Asked, Next, judge},
    outcome::remove,
    part::{Halt, Part},
    plan::MIB,
    recover::{insist, passes},
    tus::{Held, New},
};
use crate::{client::Client, error::Error, transport::backoff};

/// How long a joining may take beside what it needs for its bytes: as long as one request for it waits (`tus`).
const PATIENCE: Duration = Duration::from_secs(300);
/// How many bytes a slow platform copies and hashes in a second. No platform tells; it is a tenth of the least that the local one
/// came to (docs/benchmarks.md, "Uploads over a slow line": 2 GiB in 12.6 s).
const SLOWEST: u64 = 16 * MIB;

/// Until when a joining that is under way is waited for. What the upload is paused for does not count.
struct Patience(Instant);

impl Patience {
    fn new(now: Instant, bytes: u64) -> Self {
        Self(now + PATIENCE + Duration::from_secs(bytes / SLOWEST))
    }

    fn paused(&mut self, time: Duration) {
        self.0 += time;
    }

    fn is_over(&self, now: Instant) -> bool {
        now > self.0
    }
}

/// Makes the parts one: where the upload is, and the asset's id. `asked` says that an earlier process may have asked for it.
pub(crate) async fn join(
    client: &Client,
    ctx: &Context<'_>,
    parts: &[Arc<Part>],
    key: &str,
    mut asked: bool,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<(String, Option<String>), Halt> {
    let locations: Vec<_> =
        parts.iter().map(|p| p.with(|s| s.location.clone()).unwrap_or_default()).collect();
    let new = New::Joined { parts: &locations, metadata: &ctx.metadata };
    let (mut failures, mut waits) = (0, 0);
    let bytes: u64 = parts.iter().map(|p| p.range.end - p.range.start).sum();
    let mut patience = Patience::new(Instant::now(), bytes);
    loop {
        let paused = Instant::now();
        let now = until(wanted, |wanted| wanted != Wanted::Pause).await;
        patience.paused(paused.elapsed());
        // The same key makes it once, however often it is asked for.
        let asking = pin!(ctx.wire.create(new, key));
        if now == Wanted::Cancel {
            if asked {
                // On the heap, as what is seldom: an upload's own future is large enough.
                take_back(client, ctx, new, key, asking).boxed().await;
            }
            return Err(Halt::Cancelled);
        }
        asked = true;
        let error = {
            let stopped = pin!(until(wanted, |wanted| wanted != Wanted::Run));
            match select(asking, stopped).await {
                Either::Left((Ok(held), _)) => {
                    return Ok((held.location.unwrap_or_default(), held.asset_id));
                }
                Either::Left((Err(error), _)) => error,
                Either::Right((Wanted::Cancel, asking)) => {
                    take_back(client, ctx, new, key, asking).boxed().await;
                    return Err(Halt::Cancelled);
                }
                Either::Right(_) => continue,
            }
        };
        // One that is under way is no failure, however often it is asked for: of a large file it takes minutes, and whatever
        // stands between has given the first request up by then.
        let is_under_way = judge(Asked::Create, &error) == Next::Locked;
        if !is_under_way {
            ctx.failures.fetch_add(1, Relaxed);
        }
        failures += u32::from(!is_under_way || patience.is_over(Instant::now()));
        waits += 1;
        let Some(congested) = passes(Asked::Create, &error) else { return Err(error.into()) };
        let after = error.retry_after();
        if failures > ctx.retries || after.is_some_and(|after| after > ctx.max_retry_after) {
            return Err(error.into());
        }
        let delay = backoff::delay(waits - 1, congested, rand::random(), after);
        // One that is cancelled meanwhile may have been made, its answer lost: it is taken back above.
        let _ = cancelled(wanted, tokio::time::sleep(delay)).await;
    }
}

/// Does `work` unless the upload is cancelled before its end.
pub(crate) async fn cancelled<T>(
    wanted: &mut watch::Receiver<Wanted>,
    work: impl Future<Output = T>,
) -> Result<T, Halt> {
    let cancelled = until(wanted, |wanted| wanted == Wanted::Cancel);
    match select(pin!(work), pin!(cancelled)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Halt::Cancelled),
    }
}

/// Does `work`, and for a few seconds more where the upload is cancelled before its end.
pub(crate) async fn briefly<T>(
    wanted: &mut watch::Receiver<Wanted>,
    ending: &Ending,
    work: impl Future<Output = T>,
) -> Result<T, Halt> {
    let over = async {
        until(wanted, |wanted| wanted == Wanted::Cancel).await;
        tokio::time::sleep_until(ending.answer()).await;
    };
    match select(pin!(work), pin!(over)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(Halt::Cancelled),
    }
}

/// Removes the asset that comes of a joining which is not wanted any more, if it comes soon. `asking` is how it was asked for; an
/// answer that is lost is asked for again.
async fn take_back(
    client: &Client,
    ctx: &Context<'_>,
    new: New<'_>,
    key: &str,
    asking: impl Future<Output = Result<Held, Error>>,
) {
    let made = insist(Asked::Create, asking, || ctx.wire.create(new, key));
    let Ok(Ok(Held { asset_id: Some(id), .. })) =
        tokio::time::timeout_at(ctx.ending.answer(), made).await
    else {
        // It may be made yet.
        ctx.ending.leave_asset();
        return;
    };
    match tokio::time::timeout_at(ctx.ending.whole(), remove(client, &id)).await {
        Ok(true) => {}
        Ok(false) => ctx.ending.leave_asset(),
        Err(_) => {
            ctx.ending.leave_asset();
            tracing::warn!(
                asset = id,
                "the asset of a cancelled upload could not be removed in time"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_takes_nothing_from_what_a_joining_has() {
        let began = Instant::now();
        let mut patience = Patience::new(began, 32 * MIB);
        let after = |seconds| began + Duration::from_secs(seconds);
        assert!(!patience.is_over(after(302)) && patience.is_over(after(303)));
        patience.paused(Duration::from_secs(3600));
        assert!(!patience.is_over(after(3902)) && patience.is_over(after(3903)));
    }
}

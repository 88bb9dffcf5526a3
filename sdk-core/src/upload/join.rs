//! The joining of an upload's parts: asked for under one key until there is an answer, and stopped when the upload is paused or
//! cancelled meanwhile.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::{
    context::Context,
    control::{Wanted, until},
    judge::{Asked, Next, judge},
    part::{Halt, Part},
    tus::{Held, New},
};
use crate::{client::Client, error::Error, transport::backoff};

/// How long the end of a joining is waited for that is not wanted any more: what it makes is to be removed.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// Makes the parts one: where the upload is, and the asset's id.
pub(crate) async fn join(
    client: &Client,
    ctx: &Context<'_>,
    parts: &[Arc<Part>],
    key: &str,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<(String, Option<String>), Halt> {
    let locations: Vec<_> =
        parts.iter().map(|p| p.with(|s| s.location.clone()).unwrap_or_default()).collect();
    let new = New::Joined { parts: &locations, metadata: &ctx.metadata };
    let mut failures = 0;
    loop {
        // The same key makes it once, however often it is asked for.
        until(wanted, |wanted| wanted != Wanted::Pause).await;
        let error = {
            let asking = pin!(ctx.wire.create(new, key));
            let stopped = pin!(until(wanted, |wanted| wanted != Wanted::Run));
            match select(asking, stopped).await {
                Either::Left((Ok(held), _)) => {
                    return Ok((held.location.unwrap_or_default(), held.asset_id));
                }
                Either::Left((Err(error), _)) => error,
                Either::Right((Wanted::Cancel, asking)) => {
                    let made = tokio::time::timeout(LAST_CHANCE, asking).await;
                    // On the heap, as what is seldom: an upload's own future is large enough.
                    Box::pin(take_back(client, made.ok().and_then(Result::ok))).await;
                    return Err(Halt::Cancelled);
                }
                Either::Right(_) => continue,
            }
        };
        ctx.failures.fetch_add(1, Relaxed);
        failures += 1;
        let congested = match judge(Asked::Create, &error) {
            Next::Continue { congested } => congested,
            Next::Locked => false,
            _ => return Err(error.into()),
        };
        let asked = error.retry_after();
        if failures > ctx.retries || asked.is_some_and(|asked| asked > ctx.max_retry_after) {
            return Err(error.into());
        }
        let delay = backoff::delay(failures - 1, congested, rand::random(), asked);
        cancelled(wanted, tokio::time::sleep(delay)).await?;
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

/// Removes the asset that came of a joining which was not wanted any more.
async fn take_back(client: &Client, made: Option<Held>) {
    let Some(id) = made.and_then(|held| held.asset_id) else { return };
    let removed: Result<_, Error> = client.media().delete(&id).await;
    if let Err(error) = removed {
        tracing::warn!(%error, asset = id, "the asset of a cancelled upload could not be removed");
    }
}

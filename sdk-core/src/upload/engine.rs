//! Many parts side by side: as many at a time as the controller says, in the caller's own task, so that dropping the upload
//! stops all of it.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
    stream::FuturesUnordered,
};
use tokio::{sync::watch, time::Instant};

use super::{
    context::Context,
    control::{Wanted, changed},
    controller::{Controller, Measured},
    kept::keep,
    part::{Halt, Part},
    step::step,
};

/// Sends every part to its end.
pub(crate) async fn run(
    ctx: &Context<'_>,
    parts: &[Arc<Part>],
    controller: &mut Controller,
    wanted: &mut watch::Receiver<Wanted>,
) -> Result<(), Halt> {
    let mut done = vec![false; parts.len()];
    loop {
        let now = *wanted.borrow_and_update();
        match now {
            Wanted::Cancel => return Err(Halt::Cancelled),
            Wanted::Pause => {
                changed(wanted).await;
                continue;
            }
            Wanted::Run => {}
        }
        let sending = pin!(send(ctx, parts, &mut done, controller));
        match select(sending, pin!(changed(wanted))).await {
            Either::Left((outcome, _)) => return outcome,
            // What was on its way is lost, and the platform knows how much of it arrived.
            Either::Right(_) => {}
        }
        for part in parts {
            part.with(|s| s.offset = None);
        }
        ctx.feeds.clear();
    }
}

async fn send(
    ctx: &Context<'_>,
    parts: &[Arc<Part>],
    done: &mut [bool],
    controller: &mut Controller,
) -> Result<(), Halt> {
    let mut waiting: VecDeque<usize> = (0..parts.len()).filter(|n| !done[*n]).collect();
    let mut running = FuturesUnordered::new();
    // The part, complete, that the platform is asked to keep longer.
    let mut keeping = None;
    let (mut since, mut before) = (Instant::now(), ctx.tally.wire());
    // Fewer than allowed ran for a moment, there being no more parts.
    let mut full = true;
    loop {
        while running.len() - usize::from(keeping.is_some()) < controller.streams()
            && let Some(number) = waiting.pop_front()
        {
            running.push(work(ctx, parts, number, false));
        }
        // One at a time: there are hours for it.
        if keeping.is_none() && !running.is_empty() {
            keeping = (0..parts.len()).find(|n| done[*n] && parts[*n].is_due(ctx));
            running.extend(keeping.map(|number| work(ctx, parts, number, true)));
        }
        full &= running.len() - usize::from(keeping.is_some()) >= controller.streams();
        let left = controller.look().saturating_sub(since.elapsed());
        match tokio::time::timeout(left, running.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some((number, _))) if keeping == Some(number) => keeping = None,
            Ok(Some((number, outcome))) => match outcome? {
                true => done[number] = true,
                // What was begun is finished first.
                false => waiting.push_front(number),
            },
            Err(_) => {}
        }
        if since.elapsed() >= controller.look() {
            let wire = ctx.tally.wire();
            controller.observe(Measured {
                goodput: (wire - before) as f64 / since.elapsed().as_secs_f64(),
                congested: ctx.congested.swap(false, Relaxed),
                full,
            });
            (since, before, full) = (Instant::now(), wire, true);
        }
    }
}

/// A part's next chunk, or, where it has all of them, a longer life.
async fn work(
    ctx: &Context<'_>,
    parts: &[Arc<Part>],
    number: usize,
    is_done: bool,
) -> (usize, Result<bool, Halt>) {
    let part = &parts[number];
    if is_done {
        keep(ctx, part).await;
        return (number, Ok(true));
    }
    (number, step(ctx, part).await)
}

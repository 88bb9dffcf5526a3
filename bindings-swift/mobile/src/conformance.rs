//! What only the conformance drivers and the tests need, and no build for users has: the client's spans and metrics as they
//! were seen, a clock that can be moved, and what became of each call.

#[path = "../../../tests/conformance/src/bin/driver/clock.rs"]
mod clock;
#[path = "../../../tests/conformance/src/bin/driver/watching.rs"]
mod watching;

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use crate::{
    failure::Failure,
    runtime::{self, Closing, Place, Running, SHARDS, counts},
};

/// Watches from now on.
#[uniffi::export]
pub fn watch_begin() {
    watching::begin();
}

/// What was seen so far, as JSON: `spans`, `metrics` or `text`.
#[uniffi::export]
pub fn watch_seen(what: String) -> String {
    match what.as_str() {
        "spans" => watching::spans(),
        "metrics" => watching::metrics(),
        _ => watching::text(),
    }
    .to_string()
}

/// Moves the clock of the threads' timers.
#[uniffi::export]
pub async fn advance(by: Duration) -> Result<(), Failure> {
    let open = Closing::default();
    for thread in 0..SHARDS {
        let moved = Box::pin(async move {
            clock::move_on(by).await;
            Ok(Vec::new())
        });
        Running::<()>::of(runtime::start(Place::on(thread), &open, moved)).await?;
    }
    Ok(())
}

/// What became of the calls so far.
#[derive(uniffi::Record)]
pub struct CallCounts {
    /// Calls that began.
    pub started: u64,
    /// Calls that came to an end by themselves, well or not.
    pub finished: u64,
    /// Calls that were dropped before.
    pub dropped: u64,
}

/// What became of the calls so far.
#[uniffi::export]
pub fn call_counts() -> CallCounts {
    CallCounts {
        started: counts::STARTED.load(SeqCst),
        finished: counts::FINISHED.load(SeqCst),
        dropped: counts::DROPPED.load(SeqCst),
    }
}

//! What only the conformance driver needs, and no build for users has: the client's spans and metrics as they were seen, and
//! a clock that can be moved.

#[path = "../../tests/conformance/src/bin/driver/clock.rs"]
mod clock;
#[path = "../../tests/conformance/src/bin/driver/watching.rs"]
pub(crate) mod watching;

use std::{sync::Arc, time::Duration};

use napi::Env;
use napi_derive::napi;
use storycore_shards::{Place, SHARDS};

use crate::bridge::{Bridge, Reply};

/// Watches from now on.
#[napi]
pub fn watch_begin() {
    watching::begin();
}

/// What was seen so far, as JSON: `spans`, `metrics` or `text`.
#[napi]
pub fn watch_seen(what: String) -> String {
    match what.as_str() {
        "spans" => watching::spans(),
        "metrics" => watching::metrics(),
        _ => watching::text(),
    }
    .to_string()
}

/// Moves the clock of one thread's timers.
#[napi]
pub fn advance(env: Env, bridge: &Bridge, id: u32, thread: u32, ms: f64) -> napi::Result<()> {
    let place = Place::on(thread as usize % SHARDS);
    Arc::clone(&bridge.0).run(&env, id, place, async move {
        clock::move_on(Duration::from_secs_f64(ms / 1000.0)).await;
        Ok(Reply::Nothing)
    })
}

/// How many threads make calls.
#[napi]
pub fn threads() -> u32 {
    SHARDS as u32
}

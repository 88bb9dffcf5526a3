//! What only the conformance driver needs, and no build for users has: a clock that can be moved, by which all timers of the
//! client go, and a call that breaks inside.

#[path = "../../tests/conformance/src/bin/driver/clock.rs"]
mod clock;

use std::{
    cell::Cell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use pyo3::prelude::*;
use tokio::sync::{Mutex, watch};

use crate::{bridge::Shards, resources::Resources};

/// How far the clock was moved in all.
static MOVED: LazyLock<watch::Sender<Duration>> =
    LazyLock::new(|| watch::Sender::new(Duration::ZERO));

/// A runtime's own clock, as far as it was moved.
#[derive(Default)]
pub(crate) struct Clock(Cell<Duration>);

impl Clock {
    /// Moves the clock of this runtime to where all are.
    pub(crate) async fn catch_up(&self) {
        let moved = *MOVED.borrow();
        let by = moved.saturating_sub(self.0.replace(moved));
        if !by.is_zero() || clock::stands() {
            advance(by).await;
        }
    }

    /// Does `work` while the clock is moved.
    pub(crate) async fn accompanying<T>(&self, work: impl Future<Output = T>) -> T {
        let work = std::pin::pin!(work);
        let clock = std::pin::pin!(self.follow());
        match futures_util::future::select(work, clock).await {
            futures_util::future::Either::Left((outcome, _)) => outcome,
            // It follows as long as the process lives.
            futures_util::future::Either::Right(((), work)) => work.await,
        }
    }

    /// The same each time that all are moved.
    async fn follow(&self) {
        let mut moves = MOVED.subscribe();
        while moves.changed().await.is_ok() {
            self.catch_up().await;
        }
    }
}

thread_local! {
    /// One after another: a clock that stands cannot be stopped once more.
    static TURN: Arc<Mutex<()>> = Arc::default();
}

async fn advance(by: Duration) {
    let turn = TURN.with(Arc::clone);
    let _turn = turn.lock().await;
    clock::move_on(by).await;
}

/// A call that panics, when it is made or when it is first looked at.
#[pyfunction]
#[pyo3(name = "_panic")]
pub(crate) fn break_inside(client: &Bound<'_, Resources>, at_once: bool) -> PyResult<Py<PyAny>> {
    client.get().0.run(client.py(), move |_| {
        assert!(!at_once, "broken on purpose, where the call is made");
        async { Err::<(), _>(broken()) }
    })
}

fn broken() -> storycore::Error {
    panic!("broken on purpose, in the call")
}

/// Moves the clock of every timer of this process on by so many milliseconds.
#[pyfunction]
#[pyo3(name = "_advance")]
pub(crate) fn advance_all(ms: f64) -> PyResult<()> {
    let by = Duration::from_secs_f64(ms / 1000.0);
    MOVED.send_modify(|moved| *moved += by);
    let shards = Shards::get()?;
    for shard in 0..Shards::COUNT {
        // It is not waited for: the scenario gives the timers a moment to act.
        shards.submit(shard, move || advance(by));
    }
    Ok(())
}

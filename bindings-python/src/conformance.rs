//! What only the conformance driver needs, and no build for users has: a clock that can be moved, by which all timers of the
//! client go, and a call that breaks inside.

#[path = "../../tests/conformance/src/bin/driver/clock.rs"]
mod clock;

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Arc, Condvar, LazyLock, Mutex as StdMutex, MutexGuard, PoisonError, mpsc},
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

/// How far the clocks are moved that calls under way go by, each under a number of its own.
static FOLLOWING: LazyLock<StdMutex<HashMap<usize, Duration>>> = LazyLock::new(Default::default);
static HAS_FOLLOWED: Condvar = Condvar::new();

fn following() -> MutexGuard<'static, HashMap<usize, Duration>> {
    FOLLOWING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that a call under way goes by, until it is dropped.
struct Follower(usize);

impl Follower {
    fn of(clock: &Clock) -> Self {
        let mut all = following();
        let number = all.keys().max().map_or(0, |last| last + 1);
        all.insert(number, clock.0.get());
        Self(number)
    }

    fn is_at(&self, moved: Duration) {
        following().insert(self.0, moved);
        HAS_FOLLOWED.notify_all();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        following().remove(&self.0);
        HAS_FOLLOWED.notify_all();
    }
}

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
        // Whoever moves them meanwhile waits for this one, too.
        let follower = Follower::of(self);
        loop {
            if *moves.borrow_and_update() > self.0.get() {
                self.catch_up().await;
            }
            follower.is_at(self.0.get());
            if moves.changed().await.is_err() {
                return;
            }
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

/// Moves the clock of every timer of this process on by so many milliseconds, and waits until each of them stands there: a call
/// that was made before its thread's clock was moved would go by the time before.
#[pyfunction]
#[pyo3(name = "_advance")]
pub(crate) fn advance_all(py: Python<'_>, ms: f64) -> PyResult<()> {
    let by = Duration::from_secs_f64(ms / 1000.0);
    let mut to = Duration::ZERO;
    MOVED.send_modify(|moved| {
        *moved += by;
        to = *moved;
    });
    let shards = Shards::get()?;
    let (tell, moved) = mpsc::channel();
    for shard in 0..Shards::COUNT {
        let tell = tell.clone();
        shards.submit(shard, move || async move {
            advance(by).await;
            let _ = tell.send(());
        });
    }
    drop(tell);
    py.detach(move || {
        // Ends when each has told, or has gone.
        moved.iter().for_each(drop);
        let is_behind = |all: &mut HashMap<usize, Duration>| all.values().any(|at| *at < to);
        drop(HAS_FOLLOWED.wait_while(following(), is_behind));
    });
    Ok(())
}

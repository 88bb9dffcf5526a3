//! Sync calls: each borrows a place, which is a runtime and connections that only its borrower drives, so that an answer
//! wakes the thread that waits for it and no other.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use pyo3::prelude::*;
use storycore::Client;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{Failure, teller::Told, turn};

/// How often a waiting call looks whether a signal came. One that is shorter does not notice that its client is closed.
const LOOK: Duration = Duration::from_millis(50);

/// Idle places that are kept, each with its connections.
const MOST_IDLE: usize = 64;

/// The places of one client that nobody uses now, each with the thread that used it; the last one that was used stands last.
#[derive(Default)]
pub(super) struct Places(Mutex<Vec<(usize, Box<Place>)>>);

struct Place {
    runtime: Option<Runtime>,
    client: Client,
    /// When to look for signals. It goes on from call to call: a timer that is set anew each time costs more.
    looks: Interval,
    #[cfg(feature = "conformance")]
    clock: crate::conformance::Clock,
}

impl Place {
    fn new(client: &Client) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let looks = {
            let _entered = runtime.enter();
            let mut looks = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
            // Those that were due between two calls are not made up for.
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        };
        Ok(Self {
            runtime: Some(runtime),
            client: client.with_own_connections(),
            looks,
            #[cfg(feature = "conformance")]
            clock: Default::default(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Places {
    /// Does `work` on this thread.
    pub(super) fn wait<T, F, W>(
        &self,
        client: &Client,
        closing: &CancellationToken,
        work: W,
    ) -> Result<T, Failure>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>>,
        W: FnOnce(&Client) -> F + Send,
    {
        if tokio::runtime::Handle::try_current().is_ok() {
            // Called by a callback of a call that this thread already waits for: a runtime cannot run inside another.
            let another = || self.wait(client, closing, work);
            return std::thread::scope(|scope| match scope.spawn(another).join() {
                Ok(waited) => waited,
                Err(panic) => std::panic::resume_unwind(panic),
            });
        }
        let mut place = match self.take() {
            Some(place) => place,
            None => Box::new(Place::new(client)?),
        };
        let Place {
            runtime,
            client,
            looks,
            #[cfg(feature = "conformance")]
            clock,
        } = &mut *place;
        let runtime = runtime.as_ref().expect("it is taken when the place is dropped");
        let whole = async {
            #[cfg(feature = "conformance")]
            clock.catch_up().await;
            let work = work(client);
            #[cfg(feature = "conformance")]
            let work = clock.accompanying(work);
            tokio::select! {
                biased;
                outcome = work => Ok(outcome),
                stopped = stopped(looks, closing) => Err(stopped),
            }
        };
        let waited = catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole)));
        // What was stopped in the middle, or broke, goes with its place: nobody would drive its connections to their end.
        let waited = waited.unwrap_or(Err(Failure::Inside))?;
        if !matches!(waited, Err(Failure::Raised(_))) {
            self.give_back(place, closing);
        }
        waited
    }

    /// The one that this thread used last: what it keeps in memory is most likely in this core's caches, and was allocated by
    /// this thread. Else the one that anybody used last.
    fn take(&self) -> Option<Box<Place>> {
        let here = turn::here();
        let mut idle = self.lock();
        let own = idle.iter().rposition(|(thread, _)| *thread == here);
        let at = own.or(idle.len().checked_sub(1))?;
        Some(idle.remove(at).1)
    }

    /// A client that was closed meanwhile gets none back: nobody would close its connections. It is looked at under the lock
    /// under which they are closed.
    fn give_back(&self, place: Box<Place>, closing: &CancellationToken) {
        let mut idle = self.lock();
        if idle.len() < MOST_IDLE && !closing.is_cancelled() {
            idle.push((turn::here(), place));
        }
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Box<Place>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when Python's handler of a signal raised something, as that of Ctrl-C does, or the client was closed. Handlers run on
/// the main thread alone.
async fn stopped(looks: &mut Interval, closing: &CancellationToken) -> Failure {
    // Calls that follow each other share the looks: most end before the next one, and pay nothing for being stoppable.
    looks.tick().await;
    loop {
        if let Err(error) = Python::attach(|py| py.check_signals()) {
            return Failure::Raised(error);
        }
        tokio::select! {
            biased;
            () = closing.cancelled() => return Failure::Closed,
            _ = looks.tick() => {}
        }
    }
}

/// Waits until another thread says that it is done, by sending nothing, and does meanwhile what it is told.
pub(super) fn listen(py: Python<'_>, mut said: Receiver<Option<Told>>) -> Result<(), Failure> {
    loop {
        let heard;
        (heard, said) = py.detach(move || (said.recv_timeout(LOOK), said));
        match heard {
            Ok(Some(told)) => told(py),
            Ok(None) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Closed),
            Err(RecvTimeoutError::Timeout) => py.check_signals().map_err(Failure::Raised)?,
        }
    }
}

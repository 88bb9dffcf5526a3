//! Sync calls: each borrows a place, which is a runtime and connections that only its borrower drives, so that an answer
//! wakes the thread that waits for it and no other.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use pyo3::prelude::*;
use storycore::Client;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::{Failure, teller::Told};

/// How often a waiting call looks whether a signal came.
const SIGNALS: Duration = Duration::from_millis(50);

/// Idle places that are kept, each with its connections.
const MOST_IDLE: usize = 64;

/// The places of one client that nobody uses now; the last one that was used stands last.
#[derive(Default)]
pub(super) struct Places(Mutex<Vec<Place>>);

struct Place {
    runtime: Option<Runtime>,
    client: Client,
    #[cfg(feature = "conformance")]
    clock: crate::conformance::Clock,
}

impl Place {
    fn new(client: &Client) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            runtime: Some(runtime),
            client: client.with_own_connections(),
            #[cfg(feature = "conformance")]
            clock: Default::default(),
        })
    }
}

#[cfg(feature = "conformance")]
impl Place {
    /// Does `work` while the clock is moved.
    async fn accompanied<T>(&self, work: impl Future<Output = T>) -> T {
        let work = std::pin::pin!(work);
        let clock = std::pin::pin!(self.clock.follow());
        match futures_util::future::select(work, clock).await {
            futures_util::future::Either::Left((outcome, _)) => outcome,
            // It follows as long as the process lives.
            futures_util::future::Either::Right(((), work)) => work.await,
        }
    }
}

#[cfg(not(feature = "conformance"))]
impl Place {
    fn accompanied<F>(&self, work: F) -> F {
        work
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
        let place = match self.take() {
            Some(place) => place,
            None => Place::new(client)?,
        };
        let runtime = place.runtime.as_ref().expect("it is taken when the place is dropped");
        let (waited, is_whole) = runtime.block_on(async {
            #[cfg(feature = "conformance")]
            place.clock.catch_up().await;
            let work = place.accompanied(work(&place.client));
            tokio::select! {
                biased;
                outcome = work => (outcome, true),
                error = interrupted() => (Err(Failure::Raised(error)), false),
                () = closing.cancelled() => (Err(Failure::Closed), false),
            }
        });
        // What was stopped in the middle goes with its place: nobody would drive its connections to their end.
        if is_whole && !matches!(waited, Err(Failure::Raised(_))) {
            self.give_back(place);
        }
        waited
    }

    fn take(&self) -> Option<Place> {
        self.lock().pop()
    }

    fn give_back(&self, place: Place) {
        let mut idle = self.lock();
        if idle.len() < MOST_IDLE {
            idle.push(place);
        }
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when Python's handler of a signal raised something, as that of Ctrl-C does. Handlers run on the main thread alone.
async fn interrupted() -> PyErr {
    loop {
        tokio::time::sleep(SIGNALS).await;
        if let Err(error) = Python::attach(|py| py.check_signals()) {
            return error;
        }
    }
}

/// Waits until another thread says that it is done, by sending nothing, and does meanwhile what it is told.
pub(super) fn listen(py: Python<'_>, mut said: Receiver<Option<Told>>) -> Result<(), Failure> {
    loop {
        let heard;
        (heard, said) = py.detach(move || (said.recv_timeout(SIGNALS), said));
        match heard {
            Ok(Some(told)) => told(py),
            Ok(None) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::Closed),
            Err(RecvTimeoutError::Timeout) => py.check_signals().map_err(Failure::Raised)?,
        }
    }
}

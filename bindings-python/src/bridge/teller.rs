//! A call's own Python functions: where they run, and that what one of them raises ends the call and is what it raises.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
    mpsc::Sender,
};

use pyo3::prelude::*;
use storycore::Error;
use tokio::sync::Notify;

use super::{Failure, event_loop::EventLoop};

/// Something to be done while the interpreter is held.
pub(super) type Told = Box<dyn FnOnce(Python<'_>) + Send>;

/// Calls the functions of one call: on the thread that waits, or in the event loop.
#[derive(Clone)]
pub(crate) struct Teller {
    place: Place,
    raised: Arc<Raised>,
}

#[derive(Clone)]
enum Place {
    /// The thread that does the call is the one that waits for it.
    Here,
    /// The thread that waits for the call reads this.
    Waiting(Sender<Option<Told>>),
    Loop(Arc<EventLoop>),
}

#[derive(Default)]
struct Raised {
    error: Mutex<Option<PyErr>>,
    has_raised: AtomicBool,
    rung: Notify,
}

impl Teller {
    fn at(place: Place) -> Self {
        Self { place, raised: Arc::default() }
    }

    pub(super) fn here() -> Self {
        Self::at(Place::Here)
    }

    pub(super) fn waiting(told: Sender<Option<Told>>) -> Self {
        Self::at(Place::Waiting(told))
    }

    pub(super) fn within(event_loop: Arc<EventLoop>) -> Self {
        Self::at(Place::Loop(event_loop))
    }

    /// Has a function called, unless one raised something before.
    pub(crate) fn tell(&self, function: impl FnOnce(Python<'_>) -> PyResult<()> + Send + 'static) {
        let this = self.clone();
        let told = move |py: Python<'_>| {
            if !this.raised.has_raised.load(Relaxed)
                && let Err(error) = function(py)
            {
                this.raise(error);
            }
        };
        match &self.place {
            Place::Here => Python::attach(told),
            // One that was interrupted listens no more.
            Place::Waiting(waiting) => drop(waiting.send(Some(Box::new(told)))),
            Place::Loop(event_loop) => event_loop.tell(Box::new(told)),
        }
    }

    /// Ends the call with this.
    pub(crate) fn raise(&self, error: PyErr) {
        self.lock().get_or_insert(error);
        self.raised.has_raised.store(true, Relaxed);
        self.raised.rung.notify_one();
    }

    /// What was raised, once.
    pub(super) fn taken(&self) -> Option<PyErr> {
        if self.raised.has_raised.load(Relaxed) { self.lock().take() } else { None }
    }

    /// Does `work` until something is raised.
    pub(super) async fn or<T>(
        self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Failure> {
        let outcome = tokio::select! {
            biased;
            () = self.raised.rung.notified() => Err(Failure::Closed),
            outcome = work => outcome.map_err(Failure::Client),
        };
        self.taken().map_or(outcome, |error| Err(Failure::Raised(error)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<PyErr>> {
        self.raised.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

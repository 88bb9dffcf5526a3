//! Where calls run. A sync client's run on the thread that makes them; an async client's on threads of this module's own.
//! Nothing begins before the first call, and a process that was forked off begins anew.

mod blocking;
mod process;

use std::sync::Arc;

use pyo3::prelude::*;
use storycore::{CallOptions, Client, Error};
use tokio_util::sync::CancellationToken;

use self::{blocking::Places, process::PerProcess};
use crate::errors;

/// What every call of a client needs: the client itself, its connections in this process, and whether it was closed.
pub(crate) struct Handle {
    shared: Arc<Shared>,
    options: Option<CallOptions>,
    closing: CancellationToken,
    is_async: bool,
}

/// What a client and those made by its `with_options` share.
struct Shared {
    client: Client,
    places: PerProcess<Places>,
}

/// What a call gives, as Python sees it.
pub(crate) trait Give: Send + 'static {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

impl Give for () {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }
}

impl Handle {
    pub(crate) fn new(client: Client, is_async: bool) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared { client, places: PerProcess::default() }),
            options: None,
            closing: CancellationToken::new(),
            is_async,
        })
    }

    /// The same client with options for its calls; closing it leaves this one open, closing this one closes it.
    pub(crate) fn with(&self, options: CallOptions) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            options: Some(options),
            closing: self.closing.child_token(),
            is_async: self.is_async,
        })
    }

    /// The client that every other one is made of.
    pub(crate) fn client(&self) -> Client {
        self.configured(&self.shared.client)
    }

    pub(crate) fn is_async(&self) -> bool {
        self.is_async
    }

    /// Makes a call: gives its result, or what is awaited for it.
    pub(crate) fn run<T, F, W>(&self, py: Python<'_>, work: W) -> PyResult<Py<PyAny>>
    where
        T: Give,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Client) -> F + Send + 'static,
    {
        self.wait(py, work)?.give(py)
    }

    /// Makes a call and waits for it on this thread, without holding the interpreter.
    pub(crate) fn wait<T, F, W>(&self, py: Python<'_>, work: W) -> PyResult<T>
    where
        T: Send,
        F: Future<Output = Result<T, Error>>,
        W: FnOnce(Client) -> F + Send,
    {
        if self.closing.is_cancelled() {
            return Err(errors::closed(py));
        }
        let waited = py.detach(|| {
            let places = self.shared.places.get_or_make(Places::default);
            places.wait(&self.shared.client, &self.closing, |client| work(self.configured(client)))
        });
        waited.raise(py)
    }

    /// Ends what is under way, and closes the connections.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        if self.options.is_none()
            && let Some(places) = self.shared.places.get()
        {
            places.clear();
        }
    }

    fn configured(&self, client: &Client) -> Client {
        match &self.options {
            Some(options) => client.with(options.clone()),
            None => client.clone(),
        }
    }
}

/// How waiting ended.
enum Waited<T> {
    Answered(Result<T, Error>),
    /// Python's own handler of a signal raised this.
    Interrupted(PyErr),
    Closed,
    NoRuntime(std::io::Error),
}

impl<T> Waited<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T> {
        match self {
            Self::Answered(outcome) => outcome.map_err(|error| errors::raised(py, error)),
            Self::Interrupted(error) => Err(error),
            Self::Closed => Err(errors::closed(py)),
            Self::NoRuntime(error) => Err(error.into()),
        }
    }
}

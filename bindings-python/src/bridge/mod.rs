//! Where calls run. A sync client's run on the thread that makes them; an async client's, and lists that fetch ahead, on
//! threads of this module's own. Nothing begins before the first call, and a process that was forked off begins anew.

mod awaited;
mod blocking;
mod closing;
mod event_loop;
mod process;
mod shards;
mod teller;
mod turn;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt as _, TryFutureExt as _, future::AbortHandle};
use pyo3::prelude::*;
use storycore::{CallOptions, Client, Error};

pub(crate) use self::awaited::{Call, Ready};
use self::{blocking::Places, closing::Closing, process::PerProcess, shards::ShardClients};
pub(crate) use self::{shards::Shards, teller::Teller};
use crate::{errors, logs, telemetry};

/// What every call of a client needs: the client itself, its connections in this process, and whether it was closed.
pub(crate) struct Handle {
    shared: Arc<Shared>,
    options: Option<CallOptions>,
    closing: Arc<Closing>,
    is_async: bool,
}

/// What a client and those made by its `with_options` share.
struct Shared {
    client: Client,
    local: PerProcess<Local>,
}

/// What a client has in one process.
#[derive(Default)]
struct Local {
    places: Places,
    shard_clients: ShardClients,
}

/// What a call gives, as Python sees it. It is on the heap, as Python has it in the end: on its way there it would be moved from
/// layer to layer.
pub(crate) trait Give: Send + 'static {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>>;
}

impl Give for () {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(py.None())
    }
}

impl Give for bytes::Bytes {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(pyo3::types::PyBytes::new(py, &self).into_any().unbind())
    }
}

/// A call that is waited for. The same type for all calls, so that what waits is compiled once.
type Waited = Pin<Box<dyn Future<Output = Result<Box<dyn Give>, Failure>> + Send>>;

/// Why a call gives nothing.
pub(crate) enum Failure {
    Client(Error),
    /// Python code that the call uses raised this, or a handler of a signal did.
    Raised(PyErr),
    Closed,
    /// Something that must not happen; kept from leaving whoever waits without an answer.
    Inside,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Raised(error.into())
    }
}

impl Failure {
    pub(crate) fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Client(error) => errors::raised(py, error),
            Self::Raised(error) => error,
            Self::Closed => errors::closed(py),
            Self::Inside => errors::inside(py),
        }
    }
}

impl Handle {
    pub(crate) fn new(client: Client, is_async: bool) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared { client, local: PerProcess::default() }),
            options: None,
            closing: Arc::default(),
            is_async,
        })
    }

    /// The same client with options for its calls, over those that it has; closing it leaves this one open, closing this one closes
    /// it.
    pub(crate) fn with(&self, options: CallOptions) -> Arc<Self> {
        let options = match &self.options {
            Some(below) => options.over(below),
            None => options,
        };
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            options: Some(options),
            closing: Closing::below(&self.closing),
            is_async: self.is_async,
        })
    }

    /// The client that every other one is made of.
    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn is_async(&self) -> bool {
        self.is_async
    }

    /// Makes a call: gives its result, or what is awaited for it.
    pub(crate) fn run<T, F, W>(self: &Arc<Self>, py: Python<'_>, work: W) -> PyResult<Py<PyAny>>
    where
        T: Give,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Client) -> F + Send + 'static,
    {
        if self.is_async {
            return self.run_telling(py, |client, _| work(client));
        }
        self.check_open(py)?;
        let options = self.options(py)?;
        let work = |client| -> Waited { in_place(|| work(client).map(given)) };
        self.wait(py, options, Box::new(work))?.give(py)
    }

    /// Makes a call that has Python functions of its own to be told.
    pub(crate) fn run_telling<T, F, W>(
        self: &Arc<Self>,
        py: Python<'_>,
        work: W,
    ) -> PyResult<Py<PyAny>>
    where
        T: Give,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Client, Teller) -> F + Send + 'static,
    {
        if self.is_async {
            let call = self.call(py, work)?;
            return Ok(Py::new(py, call)?.into_any());
        }
        self.check_open(py)?;
        let options = self.options(py)?;
        let teller = Teller::here();
        let work = |client| -> Waited {
            let told = teller.clone();
            Box::pin(
                told.or(in_place(|| work(client, teller))).map_ok(|value| Box::new(value) as _),
            )
        };
        self.wait(py, options, Box::new(work))?.give(py)
    }

    /// A call that is to be awaited.
    pub(crate) fn call<T, F, W>(self: &Arc<Self>, py: Python<'_>, work: W) -> PyResult<Call>
    where
        T: Give,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Client, Teller) -> F + Send + 'static,
    {
        self.check_open(py)?;
        let options = self.options(py)?;
        Ok(self
            .awaited(options, None, work, |py, outcome: PyResult<T>| Box::new(outcome?).give(py)))
    }

    /// A call that is awaited: done on `shard`, or wherever there is room. `give` makes of it what Python sees.
    fn awaited<T, F, W>(
        self: &Arc<Self>,
        options: Option<CallOptions>,
        shard: Option<usize>,
        work: W,
        give: impl FnOnce(Python<'_>, PyResult<T>) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Call
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        W: FnOnce(Client, Teller) -> F + Send + 'static,
    {
        let handle = Arc::clone(self);
        Call::new(move |event_loop, token| {
            let teller = Teller::within(Arc::clone(&event_loop));
            let told = teller.clone();
            let work = |client| teller.clone().or(in_place(|| work(client, teller)));
            handle.launch(options, shard, work, move |outcome| {
                let give = move |py: Python<'_>| {
                    // What was told last was told before this.
                    let outcome = told.taken().map_or(outcome, |error| Err(Failure::Raised(error)));
                    give(py, outcome.map_err(|failure| failure.raised(py)))
                };
                event_loop.complete(token, Box::new(give));
            })
        })
    }

    /// Waits on this thread, without holding the interpreter.
    fn wait(
        &self,
        py: Python<'_>,
        options: Option<CallOptions>,
        work: Box<dyn FnOnce(Client) -> Waited + Send + '_>,
    ) -> PyResult<Box<dyn Give>> {
        let waited = py.detach(|| {
            turn::leave();
            let local = self.shared.local.get_or_make(Local::default);
            let work = |client: &Client| work(configured(client, options));
            let waited = local.places.wait(&self.shared.client, &self.closing.token(), work);
            turn::come();
            waited
        });
        turn::has_come();
        logs::flush(py)?;
        waited.map_err(|failure| failure.raised(py))
    }

    /// Begins work on a thread of this module's own, which says how it ended. Aborting it stops its requests.
    fn launch<T, F, W>(
        &self,
        options: Option<CallOptions>,
        shard: Option<usize>,
        work: W,
        done: impl FnOnce(Result<T, Failure>) + Send + 'static,
    ) -> PyResult<AbortHandle>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
        W: FnOnce(Client) -> F + Send + 'static,
    {
        let shards = Shards::get()?;
        let shard = shard.unwrap_or_else(|| shards.choose());
        let local = self.shared.local.get_or_make(Local::default);
        let client = local.shard_clients.of(shard, &self.shared.client);
        let closing = self.closing.token();
        Ok(shards.submit(shard, move || {
            let work = catch_unwind(AssertUnwindSafe(|| work(configured(&client, options))));
            async move {
                let outcome = match work {
                    Ok(work) => tokio::select! {
                        biased;
                        outcome = AssertUnwindSafe(work).catch_unwind() => {
                            outcome.unwrap_or(Err(Failure::Inside))
                        }
                        () = closing.cancelled() => Err(Failure::Closed),
                    },
                    Err(_) => Err(Failure::Inside),
                };
                done(outcome);
            }
        }))
    }

    /// Begins what nobody waits for yet, where a list is fetched. It is stopped with what is given back.
    pub(crate) fn ahead(
        &self,
        shard: usize,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> PyResult<Stopped> {
        let work = Box::pin(async {
            work.await;
            Ok(())
        });
        self.launch(None, Some(shard), |_| work, drop).map(Stopped)
    }

    /// Where a list that goes on by itself is fetched, and the client for it.
    pub(crate) fn settle(&self, py: Python<'_>) -> PyResult<(usize, Client)> {
        self.check_open(py)?;
        let shard = Shards::get()?.choose();
        let local = self.shared.local.get_or_make(Local::default);
        let client = local.shard_clients.of(shard, &self.shared.client);
        Ok((shard, configured(&client, self.options(py)?)))
    }

    /// The next step of something that goes on by itself, waited for or awaited. `give` makes of it what Python sees.
    pub(crate) fn step<T, F>(
        self: &Arc<Self>,
        py: Python<'_>,
        shard: usize,
        work: impl FnOnce(Teller) -> F + Send + 'static,
        give: impl FnOnce(Python<'_>, PyResult<T>) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.check_open(py)?;
        if self.is_async {
            let call = self.awaited(None, Some(shard), |_, teller| work(teller), give);
            return Ok(Py::new(py, call)?.into_any());
        }
        let (told, said) = std::sync::mpsc::channel();
        let teller = Teller::waiting(told.clone());
        let heard = teller.clone();
        let ended = Arc::new(Mutex::new(None));
        let end = Arc::clone(&ended);
        let under_way = self.launch(
            None,
            Some(shard),
            |_| teller.clone().or(in_place(|| work(teller))),
            move |outcome| {
                *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                let _ = told.send(None);
            },
        )?;
        let waited = blocking::listen(py, said);
        if waited.is_err() {
            under_way.abort();
        }
        let waited = waited.and_then(|()| logs::flush(py).map_err(Failure::Raised));
        let outcome = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What was told last was told when the work had ended, and may have raised something.
        let outcome = waited.and_then(|()| match heard.taken() {
            Some(error) => Err(Failure::Raised(error)),
            None => outcome.unwrap_or(Err(Failure::Closed)),
        });
        give(py, outcome.map_err(|failure| failure.raised(py)))
    }

    /// Ends what is under way, and closes the connections.
    pub(crate) fn close(&self) {
        self.closing.close();
        if self.options.is_none()
            && let Some(local) = self.shared.local.get()
        {
            local.places.clear();
            local.shard_clients.clear();
        }
    }

    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        if self.closing.is_closed() { Err(errors::closed(py)) } else { Ok(()) }
    }

    /// The options of a call that begins now: those of this client, and the caller's trace.
    fn options(&self, py: Python<'_>) -> PyResult<Option<CallOptions>> {
        let Some(trace) = telemetry::traceparent(py)? else { return Ok(self.options.clone()) };
        let options = self.options.clone().unwrap_or_default();
        let options = options.header("traceparent", &trace);
        options.map(Some).map_err(|error| errors::raised(py, error))
    }
}

/// Something under way, which is stopped when this is dropped.
pub(crate) struct Stopped(AbortHandle);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn given<T: Give>(outcome: Result<T, Error>) -> Result<Box<dyn Give>, Failure> {
    match outcome {
        Ok(value) => Ok(Box::new(value)),
        Err(error) => Err(Failure::Client(error)),
    }
}

/// A call's state, which is some kilobytes of which few are used, on the heap: each layer around it would move them once more.
/// The room for it is there before it is made, or it would be made elsewhere first, and copied.
fn in_place<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, make()))
}

fn configured(client: &Client, options: Option<CallOptions>) -> Client {
    match options {
        Some(options) => client.with(options),
        None => client.clone(),
    }
}

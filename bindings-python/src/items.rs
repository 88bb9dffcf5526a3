//! What goes on by itself: pages, items and events, as Python's iterators and async iterators. The next page is on its way
//! while this one is read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture};
use pyo3::{
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    prelude::*,
    sync::MutexExt as _,
    types::PyList,
};
use storycore::{Client, Error, models as core};
use tokio::sync::oneshot;

use crate::{
    bridge::{Give, Handle, Ready, Stopped, Teller},
    models::Model,
    object::Held,
    page::Listed,
};

/// Several objects that arrived together.
pub(crate) trait Batch: Send {
    fn next(&mut self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>>;
}

/// The rows of a page.
struct Rows<T> {
    rows: Arc<[T]>,
    at: usize,
}

impl<T: Model> Batch for Rows<T> {
    fn next(&mut self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        if self.at == self.rows.len() {
            return None;
        }
        self.at += 1;
        Some(T::python(py, Held::Row(Arc::clone(&self.rows), self.at - 1)))
    }
}

/// Objects that Python has already.
struct Had {
    rows: Py<PyList>,
    at: usize,
}

impl Batch for Had {
    fn next(&mut self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let row = self.rows.bind(py).get_item(self.at).ok()?;
        self.at += 1;
        Some(Ok(row.unbind()))
    }
}

/// The same for `async for`, where nothing comes after them.
#[pyclass(frozen)]
pub(crate) struct AsyncRows(Mutex<Had>);

impl AsyncRows {
    pub(crate) fn new(rows: Py<PyList>) -> Self {
        Self(Mutex::new(Had { rows, at: 0 }))
    }
}

#[pymethods]
impl AsyncRows {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match lock_attached(&self.0, py).next(py) {
            Some(row) => Ready::python(py, row?),
            None => Err(PyStopAsyncIteration::new_err(())),
        }
    }
}

/// One thing alone.
struct One<T>(Option<T>);

impl<T: Give> Batch for One<T> {
    fn next(&mut self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        self.0.take().map(|one| Box::new(one).give(py))
    }
}

/// Where batches come from.
type Source = Arc<tokio::sync::Mutex<dyn Batches>>;

type Fetched = Result<Option<Box<dyn Batch>>, Error>;

pub(crate) trait Batches: Send {
    fn next(&mut self) -> BoxFuture<'_, Fetched>;
}

/// Who is told while the next object is waited for.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Option<Teller>>>);

impl Told {
    pub(crate) fn tell(&self, function: impl FnOnce(Python<'_>) -> PyResult<()> + Send + 'static) {
        if let Some(teller) = &*lock(&self.0) {
            teller.tell(function);
        }
    }
}

/// A source whose first batch is fetched while something else is read.
struct Ahead {
    first: Option<(oneshot::Receiver<Fetched>, Stopped)>,
    rest: Source,
}

impl Batches for Ahead {
    fn next(&mut self) -> BoxFuture<'_, Fetched> {
        async {
            if let Some((first, _under_way)) = self.first.take()
                && let Ok(fetched) = first.await
            {
                return fetched;
            }
            self.rest.lock().await.next().await
        }
        .boxed()
    }
}

/// A stream, and what one element of it is.
struct Each<S, F>(S, F);

impl Batches for Box<dyn Batches> {
    fn next(&mut self) -> BoxFuture<'_, Fetched> {
        (**self).next()
    }
}

impl<S, T, F> Batches for Each<S, F>
where
    S: Stream<Item = Result<T, Error>> + Unpin + Send,
    T: Send,
    F: Fn(T) -> Box<dyn Batch> + Send + Sync,
{
    fn next(&mut self) -> BoxFuture<'_, Fetched> {
        async { Ok(self.0.next().await.transpose()?.map(&self.1)) }.boxed()
    }
}

/// Objects one after another, over all pages.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Items(Going);

/// Objects one after another, over all pages, for `async for`.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct AsyncItems(Going);

struct Going {
    handle: Arc<Handle>,
    shard: usize,
    source: Source,
    told: Told,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    batch: Option<Box<dyn Batch>>,
    is_under_way: bool,
    has_ended: bool,
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same where Python objects are made meanwhile. That may run other threads: one that waits here lets them.
fn lock_attached<'a, T>(state: &'a Mutex<T>, py: Python<'_>) -> MutexGuard<'a, T> {
    state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

impl Going {
    fn ready(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        lock_attached(&self.state, py).batch.as_mut()?.next(py)
    }

    /// Fetches the next batch that has something in it, and gives its first object; `end` is what comes after the last.
    fn fetch(&self, py: Python<'_>, end: fn() -> PyErr) -> PyResult<Py<PyAny>> {
        {
            let mut state = lock(&self.state);
            if state.has_ended {
                return Err(end());
            }
            if state.is_under_way {
                return Err(PyRuntimeError::new_err(
                    "the iterator is already waiting for its next object",
                ));
            }
            state.is_under_way = true;
        }
        let (source, state) = (Arc::clone(&self.source), Arc::clone(&self.state));
        let under_way = UnderWay(Arc::clone(&state));
        let told = self.told.clone();
        let work = move |teller| {
            *lock(&told.0) = Some(teller);
            async move { source.lock().await.next().await }
        };
        self.handle.step(py, self.shard, work, move |py, outcome| {
            let batch = outcome.inspect_err(|_| lock(&state).has_ended = true)?;
            let Some(mut batch) = batch else {
                lock(&state).has_ended = true;
                return Err(end());
            };
            // Another thread may take what comes after it as soon as the batch is there.
            let first = batch.next(py).expect("a batch has something in it");
            let before = lock(&state).batch.replace(batch);
            drop(under_way);
            // When nothing is locked: its end may run Python code.
            drop(before);
            first
        })
    }
}

/// Until it is dropped, the iterator waits.
struct UnderWay(Arc<Mutex<State>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0).is_under_way = false;
    }
}

#[pymethods]
impl Items {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.0.ready(py) {
            Some(object) => object,
            None => self.0.fetch(py, || PyStopIteration::new_err(())),
        }
    }
}

#[pymethods]
impl AsyncItems {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.0.ready(py) {
            Some(object) => Ready::python(py, object?),
            None => {
                if lock(&self.0.state).has_ended {
                    return Err(PyStopAsyncIteration::new_err(()));
                }
                self.0.fetch(py, || PyStopAsyncIteration::new_err(()))
            }
        }
    }
}

impl Handle {
    /// Every page, one after another.
    pub(crate) fn pages<T: Model>(
        self: &Arc<Self>,
        py: Python<'_>,
        of: impl FnOnce(&Client) -> storycore::Pages<T>,
    ) -> PyResult<Py<PyAny>> {
        let is_async = self.is_async();
        self.going(py, |client| {
            Each(of(client), move |page: core::Page<T>| -> Box<dyn Batch> {
                Box::new(One(Some(Listed::alone(page, is_async))))
            })
        })
    }

    /// Every object, over all pages.
    pub(crate) fn items<T: Model>(
        self: &Arc<Self>,
        py: Python<'_>,
        of: impl FnOnce(&Client) -> storycore::Items<T>,
    ) -> PyResult<Py<PyAny>> {
        self.going(py, |client| rows(of(client)))
    }

    /// Every object that Python has already, and those that come after it, of which the first are fetched meanwhile.
    pub(crate) fn following(
        self: &Arc<Self>,
        py: Python<'_>,
        had: Py<PyList>,
        after: impl FnOnce(&Client) -> Box<dyn Batches>,
    ) -> PyResult<Py<PyAny>> {
        let (shard, client) = self.settle(py)?;
        let rest: Source = Arc::new(tokio::sync::Mutex::new(after(&client)));
        let (sender, first) = oneshot::channel();
        let source = Arc::clone(&rest);
        let under_way = self.ahead(shard, async move {
            let fetched = source.lock().await.next().await;
            let _ = sender.send(fetched);
        })?;
        let source = Ahead { first: Some((first, under_way)), rest };
        let had: Box<dyn Batch> = Box::new(Had { rows: had, at: 0 });
        let state = State { batch: Some(had), ..State::default() };
        self.gone(py, shard, source, Told::default(), state)
    }

    /// What happens, as it happens.
    pub(crate) fn stream<T, S>(
        self: &Arc<Self>,
        py: Python<'_>,
        of: impl FnOnce(&Client) -> S,
    ) -> PyResult<Py<PyAny>>
    where
        T: Give,
        S: Stream<Item = Result<T, Error>> + Unpin + Send + 'static,
    {
        self.telling(py, |client, _| of(client))
    }

    /// The same of something that tells of itself meanwhile.
    pub(crate) fn telling<T, S>(
        self: &Arc<Self>,
        py: Python<'_>,
        of: impl FnOnce(&Client, &Told) -> S,
    ) -> PyResult<Py<PyAny>>
    where
        T: Give,
        S: Stream<Item = Result<T, Error>> + Unpin + Send + 'static,
    {
        let (shard, client) = self.settle(py)?;
        let told = Told::default();
        let each =
            Each(of(&client, &told), |one: T| -> Box<dyn Batch> { Box::new(One(Some(one))) });
        self.gone(py, shard, each, told, State::default())
    }

    fn going<B: Batches + 'static>(
        self: &Arc<Self>,
        py: Python<'_>,
        source: impl FnOnce(&Client) -> B,
    ) -> PyResult<Py<PyAny>> {
        let (shard, client) = self.settle(py)?;
        self.gone(py, shard, source(&client), Told::default(), State::default())
    }

    fn gone<B: Batches + 'static>(
        self: &Arc<Self>,
        py: Python<'_>,
        shard: usize,
        source: B,
        told: Told,
        state: State,
    ) -> PyResult<Py<PyAny>> {
        let going = Going {
            handle: Arc::clone(self),
            shard,
            source: Arc::new(tokio::sync::Mutex::new(source)),
            told,
            state: Arc::new(Mutex::new(state)),
        };
        Ok(if self.is_async() {
            Py::new(py, AsyncItems(going))?.into_any()
        } else {
            Py::new(py, Items(going))?.into_any()
        })
    }
}

/// The objects of a list, page by page.
pub(crate) fn rows<T: Model>(items: storycore::Items<T>) -> impl Batches + 'static {
    // An empty page is passed over here: it is not the end.
    let pages = items.into_pages().filter(|page| {
        let keep = page.as_ref().map_or(true, |page| !page.data.is_empty());
        std::future::ready(keep)
    });
    Each(pages, |page: core::Page<T>| -> Box<dyn Batch> {
        Box::new(Rows { rows: page.data.into(), at: 0 })
    })
}

//! What goes on by itself: pages, items and events, as Python's iterators and async iterators. The next page is on its way
//! while this one is read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture};
use pyo3::{
    exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration},
    prelude::*,
};
use storycore::{Client, Error, models as core};

use crate::{
    bridge::{Give, Handle, Ready},
    models::Model,
    object::Held,
};

/// Several objects that arrived together.
trait Batch: Send {
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

/// One thing alone.
struct One<T>(Option<T>);

impl<T: Give> Batch for One<T> {
    fn next(&mut self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        self.0.take().map(|one| one.give(py))
    }
}

/// Where batches come from.
type Source = Arc<tokio::sync::Mutex<dyn Batches>>;

trait Batches: Send {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Box<dyn Batch>>, Error>>;
}

/// A stream, and what one element of it is.
struct Each<S, F>(S, F);

impl<S, T, F> Batches for Each<S, F>
where
    S: Stream<Item = Result<T, Error>> + Unpin + Send,
    T: Send,
    F: Fn(T) -> Box<dyn Batch> + Send + Sync,
{
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Box<dyn Batch>>, Error>> {
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
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    batch: Option<Box<dyn Batch>>,
    is_under_way: bool,
    has_ended: bool,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Going {
    fn ready(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        lock(&self.state).batch.as_mut()?.next(py)
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
        let work = async move { source.lock().await.next().await };
        let again = Self {
            source: Arc::clone(&self.source),
            state,
            handle: Arc::clone(&self.handle),
            shard: self.shard,
        };
        self.handle.step(py, self.shard, work, move |py, outcome| {
            drop(under_way);
            let batch = outcome.inspect_err(|_| lock(&again.state).has_ended = true)?;
            let Some(batch) = batch else {
                lock(&again.state).has_ended = true;
                return Err(end());
            };
            lock(&again.state).batch = Some(batch);
            again.ready(py).expect("a batch has something in it")
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
        self.going(py, |client| {
            Each(of(client), |page: core::Page<T>| -> Box<dyn Batch> { Box::new(One(Some(page))) })
        })
    }

    /// Every object, over all pages.
    pub(crate) fn items<T: Model>(
        self: &Arc<Self>,
        py: Python<'_>,
        of: impl FnOnce(&Client) -> storycore::Items<T>,
    ) -> PyResult<Py<PyAny>> {
        self.going(py, |client| {
            // An empty page is passed over here: it is not the end.
            let pages = of(client).into_pages().filter(|page| {
                let keep = page.as_ref().map_or(true, |page| !page.data.is_empty());
                std::future::ready(keep)
            });
            Each(pages, |page: core::Page<T>| -> Box<dyn Batch> {
                Box::new(Rows { rows: page.data.into(), at: 0 })
            })
        })
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
        self.going(py, |client| {
            Each(of(client), |one: T| -> Box<dyn Batch> { Box::new(One(Some(one))) })
        })
    }

    fn going<B: Batches + 'static>(
        self: &Arc<Self>,
        py: Python<'_>,
        source: impl FnOnce(&Client) -> B,
    ) -> PyResult<Py<PyAny>> {
        let (shard, client) = self.settle(py)?;
        let going = Going {
            handle: Arc::clone(self),
            shard,
            source: Arc::new(tokio::sync::Mutex::new(source(&client))),
            state: Arc::default(),
        };
        Ok(if self.is_async() {
            Py::new(py, AsyncItems(going))?.into_any()
        } else {
            Py::new(py, Items(going))?.into_any()
        })
    }
}

//! What an async call gives: a coroutine that begins when it is awaited, and what its task waits for meanwhile. The latter
//! speaks the protocol of `asyncio.Future` and is cheaper: its task goes on inside the drain that completes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::AbortHandle;
use pyo3::{
    exceptions::{PyRuntimeError, PyRuntimeWarning, PyStopIteration},
    prelude::*,
    sync::PyOnceLock,
};

use super::event_loop::EventLoop;

/// Begins the work: it is told the loop to complete in, and under which number.
type Start = Box<dyn FnOnce(Arc<EventLoop>, u64) -> PyResult<AbortHandle> + Send>;

/// A call that is awaited. It begins with that, and is stopped with its task.
#[pyclass(frozen, subclass, module = "storycore")]
pub(crate) struct Call(Mutex<State>);

enum State {
    New(Start),
    Under(Py<Pending>),
    Ended,
}

impl Call {
    pub(super) fn new(
        start: impl FnOnce(Arc<EventLoop>, u64) -> PyResult<AbortHandle> + Send + 'static,
    ) -> Self {
        Self(Mutex::new(State::New(Box::new(start))))
    }

    /// Nobody will await it, on purpose.
    pub(crate) fn forget(&self) {
        self.take();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> State {
        std::mem::replace(&mut *self.state(), State::Ended)
    }

    /// Goes on: gives what is to be waited for, or ends with `StopIteration` and the result.
    fn resume(&self, py: Python<'_>) -> PyResult<Py<Pending>> {
        let pending = match self.take() {
            State::New(start) => Pending::start(py, start)?,
            State::Under(pending) => match pending.get().take_result(py) {
                Some(result) => return Err(PyStopIteration::new_err((result?,))),
                None => pending,
            },
            State::Ended => {
                return Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine"));
            }
        };
        pending.get().lock().is_blocking = true;
        *self.state() = State::Under(pending.clone_ref(py));
        Ok(pending)
    }

    fn stop(&self) {
        if let State::Under(pending) = self.take() {
            pending.get().abort();
        }
    }
}

#[pymethods]
impl Call {
    // There is no `__iter__`: a `for` over what should be awaited is a `TypeError`, not a loop without end.
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Py<Pending>> {
        self.resume(py)
    }

    fn send(&self, py: Python<'_>, _value: &Bound<'_, PyAny>) -> PyResult<Py<Pending>> {
        self.resume(py)
    }

    #[pyo3(signature = (error, value=None, traceback=None))]
    fn throw(
        &self,
        error: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Pending>> {
        let _ = traceback;
        self.stop();
        // With three arguments, as of old, the first is a class.
        Err(PyErr::from_value(value.unwrap_or(error)))
    }

    fn close(&self) {
        self.stop();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        match self.take() {
            State::Under(pending) => pending.get().abort(),
            State::New(_) => Python::attach(|py| {
                // It may be dropped because an exception is on its way, which must neither be lost nor seen by the warning.
                let under_way = PyErr::take(py);
                let category = py.get_type::<PyRuntimeWarning>();
                let warned = PyErr::warn(py, &category, c"a call was never awaited", 1);
                if let Err(error) = warned {
                    error.write_unraisable(py, None);
                }
                if let Some(error) = under_way {
                    error.restore(py);
                }
            }),
            State::Ended => {}
        }
    }
}

/// What a task waits for.
#[pyclass(frozen)]
pub(super) struct Pending {
    event_loop: Arc<EventLoop>,
    token: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    abort: Option<AbortHandle>,
    result: Option<PyResult<Py<PyAny>>>,
    is_done: bool,
    is_cancelled: bool,
    /// `Future._asyncio_future_blocking`: that it was yielded by who awaits it.
    is_blocking: bool,
    callbacks: Vec<(Py<PyAny>, Option<Py<PyAny>>)>,
}

impl Pending {
    fn start(py: Python<'_>, start: Start) -> PyResult<Py<Self>> {
        let event_loop = EventLoop::running(py)?;
        let token = event_loop.token();
        let inner = Mutex::default();
        let pending = Py::new(py, Self { event_loop: Arc::clone(&event_loop), token, inner })?;
        event_loop.expect(token, pending.clone_ref(py));
        match start(Arc::clone(&event_loop), token) {
            Ok(abort) => pending.get().lock().abort = Some(abort),
            Err(error) => {
                event_loop.forget(token);
                return Err(error);
            }
        }
        Ok(pending)
    }

    /// Its task goes on here, inside the loop's own call of the drain.
    pub(super) fn complete(slf: &Bound<'_, Self>, result: PyResult<Py<PyAny>>) -> PyResult<()> {
        let callbacks = {
            let mut inner = slf.get().lock();
            if inner.is_done {
                return Ok(());
            }
            inner.is_done = true;
            inner.result = Some(result);
            std::mem::take(&mut inner.callbacks)
        };
        for (callback, context) in callbacks {
            match context {
                Some(context) => context.call_method1(slf.py(), "run", (callback, slf))?,
                None => callback.call1(slf.py(), (slf,))?,
            };
        }
        Ok(())
    }

    /// The result, once; nothing while there is none.
    fn take_result(&self, py: Python<'_>) -> Option<PyResult<Py<PyAny>>> {
        let mut inner = self.lock();
        if inner.is_cancelled {
            return Some(Err(cancelled(py)));
        }
        inner.result.take()
    }

    fn abort(&self) {
        let abort = self.lock().abort.take();
        if let Some(abort) = abort {
            abort.abort();
        }
        self.event_loop.forget(self.token);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call_soon(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let event_loop = slf.get().event_loop.python(py);
        let keywords = pyo3::types::PyDict::new(py);
        if let Some(context) = context {
            keywords.set_item("context", context)?;
        }
        event_loop.call_method(py, "call_soon", (callback, slf), Some(&keywords)).map(drop)
    }
}

#[pymethods]
impl Pending {
    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.lock().is_blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn block(&self, is_blocking: bool) {
        self.lock().is_blocking = is_blocking;
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.python(py)
    }

    #[pyo3(signature = (callback, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let mut inner = slf.get().lock();
        if !inner.is_done {
            inner.callbacks.push((callback, context));
            return Ok(());
        }
        drop(inner);
        Self::call_soon(slf, callback, context)
    }

    fn remove_done_callback(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let callbacks = std::mem::take(&mut self.lock().callbacks);
        let before = callbacks.len();
        let mut kept = Vec::new();
        for (known, context) in callbacks {
            if !known.bind(py).eq(callback)? {
                kept.push((known, context));
            }
        }
        let removed = before - kept.len();
        self.lock().callbacks.extend(kept);
        Ok(removed)
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let _ = msg;
        let callbacks = {
            let mut inner = slf.get().lock();
            if inner.is_done {
                return Ok(false);
            }
            (inner.is_done, inner.is_cancelled) = (true, true);
            std::mem::take(&mut inner.callbacks)
        };
        slf.get().abort();
        for (callback, context) in callbacks {
            Self::call_soon(slf, callback, context)?;
        }
        Ok(true)
    }

    fn cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    fn done(&self) -> bool {
        self.lock().is_done
    }

    /// A task asks whether it may go on; the value itself it gets from the coroutine.
    fn result(&self, py: Python<'_>) -> PyResult<()> {
        if self.lock().is_cancelled { Err(cancelled(py)) } else { Ok(()) }
    }
}

fn cancelled(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || {
        PyResult::Ok(py.import("asyncio")?.getattr("CancelledError")?.unbind())
    });
    match class.and_then(|class| class.bind(py).call0()) {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// Something that is there already, for where Python awaits.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Ready(Mutex<Option<Py<PyAny>>>);

impl Ready {
    pub(crate) fn python(py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Self(Mutex::new(Some(value))))?.into_any())
    }
}

#[pymethods]
impl Ready {
    // There is no `__iter__`: a `for` over what should be awaited is a `TypeError`, not a loop without end.
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self) -> PyResult<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(value) => Err(PyStopIteration::new_err((value,))),
            None => Err(PyRuntimeError::new_err("cannot reuse already awaited coroutine")),
        }
    }
}

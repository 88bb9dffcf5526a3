//! An event loop, and what it is told: completions from other threads go into one queue, and one wake-up of the loop drains
//! it. A wake-up each would have the threads fight for the interpreter.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    io::{PipeReader, PipeWriter, Read as _, Write as _},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use pyo3::{exceptions::PyNotImplementedError, prelude::*, sync::PyOnceLock};
use storycore::process::{self, PerProcess};

use super::{awaited::Pending, teller::Told};
use crate::logs;

/// What a call came to, made when the interpreter is held.
pub(super) type Completion = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

enum Message {
    Completed(u64, Completion),
    Told(Told),
}

/// One running event loop.
pub(crate) struct EventLoop {
    python: Py<PyAny>,
    process: u32,
    messages: Mutex<VecDeque<Message>>,
    waiting: Mutex<HashMap<u64, Py<Pending>>>,
    next: AtomicU64,
    wake: Wake,
}

/// How the loop is woken.
enum Wake {
    /// It watches the reading end of a pipe.
    Pipe { reader: PipeReader, writer: PipeWriter },
    /// It cannot watch anything, as on Windows.
    CallSoon,
}

thread_local! {
    /// The loop that ran on this thread last: nearly always the one that runs now.
    static LAST: RefCell<Option<Arc<EventLoop>>> = const { RefCell::new(None) };
}

/// A loop that watches a pipe, and lives as long as that loop is open.
struct Known {
    /// Where the Python object is.
    address: usize,
    event_loop: Weak<EventLoop>,
}

/// The loops of this process that watch a pipe: a thread may go back to one, and another thread on with it.
fn known() -> &'static Mutex<Vec<Known>> {
    static KNOWN: PerProcess<Mutex<Vec<Known>>> = PerProcess::nobodys(Mutex::new(Vec::new()));
    KNOWN.get(|_| Mutex::default())
}

impl EventLoop {
    /// The loop that runs on this thread.
    pub(super) fn running(py: Python<'_>) -> PyResult<Arc<Self>> {
        static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let get = GET.get_or_try_init(py, || {
            PyResult::Ok(py.import("asyncio")?.getattr("get_running_loop")?.unbind())
        })?;
        let running = get.bind(py).call0()?;
        let last = LAST.with_borrow(|last| {
            let last = last.as_ref()?;
            let is_it = last.python.is(&running) && last.process == process::id();
            is_it.then(|| Arc::clone(last))
        });
        if let Some(last) = last {
            return Ok(last);
        }
        let running = match Self::known(&running) {
            Some(known) => known,
            None => Self::of(running)?,
        };
        // The last one is let go only when nothing is borrowed: its end may run Python code.
        let before = LAST.replace(Some(Arc::clone(&running)));
        drop(before);
        Ok(running)
    }

    /// The one of this loop, if it has one that it watches.
    fn known(running: &Bound<'_, PyAny>) -> Option<Arc<Self>> {
        let address = running.as_ptr().addr();
        let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
        // Let go of here, another's last one would run Python code under this lock; so only the very one is taken hold of. While there
        // is one, its loop is there, and no other has its address.
        known.retain(|known| known.event_loop.strong_count() > 0);
        known.iter().find(|known| known.address == address)?.event_loop.upgrade()
    }

    fn of(running: Bound<'_, PyAny>) -> PyResult<Arc<Self>> {
        let py = running.py();
        let (reader, writer) = std::io::pipe()?;
        let new = |wake| {
            Arc::new(Self {
                python: running.clone().unbind(),
                process: process::id(),
                messages: Mutex::default(),
                waiting: Mutex::default(),
                next: AtomicU64::new(0),
                wake,
            })
        };
        let watching = new(Wake::Pipe { reader, writer });
        match watching.watch(py, &running) {
            Ok(()) => {
                let (address, event_loop) = (running.as_ptr().addr(), Arc::downgrade(&watching));
                let mut known = known().lock().unwrap_or_else(PoisonError::into_inner);
                known.push(Known { address, event_loop });
                drop(known);
                Ok(watching)
            }
            Err(error) if error.is_instance_of::<PyNotImplementedError>(py) => {
                Ok(new(Wake::CallSoon))
            }
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn watch(self: &Arc<Self>, py: Python<'_>, running: &Bound<'_, PyAny>) -> PyResult<()> {
        use std::os::fd::AsRawFd as _;
        let Wake::Pipe { reader, .. } = &self.wake else { return Ok(()) };
        let drain = Py::new(py, Drain(Arc::clone(self)))?;
        running.call_method1("add_reader", (reader.as_raw_fd(), drain)).map(drop)
    }

    #[cfg(not(unix))]
    fn watch(self: &Arc<Self>, _: Python<'_>, _: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyNotImplementedError::new_err("only sockets can be watched here"))
    }

    pub(super) fn python(&self, py: Python<'_>) -> Py<PyAny> {
        self.python.clone_ref(py)
    }

    /// A number for something that is to be completed.
    pub(super) fn token(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    pub(super) fn expect(&self, token: u64, pending: Py<Pending>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(token, pending);
    }

    pub(super) fn forget(&self, token: u64) {
        let forgotten = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
        drop(forgotten);
    }

    /// Says how something ended. Called on any thread.
    pub(super) fn complete(self: &Arc<Self>, token: u64, completion: Completion) {
        self.push(Message::Completed(token, completion));
    }

    /// Has something done in the loop. Called on any thread.
    pub(super) fn tell(self: &Arc<Self>, told: Told) {
        self.push(Message::Told(told));
    }

    fn push(self: &Arc<Self>, message: Message) {
        let was_empty = {
            let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
            messages.push_back(message);
            messages.len() == 1
        };
        if was_empty {
            self.wake();
        }
    }

    fn wake(self: &Arc<Self>) {
        match &self.wake {
            // It has room: there is never more in it than one byte a batch that was not drained yet.
            Wake::Pipe { writer, .. } => drop((&mut &*writer).write(&[1])),
            Wake::CallSoon => Python::attach(|py| {
                let drain = Py::new(py, Drain(Arc::clone(self)));
                // A loop that was closed has nobody left who waits.
                let _ = drain.and_then(|drain| {
                    self.python.call_method1(py, "call_soon_threadsafe", (drain,))
                });
            }),
        }
    }

    fn drain(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        if let Wake::Pipe { reader, .. } = &self.wake {
            // The loop saw that there is something to read.
            let _ = (&mut &*reader).read(&mut [0; 64]);
        }
        let mut batch =
            std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        let mut outcome = Ok(());
        while let Some(message) = batch.pop_front() {
            outcome = match message {
                Message::Told(told) => {
                    told(py);
                    Ok(())
                }
                Message::Completed(token, completion) => {
                    let waiting =
                        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
                    match waiting {
                        Some(pending) => Pending::complete(pending.bind(py), completion(py)),
                        // It was cancelled meanwhile.
                        None => Ok(()),
                    }
                }
            };
            if outcome.is_err() {
                break;
            }
        }
        // A task that ended with KeyboardInterrupt ends the loop; what was not looked at is, when it runs again.
        if !batch.is_empty() {
            let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
            let was_empty = messages.is_empty();
            while let Some(message) = batch.pop_back() {
                messages.push_front(message);
            }
            drop(messages);
            if was_empty {
                self.wake();
            }
        }
        outcome.and(logs::flush(py))
    }
}

/// What the loop calls when there is something in the queue.
#[pyclass(frozen)]
struct Drain(Arc<EventLoop>);

#[pymethods]
impl Drain {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.0.drain(py)
    }
}

//! Bytes that Python hands in: as they are, or read piece by piece from an object with `read`.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyByteArray, PyBytes, PyString},
};

use crate::{
    bridge::Teller,
    convert::{FromPython, wrong},
};

/// How much is asked for at a time.
const PIECE: usize = 256 * 1024;

/// What reading raises: it ends the call, once that has begun, or is kept for who tells how one of several files ended.
#[derive(Clone, Default)]
pub(super) struct Reading(Arc<Inner>);

#[derive(Default)]
struct Inner {
    call: OnceLock<Teller>,
    raised: Mutex<Option<PyErr>>,
}

impl Reading {
    pub(super) fn ends(&self, call: Teller) {
        let _ = self.0.call.set(call);
    }

    /// What was raised and ended no call.
    pub(super) fn raised(&self) -> Option<PyErr> {
        self.0.raised.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn raise(&self, error: PyErr) {
        match self.0.call.get() {
            Some(call) => call.raise(error),
            None => {
                *self.0.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        }
    }
}

/// A request's body.
pub(crate) enum Content {
    Whole(Bytes),
    Read(Arc<Py<PyAny>>),
}

impl FromPython for Content {
    fn from_python(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(Self::Whole(Bytes::copy_from_slice(bytes.as_bytes())));
        }
        if let Ok(bytes) = given.cast::<PyByteArray>() {
            return Ok(Self::Whole(bytes.to_vec().into()));
        }
        if given.hasattr("read")? {
            return Ok(Self::Read(Arc::new(given.clone().unbind())));
        }
        Err(wrong(given, "bytes or an object with read()"))
    }
}

impl Content {
    /// Its length, where that is known, and its pieces.
    pub(crate) fn pieces(
        self,
        teller: Teller,
    ) -> (Option<u64>, BoxStream<'static, io::Result<Bytes>>) {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.len() as u64;
                (Some(length), stream::iter([Ok(bytes)]).boxed())
            }
            Self::Read(file) => {
                let reading = Reading::default();
                reading.ends(teller);
                (None, read(file, reading).boxed())
            }
        }
    }
}

/// The pieces of an object with `read`.
pub(super) fn pieces(
    file: &Bound<'_, PyAny>,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + use<>, Reading) {
    let reading = Reading::default();
    (read(Arc::new(file.clone().unbind()), reading.clone()), reading)
}

fn read(
    file: Arc<Py<PyAny>>,
    reading: Reading,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::try_unfold((file, reading), |(file, reading)| async {
        let (of, raised) = (Arc::clone(&file), reading.clone());
        // Python's read may wait, for the disk or for whatever it likes.
        let piece =
            tokio::task::spawn_blocking(move || Python::attach(|py| piece(py, &of, &raised)));
        let piece = piece.await.map_err(io::Error::other)??;
        Ok((!piece.is_empty()).then_some((piece, (file, reading))))
    })
}

fn piece(py: Python<'_>, file: &Py<PyAny>, reading: &Reading) -> io::Result<Bytes> {
    let read = file.call_method1(py, "read", (PIECE,)).and_then(|read| {
        let read = read.bind(py);
        if read.cast::<PyString>().is_ok() {
            return Err(PyTypeError::new_err("the file must be opened in binary mode"));
        }
        Ok(Bytes::copy_from_slice(read.extract::<&[u8]>()?))
    });
    read.map_err(|error| {
        let said = error.to_string();
        reading.raise(error);
        io::Error::other(said)
    })
}

//! Errors of the client as Python's own exceptions. The classes are in `storycore/errors.py`; which one, says the kind.

use pyo3::{prelude::*, sync::PyOnceLock, types::PyDict};
use storycore::Error;

use crate::{convert, models, object::Held};

/// `storycore.errors`, loaded at the first error.
static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// The exception for an error.
pub(crate) fn raised(py: Python<'_>, error: Error) -> PyErr {
    made(py, error).unwrap_or_else(|failed| failed)
}

fn made(py: Python<'_>, error: Error) -> PyResult<PyErr> {
    let classes = CLASSES.get_or_try_init(py, || {
        let classes = py.import("storycore.errors")?.getattr("BY_KIND")?;
        PyResult::Ok(classes.cast_into::<PyDict>()?.unbind())
    })?;
    let kind = error.kind().as_str();
    let class = match classes.bind(py).get_item(kind)? {
        Some(class) => class,
        None => py.import("storycore.errors")?.getattr("StoryCoreError")?,
    };
    let fields = PyDict::new(py);
    fields.set_item("message", error.message())?;
    fields.set_item("kind", kind)?;
    fields.set_item("status", error.status())?;
    fields.set_item("code", error.code())?;
    fields.set_item("param", error.param())?;
    let details = error.details().map(|details| convert::to_python(py, details)).transpose()?;
    fields.set_item("details", details)?;
    fields.set_item("request_id", error.request_id())?;
    fields.set_item("idempotency_key", error.idempotency_key())?;
    fields.set_item("retry_after", error.retry_after().map(|time| time.as_secs_f64()))?;
    fields.set_item("attempts", error.attempts())?;
    fields.set_item("elapsed", error.elapsed().as_secs_f64())?;
    fields.set_item("retryable", error.is_retryable())?;
    fields.set_item("body", error.body())?;
    let job = error.job().map(|job| models::Job::new(Held::new(job.clone())));
    fields.set_item("job", job.map(|job| Py::new(py, job)).transpose()?)?;
    let exception = class.call1((error.to_string(), fields))?;
    if let Some(cause) = cause(py, std::error::Error::source(&error))? {
        exception.setattr("__cause__", cause)?;
    }
    Ok(PyErr::from_value(exception))
}

/// What stood behind an error, and behind that, as exceptions that say it.
fn cause<'py>(
    py: Python<'py>,
    source: Option<&(dyn std::error::Error + 'static)>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(source) = source else { return Ok(None) };
    let exception = py.get_type::<pyo3::exceptions::PyException>().call1((source.to_string(),))?;
    if let Some(deeper) = cause(py, source.source())? {
        exception.setattr("__cause__", deeper)?;
    }
    Ok(Some(exception))
}

/// What a call of a closed client raises, and one that was under way when it was closed.
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    of_kind(py, "cancelled", "the client was closed")
}

/// What a call raises that broke inside.
pub(crate) fn inside(py: Python<'_>) -> PyErr {
    of_kind(py, "internal", "the SDK failed inside: please report it with what was called")
}

/// An error that is made here and not in the client.
pub(crate) fn of_kind(py: Python<'_>, kind: &str, message: &str) -> PyErr {
    let raised = || {
        let fields = PyDict::new(py);
        fields.set_item("message", message)?;
        fields.set_item("kind", kind)?;
        let errors = py.import("storycore.errors")?;
        let class = match errors.getattr("BY_KIND")?.cast::<PyDict>()?.get_item(kind)? {
            Some(class) => class,
            None => errors.getattr("StoryCoreError")?,
        };
        class.call1((message, fields)).map(PyErr::from_value)
    };
    raised().unwrap_or_else(|failed| failed)
}

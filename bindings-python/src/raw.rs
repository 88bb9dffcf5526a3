//! Answers as they came: what `request` gives, and what a `Capture` keeps beside a typed result.

use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};
use storycore::RawResponse;

use crate::{bridge::Give, convert, errors};

/// An answer as it came.
#[pyclass(frozen, module = "storycore", name = "RawResponse")]
pub(crate) struct Response(RawResponse);

impl Give for RawResponse {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Response(*self))?.into_any())
    }
}

#[pymethods]
impl Response {
    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    /// The headers, names in lower case; of one that is there twice, the last.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        for (name, value) in &self.0.headers {
            headers.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
        }
        Ok(headers)
    }

    /// `X-Request-Id`.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The body.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// The body, read as JSON.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value: serde_json::Value = self.0.json().map_err(|e| errors::raised(py, e))?;
        convert::to_python(py, &value)
    }

    fn __repr__(&self) -> String {
        format!("RawResponse(status={}, body={} bytes)", self.0.status, self.0.body.len())
    }
}

/// Keeps the last answer of the calls that were made with it, beside what they give: `client.with_options(capture=…)`.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Capture(pub(crate) storycore::Capture);

#[pymethods]
impl Capture {
    #[new]
    fn new() -> Self {
        Self(storycore::Capture::new())
    }

    /// The last answer, also one that was an error, or None before the first.
    #[getter]
    fn response(&self) -> Option<Response> {
        self.0.response().map(Response)
    }

    fn __repr__(&self) -> String {
        match self.response() {
            Some(response) => format!("Capture(response={})", response.__repr__()),
            None => "Capture(response=None)".to_owned(),
        }
    }
}

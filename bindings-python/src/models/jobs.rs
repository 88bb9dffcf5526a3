use pyo3::{
    prelude::*,
    types::{PyDateTime, PyDict, PyList, PyTuple, PyType},
};
use storycore::models as core;

use super::Model;
use crate::{
    convert::{self, EnumClass, FromPython},
    object::{self, Held},
};

static JOB_STATUS: EnumClass = EnumClass::new("JobStatus");

/// A project.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Job(Held<core::Job>);

impl Job {
    const FIELDS: &[&str] = &["id", "type", "status", "parameters", "created_at"];

    pub(crate) fn new(held: Held<core::Job>) -> Self {
        Self(held)
    }
}

impl Model for core::Job {
    fn python(py: Python<'_>, held: Held<Self>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Job(held))?.into_any())
    }
}

impl FromPython for core::JobStatus {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self::from(value.extract::<&str>()?))
    }
}

#[pymethods]
impl Job {
    /// Its id, such as `prj_…`.
    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    /// Its name, 1 to 200 characters.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.kind
    }

    /// Where it is.
    #[getter]
    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        JOB_STATUS.member(py, self.0.status.as_str())
    }

    /// Settings of one's own.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::dict(py, &self.0.parameters)
    }

    /// When it was made.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.0.created_at.map(|time| convert::time(py, time)).transpose()
    }

    /// Fields that this version does not know, by name.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::dict(py, &self.0.extra)
    }

    /// The object as plain JSON, as the platform has it.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        object::to_dict(py, &object::json(&*self.0))
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        object::keys(py, Self::FIELDS, Some(&self.0.extra))
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        object::item(slf, Self::FIELDS, Some(&slf.get().0.extra), name)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        object::repr(slf, Self::FIELDS)
    }

    fn __eq__(&self, other: &Bound<'_, Self>) -> bool {
        *self.0 == *other.get().0
    }

    fn __hash__(&self) -> u64 {
        object::hash(&object::json(&*self.0))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        object::reduce(slf, &object::json(&*slf.get().0))
    }

    #[classmethod]
    fn _restore(_: &Bound<'_, PyType>, text: &[u8]) -> PyResult<Self> {
        object::restore(text).map(|object| Self(Held::new(object)))
    }
}

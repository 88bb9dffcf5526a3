//! What one can ask for, as Python's classes.
mod projects;

use std::sync::Arc;

use pyo3::prelude::*;

use crate::bridge::Handle;
pub(crate) use projects::{AsyncProjects, Projects};

/// The ways to each resource.
#[pyclass(frozen, subclass, module = "storycore")]
pub(crate) struct Resources(pub(crate) Arc<Handle>);

#[pymethods]
impl Resources {
    /// Projects.
    #[getter]
    fn projects(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Projects::of(py, &self.0)
    }
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Projects>()?;
    module.add_class::<AsyncProjects>()
}

use std::sync::Arc;

use pyo3::prelude::*;
use serde_json::{Map, Value};
use storycore::models as core;

use crate::{bridge::Handle, convert::Arg, page::list_params};

/// Projects: what media and jobs belong to.
#[pyclass(frozen, subclass, module = "storycore")]
pub(crate) struct Projects(Arc<Handle>);

/// Projects: what media and jobs belong to. Its methods are awaited.
#[pyclass(frozen, extends = Projects, module = "storycore")]
pub(crate) struct AsyncProjects;

impl Projects {
    pub(super) fn of(py: Python<'_>, handle: &Arc<Handle>) -> PyResult<Py<PyAny>> {
        let calls = Self(Arc::clone(handle));
        Ok(if handle.is_async() {
            Py::new(py, PyClassInitializer::from(calls).add_subclass(AsyncProjects))?.into_any()
        } else {
            Py::new(py, calls)?.into_any()
        })
    }
}

#[pymethods]
impl Projects {
    /// Makes a project.
    #[pyo3(signature = (*, name, status=None, settings=None))]
    fn create(
        &self,
        py: Python<'_>,
        name: Arg<String>,
        status: Option<Arg<core::ProjectStatus>>,
        settings: Option<Arg<Map<String, Value>>>,
    ) -> PyResult<Py<PyAny>> {
        let project = core::NewProject {
            name: name.0,
            status: status.map(|arg| arg.0),
            settings: settings.map(|arg| arg.0),
            ..Default::default()
        };
        self.0.run(py, move |client| async move { client.projects().create(project).await })
    }

    /// The project with this id.
    fn get(&self, py: Python<'_>, id: String) -> PyResult<Py<PyAny>> {
        self.0.run(py, move |client| async move { client.projects().get(&id).await })
    }

    /// One page of projects. Filters: `status`, `rag_status`, `name`.
    #[pyo3(signature = (*, page_size=None, max_items=None, offset=None, sort=None, filters=None))]
    fn list(
        &self,
        py: Python<'_>,
        page_size: Option<u32>,
        max_items: Option<u64>,
        offset: Option<u64>,
        sort: Option<String>,
        filters: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        let params = list_params(page_size, max_items, offset, sort, &[], filters)?;
        self.0.run(py, move |client| async move { client.projects().list(params).await })
    }
}

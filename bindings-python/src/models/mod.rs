//! What the platform sends, as frozen Python objects.
mod jobs;
mod page;
mod projects;

use pyo3::prelude::*;

pub(crate) use self::{jobs::Job, page::Pagination, projects::Project};
use crate::object::Held;

/// An object of the client that Python has a class for.
pub(crate) trait Model: Send + Sync + 'static + Sized {
    fn python(py: Python<'_>, held: Held<Self>) -> PyResult<Py<PyAny>>;
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Job>()?;
    module.add_class::<Pagination>()?;
    module.add_class::<Project>()
}

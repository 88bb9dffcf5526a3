use pyo3::{
    prelude::*,
    types::{PyDict, PyTuple, PyType},
};
use storycore::models as core;

use crate::object::{self, Held};

/// Where a page stands in the whole list.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Pagination(Held<core::Pagination>);

impl Pagination {
    const FIELDS: &[&str] = &["total", "limit", "offset", "has_more"];

    pub(crate) fn new(held: Held<core::Pagination>) -> Self {
        Self(held)
    }
}

#[pymethods]
impl Pagination {
    #[getter]
    fn total(&self) -> u64 {
        self.0.total
    }
    #[getter]
    fn limit(&self) -> u64 {
        self.0.limit
    }
    #[getter]
    fn offset(&self) -> u64 {
        self.0.offset
    }
    #[getter]
    fn has_more(&self) -> bool {
        self.0.has_more
    }
    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        object::repr(slf, Self::FIELDS)
    }
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        object::to_dict(py, &object::json(&*self.0))
    }
    fn __eq__(&self, other: &Bound<'_, Self>) -> bool {
        *self.0 == *other.get().0
    }
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        object::reduce(slf, &object::json(&*slf.get().0))
    }
    #[classmethod]
    fn _restore(_: &Bound<'_, PyType>, text: &[u8]) -> PyResult<Self> {
        object::restore(text).map(|object| Self(Held::new(object)))
    }
}

//! One page of a list. Its rows share what arrived; each is made into a Python object once.

use std::sync::Arc;

use pyo3::{
    prelude::*,
    types::{PyDict, PyIterator, PyList, PyTuple},
};
use storycore::models as core;

use crate::{
    bridge::Give,
    convert,
    models::{Model, Pagination},
    object::Held,
};

/// One page of a list: its objects in `data`, where it stands in `pagination`.
#[pyclass(frozen, generic, module = "storycore", name = "Page")]
pub(crate) struct Page {
    data: Py<PyList>,
    pagination: Py<Pagination>,
}

impl Page {
    pub(crate) fn new<T: Model>(py: Python<'_>, page: core::Page<T>) -> PyResult<Self> {
        let rows: Arc<[T]> = page.data.into();
        let data = PyList::empty(py);
        for at in 0..rows.len() {
            data.append(T::python(py, Held::Row(Arc::clone(&rows), at))?)?;
        }
        let pagination = Py::new(py, Pagination::new(Held::new(page.pagination)))?;
        Ok(Self { data: data.unbind(), pagination })
    }
}

#[pymethods]
impl Page {
    #[new]
    fn of(data: Py<PyList>, pagination: Py<Pagination>) -> Self {
        Self { data, pagination }
    }

    /// Its objects.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyList> {
        self.data.clone_ref(py)
    }

    /// Where it stands in the whole list.
    #[getter]
    fn pagination(&self, py: Python<'_>) -> Py<Pagination> {
        self.pagination.clone_ref(py)
    }

    /// The page as plain JSON, as the platform has it.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let data = PyList::empty(py);
        for row in self.data.bind(py) {
            data.append(row.call_method0("to_dict")?)?;
        }
        let page = PyDict::new(py);
        page.set_item("data", data)?;
        page.set_item("pagination", self.pagination.bind(py).call_method0("to_dict")?)?;
        Ok(page)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.data.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.data.bind(py).try_iter()
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        at: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.data.bind(py).as_any().get_item(at)
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<bool> {
        let other = other.get();
        Ok(self.data.bind(py).eq(&other.data)? && self.pagination.bind(py).eq(&other.pagination)?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (data, pagination) = (self.data.bind(py).repr()?, self.pagination.bind(py).repr()?);
        Ok(format!("Page(data={data}, pagination={pagination})"))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let page = slf.get();
        let parts = (page.data.bind(slf.py()), page.pagination.bind(slf.py()));
        (slf.get_type(), parts).into_pyobject(slf.py())
    }
}

/// What a list is asked with: `known` are the filters that have a keyword.
pub(crate) fn list_params(
    page_size: Option<u32>,
    max_items: Option<u64>,
    offset: Option<u64>,
    sort: Option<String>,
    known: &[(&str, Option<&Bound<'_, PyAny>>)],
    filters: Option<&Bound<'_, PyDict>>,
) -> PyResult<core::ListParams> {
    let mut params = core::ListParams::new();
    if let Some(size) = page_size {
        params = params.page_size(size);
    }
    if let Some(items) = max_items {
        params = params.max_items(items);
    }
    if let Some(offset) = offset {
        params = params.offset(offset);
    }
    if let Some(sort) = sort {
        params = params.sort(sort);
    }
    for (name, value) in known {
        if let Some(value) = value {
            params = params.filter(*name, convert::text(value)?);
        }
    }
    for (name, value) in filters.into_iter().flatten() {
        params = params.filter(name.extract::<String>()?, convert::text(&value)?);
    }
    Ok(params)
}

impl<T: Model> Give for core::Page<T> {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Page::new(py, self)?)?.into_any())
    }
}

impl<T: Model> Give for T {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        T::python(py, Held::new(self))
    }
}

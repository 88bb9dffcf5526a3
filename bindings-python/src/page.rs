//! One page of a list, which goes on to the next ones. Its rows share what arrived; each is made into a Python object once.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use pyo3::{
    exceptions::{PyRuntimeError, PyTypeError},
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};
use storycore::{Client, Error, models as core};

use crate::{
    bridge::{Call, Give, Handle, Ready},
    convert::{self, Arg, Texts, given},
    items::{self, AsyncRows, Batches},
    models::{Model, Pagination},
    object::Held,
};

/// One page of a list: its objects in `data`, where it stands in `pagination`. Going over it goes over all objects from here
/// on, those of the following pages too, each fetched while the one before it is read.
#[pyclass(frozen, generic, subclass, module = "storycore", name = "Page")]
pub(crate) struct Page {
    data: Py<PyList>,
    pagination: Py<Pagination>,
    /// What comes after it; nothing after the last page, after one of `pages()`, and after one that was pickled.
    rest: Option<Arc<dyn Rest>>,
}

/// The same for asyncio: it is gone over with `async for`.
#[pyclass(frozen, generic, extends = Page, module = "storycore", name = "AsyncPage")]
pub(crate) struct AsyncPage;

/// The list behind a page.
trait Rest: Send + Sync {
    fn handle(&self) -> &Arc<Handle>;
    fn next_page(&self, py: Python<'_>) -> PyResult<Py<PyAny>>;
    fn batches(&self, client: &Client) -> Box<dyn Batches>;
}

/// How a list is asked for: one page of it, and all of it.
pub(crate) struct Listing<T> {
    handle: Arc<Handle>,
    page: Box<AsksPage<T>>,
    items: Box<AsksAll<T>>,
}

type PageCall<T> = BoxFuture<'static, Result<core::Page<T>, Error>>;
type AsksPage<T> = dyn Fn(Client, core::ListParams) -> PageCall<T> + Send + Sync;
type AsksAll<T> = dyn Fn(&Client, core::ListParams) -> storycore::Items<T> + Send + Sync;

/// A list from some place on.
struct From<T> {
    listing: Arc<Listing<T>>,
    params: ListParams,
}

/// What a list is asked with.
#[derive(Clone)]
pub(crate) struct ListParams {
    pub(crate) core: core::ListParams,
    offset: u64,
    max_items: Option<u64>,
}

impl ListParams {
    /// What comes after `page`, if there is more and more is wanted.
    fn after<T>(&self, page: &core::Page<T>) -> Option<Self> {
        let count = page.data.len() as u64;
        let at = &page.pagination;
        let left = self.max_items.map(|most| most.saturating_sub(count));
        if !at.has_more || left == Some(0) {
            return None;
        }
        // An empty page is passed over by the platform's own page size.
        let step = if count > 0 { count } else { at.limit.max(1) };
        let offset = at.offset.max(self.offset).saturating_add(step);
        let core = self.core.clone().offset(offset);
        let core = left.map_or(core.clone(), |left| core.max_items(left));
        Some(Self { core, offset, max_items: left })
    }
}

impl<T: Model> From<T> {
    /// Asks for one page.
    fn ask(
        self: Arc<Self>,
    ) -> impl FnOnce(Client) -> BoxFuture<'static, Result<Listed<T>, Error>> + Send + 'static {
        move |client| {
            let page = (self.listing.page)(client, self.params.core.clone());
            async move {
                let page = page.await?;
                let listing = Arc::clone(&self.listing);
                let rest =
                    self.params.after(&page).map(|params| Arc::new(Self { listing, params }));
                Ok(Listed { page, rest, is_async: self.listing.handle.is_async() })
            }
            .boxed()
        }
    }
}

impl<T: Model> Rest for Arc<From<T>> {
    fn handle(&self) -> &Arc<Handle> {
        &self.listing.handle
    }

    fn next_page(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.listing.handle.run(py, Arc::clone(self).ask())
    }

    fn batches(&self, client: &Client) -> Box<dyn Batches> {
        Box::new(items::rows((self.listing.items)(client, self.params.core.clone())))
    }
}

/// A page that arrived, and what comes after it.
pub(crate) struct Listed<T> {
    page: core::Page<T>,
    rest: Option<Arc<From<T>>>,
    is_async: bool,
}

impl<T> Listed<T> {
    /// One of many that are gone over page by page: by itself it goes no further.
    pub(crate) fn alone(page: core::Page<T>, is_async: bool) -> Self {
        Self { page, rest: None, is_async }
    }
}

impl<T: Model> Give for Listed<T> {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let rest = self.rest.map(|rest| Arc::new(rest) as Arc<dyn Rest>);
        Page::python(py, self.page, rest, self.is_async)
    }
}

impl Page {
    fn python<T: Model>(
        py: Python<'_>,
        page: core::Page<T>,
        rest: Option<Arc<dyn Rest>>,
        is_async: bool,
    ) -> PyResult<Py<PyAny>> {
        let rows: Arc<[T]> = page.data.into();
        let data = PyList::empty(py);
        for at in 0..rows.len() {
            data.append(T::python(py, Held::Row(Arc::clone(&rows), at))?)?;
        }
        let pagination = Py::new(py, Pagination::new(Held::new(page.pagination)))?;
        let page = Self { data: data.unbind(), pagination, rest };
        Ok(if is_async {
            Py::new(py, PyClassInitializer::from(page).add_subclass(AsyncPage))?.into_any()
        } else {
            Py::new(py, page)?.into_any()
        })
    }
}

#[pymethods]
impl Page {
    #[new]
    fn of(data: Py<PyList>, pagination: Py<Pagination>) -> Self {
        Self { data, pagination, rest: None }
    }

    /// Its own objects.
    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyList> {
        self.data.clone_ref(py)
    }

    /// Where it stands in the whole list.
    #[getter]
    fn pagination(&self, py: Python<'_>) -> Py<Pagination> {
        self.pagination.clone_ref(py)
    }

    /// The page after this one, or None after the last. It holds `page_size` objects as this one does.
    fn next_page(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.rest {
            Some(rest) => rest.next_page(py),
            None => Ok(py.None()),
        }
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

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.rest {
            Some(rest) => rest.handle().following(py, self.data(py), |client| rest.batches(client)),
            None => Ok(self.data.bind(py).try_iter()?.into_any().unbind()),
        }
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<bool> {
        let other = other.get();
        Ok(self.data.bind(py).eq(&other.data)? && self.pagination.bind(py).eq(&other.pagination)?)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let (page, py) = (slf.get(), slf.py());
        let (data, pagination) = (page.data.bind(py).repr()?, page.pagination.bind(py).repr()?);
        Ok(format!("{}(data={data}, pagination={pagination})", slf.get_type().name()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let page = slf.get();
        let parts = (page.data.bind(slf.py()), page.pagination.bind(slf.py()));
        (slf.get_type(), parts).into_pyobject(slf.py())
    }
}

#[pymethods]
impl AsyncPage {
    #[new]
    fn of(data: Py<PyList>, pagination: Py<Pagination>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Page::of(data, pagination)).add_subclass(Self)
    }

    /// The page after this one, or None after the last. It holds `page_size` objects as this one does.
    fn next_page(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let page = slf.as_super().get();
        match &page.rest {
            Some(rest) => rest.next_page(slf.py()),
            None => Ready::python(slf.py(), slf.py().None()),
        }
    }

    fn __iter__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "a page of an async client is gone over with `async for`, or by its `.data`",
        ))
    }

    fn __aiter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let (page, py) = (slf.as_super().get(), slf.py());
        match &page.rest {
            Some(rest) => rest.handle().following(py, page.data(py), |client| rest.batches(client)),
            None => Ok(Py::new(py, AsyncRows::new(page.data(py)))?.into_any()),
        }
    }
}

/// Makes the iterator over everything.
type GoesOn = dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send;

/// What `list()` of an async client gives: it is awaited for one page, or gone through with `async for`.
#[pyclass(frozen, extends = Call, module = "storycore")]
pub(crate) struct ListCall(Mutex<Option<Box<GoesOn>>>);

#[pymethods]
impl ListCall {
    fn __aiter__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let items = slf.get().0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let items = items.ok_or_else(|| {
            PyRuntimeError::new_err("this list is gone through already: call list() again")
        })?;
        slf.as_super().get().forget();
        items(slf.py())
    }
}

impl Handle {
    /// One page of a list, from which one can go on.
    pub(crate) fn list<T, F>(
        self: &Arc<Self>,
        py: Python<'_>,
        params: ListParams,
        page: impl Fn(Client, core::ListParams) -> F + Send + Sync + 'static,
        items: impl Fn(&Client, core::ListParams) -> storycore::Items<T> + Send + Sync + 'static,
    ) -> PyResult<Py<PyAny>>
    where
        T: Model,
        F: Future<Output = Result<core::Page<T>, Error>> + Send + 'static,
    {
        let listing = Arc::new(Listing {
            handle: Arc::clone(self),
            page: Box::new(move |client, params| page(client, params).boxed()),
            items: Box::new(items),
        });
        let first = Arc::new(From { listing, params });
        if !self.is_async() {
            return self.run(py, first.ask());
        }
        let all = Arc::clone(&first);
        let items = move |py: Python<'_>| {
            let From { listing, params } = &*all;
            listing.handle.items(py, |client| (listing.items)(client, params.core.clone()))
        };
        let call = self.call(py, |client, _| first.ask()(client))?;
        let call = PyClassInitializer::from(call);
        let call = call.add_subclass(ListCall(Mutex::new(Some(Box::new(items)))));
        Ok(Py::new(py, call)?.into_any())
    }
}

/// What a list is asked with: `known` are the filters that have a keyword.
pub(crate) fn list_params(
    method: &str,
    page_size: Option<Arg<u32>>,
    max_items: Option<Arg<u64>>,
    offset: Option<Arg<u64>>,
    sort: Option<Arg<String>>,
    known: &[(&str, Option<&Bound<'_, PyAny>>)],
    filters: Option<Arg<Texts>>,
) -> PyResult<ListParams> {
    let mut params = core::ListParams::new();
    if let Some(size) = given(page_size, method, "page_size")? {
        params = params.page_size(size);
    }
    let max_items = given(max_items, method, "max_items")?;
    if let Some(items) = max_items {
        params = params.max_items(items);
    }
    let offset = given(offset, method, "offset")?;
    if let Some(offset) = offset {
        params = params.offset(offset);
    }
    if let Some(sort) = given(sort, method, "sort")? {
        params = params.sort(sort);
    }
    for (name, value) in known {
        if let Some(value) = value {
            params = params.filter(*name, convert::named(method, name, convert::text(value))?);
        }
    }
    for (name, value) in given(filters, method, "filters")?.into_iter().flat_map(|all| all.0) {
        params = params.filter(name, value);
    }
    Ok(ListParams { core: params, offset: offset.unwrap_or_default(), max_items })
}

impl<T: Model> Give for T {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        T::python(py, Held::One(self))
    }
}

//! What all objects have in common: where their data is, `repr`, hashing, subscripts, dicts and pickles.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::Deref,
    sync::Arc,
};

use pyo3::{
    exceptions::{PyKeyError, PyValueError},
    prelude::*,
    types::{PyBytes, PyDict, PyList, PyString, PyTuple},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{convert, models::Model};

/// An object's data: its own, or a row of a page that it keeps alive.
pub(crate) enum Held<T> {
    One(Box<T>),
    Row(Arc<[T]>, usize),
}

impl<T> Held<T> {
    pub(crate) fn new(object: T) -> Self {
        Self::One(Box::new(object))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::One(object) => object,
            Self::Row(rows, at) => &rows[*at],
        }
    }
}

/// The objects of a list within an object.
pub(crate) fn list<'py, T: Model + Clone>(
    py: Python<'py>,
    objects: &[T],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for object in objects {
        list.append(T::python(py, Held::new(object.clone()))?)?;
    }
    Ok(list)
}

/// `Project(id='prj_1', name='Film')`: what is there, in the order in which it is documented.
pub(crate) fn repr(object: &Bound<'_, PyAny>, fields: &[&str]) -> PyResult<String> {
    let mut text = object.get_type().name()?.to_string();
    text.push('(');
    let mut separator = "";
    for name in fields {
        let value = object.getattr(*name)?;
        // What was left out: None, and an enum without a text.
        if value.is_none()
            || value.cast::<PyString>().is_ok_and(|text| text.is_empty().unwrap_or(true))
        {
            continue;
        }
        text.push_str(&format!("{separator}{name}={}", value.repr()?));
        separator = ", ";
    }
    text.push(')');
    Ok(text)
}

/// `object["name"]`: a field, or one that this version does not know.
pub(crate) fn item<'py>(
    object: &Bound<'py, PyAny>,
    fields: &[&str],
    extra: Option<&Map<String, Value>>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    if fields.contains(&name) {
        return object.getattr(name);
    }
    match extra.and_then(|extra| extra.get(name)) {
        Some(value) => convert::to_python(object.py(), value),
        None => Err(PyKeyError::new_err(name.to_owned())),
    }
}

/// The names that a subscript takes.
pub(crate) fn keys<'py>(
    py: Python<'py>,
    fields: &[&str],
    extra: Option<&Map<String, Value>>,
) -> PyResult<Bound<'py, PyList>> {
    let unknown = extra.into_iter().flat_map(Map::keys).map(String::as_str);
    PyList::new(py, fields.iter().copied().chain(unknown).collect::<Vec<_>>())
}

/// The object as plain JSON, as the platform has it.
pub(crate) fn to_dict<'py>(py: Python<'py>, json: &Value) -> PyResult<Bound<'py, PyDict>> {
    match json {
        Value::Object(fields) => convert::dict(py, fields),
        _ => Ok(PyDict::new(py)),
    }
}

/// Of the id where there is one, so that a changed object can be looked up by the old one's place.
pub(crate) fn hash(json: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match json.get("id").and_then(Value::as_str) {
        Some(id) => id.hash(&mut hasher),
        None => json.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// What pickle keeps: the class's own reader and the JSON text.
pub(crate) fn reduce<'py>(
    object: &Bound<'py, PyAny>,
    json: &Value,
) -> PyResult<Bound<'py, PyTuple>> {
    let py = object.py();
    let text = PyBytes::new(py, json.to_string().as_bytes());
    (object.get_type().getattr("_restore")?, (text,)).into_pyobject(py)
}

/// What pickle kept.
pub(crate) fn restore<T: DeserializeOwned>(text: &[u8]) -> PyResult<T> {
    serde_json::from_slice(text)
        .map_err(|error| PyValueError::new_err(format!("this pickle cannot be read: {error}")))
}

/// An object as JSON; models have no value that JSON lacks.
pub(crate) fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

//! What Python hands in: arguments, told by their names where they are wrong, JSON, and what an update keeps, clears or sets.

use std::{path::PathBuf, time::Duration};

use jiff::civil::Date;
use pyo3::{
    exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError, PyValueError},
    prelude::*,
    types::{
        PyBool, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString,
        PyTuple,
    },
};
use serde_json::{Map, Number, Value};
use storycore::{Patch, Secret};

/// Nested deeper than any settings are, and less deep than a stack is.
const DEEPEST: usize = 128;

/// What Python hands in for a `T` of the client.
pub(crate) trait FromPython: Sized {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self>;
}

/// An argument of a method, read by its [`FromPython`]. Whether that went well is told by the method, which knows its name.
pub(crate) struct Arg<T>(PyResult<T>);

impl<'py, T: FromPython> FromPyObject<'_, 'py> for Arg<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(T::from_python(&value)))
    }
}

impl<T> Arg<T> {
    /// What stands where nothing was given.
    pub(crate) const fn default(value: T) -> Self {
        Self(Ok(value))
    }

    /// The value, or what is wrong with the argument `name` of `method`.
    pub(crate) fn of(self, method: &str, name: &str) -> PyResult<T> {
        named(method, name, self.0)
    }
}

/// Tells which argument of which method it is that is wrong. What Python code of the caller's raised stays as it is.
pub(crate) fn named<T>(method: &str, name: &str, read: PyResult<T>) -> PyResult<T> {
    read.map_err(|error| {
        Python::attach(|py| {
            let message = format!("{method}() argument '{name}' {}", error.value(py));
            let class = error.get_type(py);
            if class.is(py.get_type::<PyTypeError>()) {
                PyTypeError::new_err(message)
            } else if class.is(py.get_type::<PyValueError>()) {
                PyValueError::new_err(message)
            } else {
                error
            }
        })
    })
}

/// The same of an argument that may be left out.
pub(crate) fn given<T>(arg: Option<Arg<T>>, method: &str, name: &str) -> PyResult<Option<T>> {
    arg.map(|arg| arg.of(method, name)).transpose()
}

/// What a value is that could not be read as something else. What its own code raised stays as it is.
fn unread(value: &Bound<'_, PyAny>, expected: &str, error: PyErr) -> PyErr {
    let py = value.py();
    if error.is_instance_of::<PyTypeError>(py) {
        wrong(value, expected)
    } else if error.is_instance_of::<PyUnicodeEncodeError>(py) {
        // The text itself is not shown: it may be a credential.
        let at = error.value(py).getattr("start").and_then(|at| at.extract::<usize>());
        let at = at.map_or_else(|_| String::new(), |at| format!(" at {at}"));
        PyValueError::new_err(format!("has a lone surrogate{at}, which UTF-8 cannot hold"))
    } else if error.is_instance_of::<PyOverflowError>(py) {
        PyValueError::new_err(format!("must be {expected} that a float can hold"))
    } else {
        error
    }
}

/// What a value is that was to be something else: `must be str, not int`.
pub(crate) fn wrong(value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    let kind = value.get_type().name();
    let kind = kind.map_or_else(|_| "this".to_owned(), |kind| kind.to_string());
    PyTypeError::new_err(format!("must be {expected}, not {kind}"))
}

macro_rules! read {
    ($($type:ty: $expected:literal),+ $(,)?) => {$(
        impl FromPython for $type {
            fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
                value.extract().map_err(|error| unread(value, $expected, error))
            }
        }
    )+};
}

read!(bool: "bool", f64: "a number", String: "str");

macro_rules! read_integers {
    ($($type:ty),+) => {$(
        impl FromPython for $type {
            fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
                value.extract().map_err(|_| match value.cast::<PyInt>() {
                    Ok(number) => PyValueError::new_err(format!(
                        "must be from 0 to {}, not {number}",
                        <$type>::MAX
                    )),
                    Err(_) => wrong(value, "int"),
                })
            }
        }
    )+};
}

read_integers!(u16, u32, u64, usize);

impl FromPython for Vec<String> {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        // A text is a sequence of texts too, and never meant as one.
        if value.cast::<PyString>().is_ok() {
            return Err(wrong(value, "a list of str"));
        }
        let items = value.try_iter().map_err(|_| wrong(value, "a list of str"))?;
        let text = |item: Bound<'_, PyAny>| {
            if item.cast::<PyString>().is_ok() {
                return String::from_python(&item);
            }
            let kind = item.get_type().name();
            let kind = kind.map_or_else(|_| "something else".to_owned(), |kind| kind.to_string());
            Err(PyTypeError::new_err(format!("must be a list of str, and holds {kind}")))
        };
        items.map(|item| text(item?)).collect()
    }
}

impl FromPython for PathBuf {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        value.extract().map_err(|error| unread(value, "a path", error))
    }
}

impl FromPython for Secret {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        String::from_python(value).map(Secret::from)
    }
}

impl<T: FromPython> FromPython for Option<T> {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_none() { Ok(None) } else { T::from_python(value).map(Some) }
    }
}

impl<T: FromPython> FromPython for Patch<T> {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_none() {
            Ok(Self::Clear)
        } else if value.cast::<Omit>().is_ok() {
            Ok(Self::Keep)
        } else {
            T::from_python(value).map(Self::Set)
        }
    }
}

impl FromPython for Date {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = match value.cast::<PyString>() {
            Ok(text) => String::from_python(text)?,
            Err(_) => {
                let date = value.cast::<PyDate>().map_err(|_| wrong(value, "a date or str"))?;
                let mut text: String = date.call_method0("isoformat")?.extract()?;
                // A datetime is a date too, and says more than is asked.
                text.truncate(10);
                text
            }
        };
        text.parse().map_err(|_| {
            PyValueError::new_err(format!("must be a date such as 2026-01-31, not {text:?}"))
        })
    }
}

impl FromPython for Duration {
    /// Seconds, or a `timedelta`.
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let seconds: f64 = match value.cast::<PyDelta>() {
            Ok(delta) => delta.call_method0("total_seconds")?.extract()?,
            Err(_) => {
                let expected = "seconds or a timedelta";
                value.extract().map_err(|error| unread(value, expected, error))?
            }
        };
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            PyValueError::new_err(format!("must be a number of seconds to wait, not {seconds}"))
        })
    }
}

impl FromPython for Map<String, Value> {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        match from_python(value, 0)? {
            Value::Object(map) => Ok(map),
            _ => Err(wrong(value, "a mapping such as {\"fps\": 25}")),
        }
    }
}

impl FromPython for Value {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        from_python(value, 0)
    }
}

fn from_python(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(PyValueError::new_err("is nested too deeply, or holds itself"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return String::from_python(text).map(Value::String);
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if value.cast::<PyInt>().is_ok() {
        if let Ok(number) = value.extract::<i64>() {
            return Ok(number.into());
        }
        let number = value.extract::<u64>().map(Value::from);
        return number.map_err(|_| PyValueError::new_err("has a number of more than 64 bits"));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Number::from_f64(number.value())
            .map(Value::Number)
            .ok_or_else(|| PyValueError::new_err("has NaN or infinity, which JSON has not"));
    }
    if let Ok(fields) = value.cast::<PyDict>() {
        return fields.iter().map(|(name, value)| entry(&name, &value, depth)).collect();
    }
    if let Ok(items) = value.cast::<PyList>() {
        return items.iter().map(|item| from_python(&item, depth + 1)).collect();
    }
    if let Ok(items) = value.cast::<PyTuple>() {
        return items.iter().map(|item| from_python(&item, depth + 1)).collect();
    }
    if value.cast::<PyDate>().is_ok() || value.cast::<PyDateTime>().is_ok() {
        return value.call_method0("isoformat")?.extract().map(Value::String);
    }
    if let Ok(fields) = value.cast::<PyMapping>() {
        let mut map = Map::new();
        for item in fields.items()?.iter() {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let (name, value) = entry(&name, &value, depth)?;
            map.insert(name, value);
        }
        return Ok(Value::Object(map));
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("has a value of type {kind}, which JSON cannot hold")))
}

fn entry(
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<(String, Value)> {
    if name.cast::<PyString>().is_err() {
        return Err(PyTypeError::new_err("has a key that is no str, which JSON cannot hold"));
    }
    Ok((String::from_python(name)?, from_python(value, depth + 1)?))
}

/// The fields of a mapping that stands in one argument.
pub(crate) struct Fields<'py>(Bound<'py, PyDict>);

impl<'py> Fields<'py> {
    pub(crate) fn of(given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let fields = PyDict::new(given.py());
        let given = given.cast::<PyMapping>().map_err(|_| wrong(given, "a mapping of settings"))?;
        fields.call_method1("update", (given,))?;
        Ok(Self(fields))
    }

    /// The field of this name; one that is not there is as if it were None.
    pub(crate) fn take<T: FromPython>(&mut self, name: &str) -> PyResult<T> {
        let value = match self.0.get_item(name)? {
            Some(value) => {
                self.0.del_item(name)?;
                value
            }
            None => self.0.py().None().into_bound(self.0.py()),
        };
        T::from_python(&value).map_err(|error| within(value.py(), name, error))
    }

    /// Refuses what is not known: it would not be sent.
    pub(crate) fn end(self) -> PyResult<()> {
        match self.0.keys().iter().next() {
            Some(name) => {
                Err(PyTypeError::new_err(format!("has a setting {name:?}, which there is not")))
            }
            None => Ok(()),
        }
    }
}

/// A wrong setting among several.
fn within(py: Python<'_>, name: &str, error: PyErr) -> PyErr {
    let message = |error: &PyErr| format!("has a setting {name:?} that {}", error.value(py));
    if error.get_type(py).is(py.get_type::<PyTypeError>()) {
        PyTypeError::new_err(message(&error))
    } else if error.get_type(py).is(py.get_type::<PyValueError>()) {
        PyValueError::new_err(message(&error))
    } else {
        error
    }
}

/// A value as a query or a header has it.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(match from_python(value, 0)? {
        Value::String(text) => text,
        Value::Array(_) | Value::Object(_) | Value::Null => {
            return Err(wrong(value, "str, a number or bool"));
        }
        other => other.to_string(),
    })
}

/// The names and values of a mapping, its numbers and the like as text.
fn texts(given: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let mapping = given.cast::<PyMapping>().map_err(|_| wrong(given, "a mapping"))?;
    let mut texts = Vec::new();
    for item in mapping.items()?.iter() {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        if name.cast::<PyString>().is_err() {
            return Err(PyTypeError::new_err("has a name that is no str"));
        }
        let name = String::from_python(&name)?;
        let value = text(&value).map_err(|error| within(given.py(), &name, error))?;
        texts.push((name, value));
    }
    Ok(texts)
}

/// Names and values: filters, headers, a query.
#[derive(Default)]
pub(crate) struct Texts(pub(crate) Vec<(String, String)>);

impl FromPython for Texts {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        texts(value).map(Self)
    }
}

/// What an update leaves as it is.
#[pyclass(frozen, module = "storycore", name = "Omit")]
pub(crate) struct Omit;

#[pymethods]
impl Omit {
    fn __repr__(&self) -> &'static str {
        "OMIT"
    }

    fn __bool__(&self) -> bool {
        false
    }

    /// There is one: it is found by its name.
    fn __reduce__(&self) -> &'static str {
        "OMIT"
    }
}

//! Values on their way in and out: JSON, times, enums, and what an update keeps, clears or sets.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    sync::PyOnceLock,
    types::{
        PyBool, PyDate, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString,
        PyTuple, PyTzInfo,
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

/// An argument of a method, read by its [`FromPython`].
pub(crate) struct Arg<T>(pub(crate) T);

impl<'py, T: FromPython> FromPyObject<'_, 'py> for Arg<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        T::from_python(&value).map(Arg)
    }
}

macro_rules! as_pyo3_reads {
    ($($type:ty),+) => {$(
        impl FromPython for $type {
            fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
                value.extract()
            }
        }
    )+};
}

as_pyo3_reads!(bool, u16, u32, u64, f64, String, Vec<String>);

impl FromPython for Secret {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        value.extract::<String>().map(Secret::from)
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
            Ok(text) => text.to_string(),
            Err(_) => {
                let date = value.cast::<PyDate>()?;
                date.call_method0("isoformat")?.extract()?
            }
        };
        // A datetime is a date too, and says more than is asked.
        text.get(..10)
            .unwrap_or(&text)
            .parse()
            .map_err(|_| PyValueError::new_err(format!("{text:?} is no date, such as 2026-01-31")))
    }
}

impl FromPython for Duration {
    /// Seconds, or a `timedelta`.
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let seconds: f64 = match value.cast::<PyDelta>() {
            Ok(delta) => delta.call_method0("total_seconds")?.extract()?,
            Err(_) => value.extract()?,
        };
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            PyValueError::new_err(format!("{seconds} is no number of seconds to wait"))
        })
    }
}

impl FromPython for Map<String, Value> {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        match from_python(value, 0)? {
            Value::Object(map) => Ok(map),
            _ => Err(PyTypeError::new_err("a mapping is needed, such as {\"fps\": 25}")),
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
        return Err(PyValueError::new_err("the value is nested too deeply, or holds itself"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract().map(Value::String);
    }
    if let Ok(truth) = value.cast::<PyBool>() {
        return Ok(Value::Bool(truth.is_true()));
    }
    if value.cast::<PyInt>().is_ok() {
        if let Ok(number) = value.extract::<i64>() {
            return Ok(number.into());
        }
        return value.extract::<u64>().map(Value::from);
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Number::from_f64(number.value())
            .map(Value::Number)
            .ok_or_else(|| PyValueError::new_err("JSON has neither NaN nor infinity"));
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
    Err(PyTypeError::new_err(format!("a value of type {kind} cannot be sent as JSON")))
}

fn entry(
    name: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<(String, Value)> {
    let name = name
        .extract::<String>()
        .map_err(|_| PyTypeError::new_err("the keys of a mapping that is sent must be texts"))?;
    Ok((name, from_python(value, depth + 1)?))
}

/// The fields of a mapping that stands in one argument.
pub(crate) struct Fields<'py>(Bound<'py, PyDict>);

impl<'py> Fields<'py> {
    pub(crate) fn of(given: &Bound<'py, PyAny>) -> PyResult<Self> {
        let fields = PyDict::new(given.py());
        fields.call_method1("update", (given.cast::<PyMapping>()?,))?;
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
        T::from_python(&value)
    }

    /// Refuses what is not known: it would not be sent.
    pub(crate) fn end(self) -> PyResult<()> {
        match self.0.keys().iter().next() {
            Some(name) => Err(PyTypeError::new_err(format!("there is no setting {name:?}"))),
            None => Ok(()),
        }
    }
}

/// A value as a query or a header has it.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(match from_python(value, 0)? {
        Value::String(text) => text,
        Value::Array(_) | Value::Object(_) | Value::Null => {
            return Err(PyTypeError::new_err("a text, a number or a truth value is needed"));
        }
        other => other.to_string(),
    })
}

/// A JSON value as Python has it.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => number.into_pyobject(py)?.into_any(),
            (_, Some(number), _) => number.into_pyobject(py)?.into_any(),
            (_, _, Some(number)) => PyFloat::new(py, number).into_any(),
            _ => py.None().into_bound(py),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(fields) => dict(py, fields)?.into_any(),
    })
}

/// A JSON object as a new dict.
pub(crate) fn dict<'py>(
    py: Python<'py>,
    fields: &Map<String, Value>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in fields {
        dict.set_item(name, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// A time as an aware `datetime`.
pub(crate) fn time<'py>(py: Python<'py>, time: Timestamp) -> PyResult<Bound<'py, PyDateTime>> {
    let at = jiff::tz::Offset::UTC.to_datetime(time);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    PyDateTime::new(
        py,
        i32::from(at.year()),
        part(at.month()),
        part(at.day()),
        part(at.hour()),
        part(at.minute()),
        part(at.second()),
        u32::try_from(at.subsec_nanosecond() / 1_000).unwrap_or_default(),
        Some(&*PyTzInfo::utc(py)?),
    )
}

/// A day as a `date`.
pub(crate) fn date<'py>(py: Python<'py>, day: Date) -> PyResult<Bound<'py, PyDate>> {
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    PyDate::new(py, i32::from(day.year()), part(day.month()), part(day.day()))
}

/// One enum class of `storycore.enums`, found when its first value is read.
pub(crate) struct EnumClass {
    name: &'static str,
    class: PyOnceLock<(Py<PyAny>, Py<PyAny>)>,
}

impl EnumClass {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, class: PyOnceLock::new() }
    }

    /// The member with this text; a text that is not known becomes a member too.
    pub(crate) fn member<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let (class, known) = self.class.get_or_try_init(py, || {
            let class = py.import("storycore.enums")?.getattr(self.name)?;
            let known = class.getattr("_value2member_map_")?;
            PyResult::Ok((class.unbind(), known.unbind()))
        })?;
        let known = known.bind(py).cast::<PyDict>()?;
        match known.get_item(text)? {
            Some(member) => Ok(member),
            None => class.bind(py).call1((text,)),
        }
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

//! Values of the client as Python has them: JSON, times, days, enums.

use jiff::{Timestamp, civil::Date};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyBytes, PyDate, PyDateTime, PyDict, PyFloat, PyList, PyString},
};
use serde_json::{Map, Value};

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
    static UTC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let utc = UTC.get_or_try_init(py, || {
        PyResult::Ok(py.import("datetime")?.getattr("timezone")?.getattr("utc")?.unbind())
    })?;
    let at = jiff::tz::Offset::UTC.to_datetime(time);
    let [century, year, month, day] = day_state(at.date())?;
    let [hour, minute, second] = [at.hour(), at.minute(), at.second()].map(i8::unsigned_abs);
    let [_, high, middle, low] = (at.subsec_nanosecond().unsigned_abs() / 1_000).to_be_bytes();
    let state = [century, year, month, day, hour, minute, second, high, middle, low];
    let class = class(py, &CLASS, "datetime")?;
    Ok(class.call1((PyBytes::new(py, &state), utc.bind(py)))?.cast_into()?)
}

/// A day as a `date`.
pub(crate) fn date(py: Python<'_>, day: Date) -> PyResult<Bound<'_, PyDate>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let state = PyBytes::new(py, &day_state(day)?);
    Ok(class(py, &CLASS, "date")?.call1((state,))?.cast_into()?)
}

/// A day as `pickle` hands it to Python's class, which takes it as it is: with the stable interface, half the time of a text
/// in ISO's form and a third of that of numbers.
fn day_state(day: Date) -> PyResult<[u8; 4]> {
    // Python knows no year before the first.
    let year = u16::try_from(day.year()).ok().filter(|year| *year > 0);
    let year =
        year.ok_or_else(|| PyValueError::new_err(format!("year {} is out of range", day.year())))?;
    let [century, year] = year.to_be_bytes();
    Ok([century, year, day.month().unsigned_abs(), day.day().unsigned_abs()])
}

fn class<'py>(
    py: Python<'py>,
    class: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<&'py Bound<'py, PyAny>> {
    let class = class
        .get_or_try_init(py, || PyResult::Ok(py.import("datetime")?.getattr(name)?.unbind()))?;
    Ok(class.bind(py))
}

/// One enum class of `storycore.enums`, found when its first value is read.
pub(crate) struct EnumClass {
    name: &'static str,
    class: PyOnceLock<Members>,
}

struct Members {
    class: Py<PyAny>,
    /// By their texts: they are few, and a look at each costs less than a Python text to look one up with.
    known: Vec<(String, Py<PyAny>)>,
}

impl EnumClass {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, class: PyOnceLock::new() }
    }

    /// The member with this text; a text that is not known becomes a member too.
    pub(crate) fn member<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        let Members { class, known } = self.class.get_or_try_init(py, || {
            let class = py.import("storycore.enums")?.getattr(self.name)?;
            let member = |member: PyResult<Bound<'py, PyAny>>| {
                let member = member?;
                PyResult::Ok((member.extract()?, member.unbind()))
            };
            let known = class.try_iter()?.map(member).collect::<PyResult<_>>()?;
            PyResult::Ok(Members { class: class.unbind(), known })
        })?;
        match known.iter().find(|(known, _)| known == text) {
            Some((_, member)) => Ok(member.bind(py).clone()),
            None => class.bind(py).call1((text,)),
        }
    }
}

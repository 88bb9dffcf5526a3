//! Values of the client as Python has them: JSON, times, days, enums.

use jiff::{Timestamp, civil::Date};
use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyDate, PyDateTime, PyDict, PyFloat, PyList, PyString},
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
    static READ: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let at = jiff::tz::Offset::UTC.to_datetime(time);
    // As `isoformat` writes it, so that Python 3.10 reads it too.
    let mut text = *b"0000-00-00T00:00:00.000000+00:00";
    write_date(&mut text, at.date());
    for (place, number) in [(11, at.hour()), (14, at.minute()), (17, at.second())] {
        digits(&mut text[place..place + 2], u32::from(number.unsigned_abs()));
    }
    digits(&mut text[20..26], at.subsec_nanosecond().unsigned_abs() / 1_000);
    from_iso(py, &READ, "datetime", &text)?.cast_into().map_err(Into::into)
}

/// A day as a `date`.
pub(crate) fn date(py: Python<'_>, day: Date) -> PyResult<Bound<'_, PyDate>> {
    static READ: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let mut text = *b"0000-00-00";
    write_date(&mut text, day);
    from_iso(py, &READ, "date", &text)?.cast_into().map_err(Into::into)
}

fn write_date(text: &mut [u8], day: Date) {
    // Python knows no year before the first; it refuses the year 0, which stands for all of them.
    digits(&mut text[..4], u32::try_from(day.year()).unwrap_or_default());
    digits(&mut text[5..7], u32::from(day.month().unsigned_abs()));
    digits(&mut text[8..10], u32::from(day.day().unsigned_abs()));
}

/// The last digits of a number, as many as there is room for.
fn digits(text: &mut [u8], mut number: u32) {
    for place in text.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// What Python's own reader makes of it: with the stable interface, half the time of handing over eight numbers.
fn from_iso<'py>(
    py: Python<'py>,
    read: &'static PyOnceLock<Py<PyAny>>,
    class: &str,
    text: &[u8],
) -> PyResult<Bound<'py, PyAny>> {
    let read = read.get_or_try_init(py, || {
        let class = py.import("datetime")?.getattr(class)?;
        PyResult::Ok(class.getattr("fromisoformat")?.unbind())
    })?;
    let text = std::str::from_utf8(text).expect("digits and what stands between them is ASCII");
    read.bind(py).call1((text,))
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

//! What a receiver hands in, read from whatever its framework has: times, the body's bytes, headers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyByteArray, PyBytes, PyDateTime, PyList, PyMapping, PyMemoryView, PyString},
};

/// A time: a number of seconds since 1970, or a `datetime`.
pub(super) fn moment(given: &Bound<'_, PyAny>) -> PyResult<SystemTime> {
    let seconds: f64 = match given.cast::<PyDateTime>() {
        Ok(time) => time.call_method0("timestamp")?.extract()?,
        Err(_) => given.extract()?,
    };
    Duration::try_from_secs_f64(seconds)
        .map(|time| UNIX_EPOCH + time)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no time since 1970")))
}

/// The delivery's bytes. What is none is a mistake in the receiver, and never the sender's.
pub(super) fn body(given: &Bound<'_, PyAny>) -> PyResult<PyBackedBytes> {
    let py = given.py();
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(bytes.clone().into());
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        return Ok(PyBytes::new(py, &bytes.to_vec()).into());
    }
    if let Ok(view) = given.cast::<PyMemoryView>() {
        return Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?.into());
    }
    if let Ok(text) = given.cast::<PyString>() {
        // What is no text in UTF-8 did not arrive as such: it cannot match, and the signature says so.
        let bytes = text.call_method1("encode", ("utf-8", "surrogateescape"));
        return match bytes {
            Ok(bytes) => Ok(bytes.cast_into::<PyBytes>()?.into()),
            Err(_) => Ok(PyBytes::new(py, b"").into()),
        };
    }
    let class = py.import("storycore.webhooks")?.getattr("ParsedBodyError")?;
    let kind = given.get_type().name()?;
    Err(PyErr::from_value(class.call1((format!(
        "the body is of type {kind}, not the bytes as they arrived: what was read and written again has other bytes; give \
         request.body, request.get_data() or await request.body()"
    ),))?))
}

/// The headers as pairs of texts: of a mapping, of pairs as ASGI has them, or of a WSGI environment. What is no text is left
/// out, and then missing where it is needed.
pub(super) fn headers(given: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let pairs = if let Ok(mapping) = given.cast::<PyMapping>() {
        mapping.items().map(Bound::into_any)
    } else if given.hasattr("items")? {
        given.call_method0("items")
    } else {
        Ok(given.clone())
    };
    let mut read = Vec::new();
    let pairs = pairs.and_then(|pairs| pairs.try_iter());
    let pairs = pairs.map_err(|_| no_headers(given))?;
    for pair in pairs {
        let pair = pair.and_then(|pair| pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>());
        let (name, value) = pair.map_err(|_| no_headers(given))?;
        let Some(name) = header_text(&name) else { continue };
        // Some gateways give a list of the values that a header had.
        let first = value.cast::<PyList>().ok().and_then(|values| values.get_item(0).ok());
        let Some(value) = header_text(first.as_ref().unwrap_or(&value)) else { continue };
        let name = match name.strip_prefix("HTTP_") {
            Some(name) => name.replace('_', "-"),
            None => name,
        };
        read.push((name, value));
    }
    Ok(read)
}

fn header_text(given: &Bound<'_, PyAny>) -> Option<String> {
    if let Ok(text) = given.cast::<PyString>() {
        return text.extract().ok();
    }
    let bytes = given.cast::<PyBytes>().ok()?;
    std::str::from_utf8(bytes.as_bytes()).ok().map(str::to_owned)
}

fn no_headers(given: &Bound<'_, PyAny>) -> PyErr {
    let kind = given.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("headers are a mapping or pairs of texts; a {kind} is neither"))
}

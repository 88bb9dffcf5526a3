//! The caller's trace: where OpenTelemetry is in use, requests belong to its current span.

use pyo3::{intern, prelude::*, sync::PyOnceLock, types::PyDict};

/// The `traceparent` of the span that is current, where there is one. Nothing is imported for it.
pub(crate) fn traceparent(py: Python<'_>) -> PyResult<Option<String>> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let modules = MODULES.get_or_try_init(py, || {
        let modules = py.import("sys")?.getattr("modules")?;
        PyResult::Ok(modules.cast_into::<PyDict>()?.unbind())
    })?;
    let modules = modules.bind(py);
    let Some(trace) = modules.get_item(intern!(py, "opentelemetry.trace"))? else {
        return Ok(None);
    };
    let span = trace.call_method0("get_current_span")?;
    let context = span.call_method0("get_span_context")?;
    if !context.getattr("is_valid")?.is_truthy()? {
        return Ok(None);
    }
    let trace: u128 = context.getattr("trace_id")?.extract()?;
    let span: u64 = context.getattr("span_id")?.extract()?;
    let flags: u8 = context.getattr("trace_flags")?.extract()?;
    Ok(Some(format!("00-{trace:032x}-{span:016x}-{flags:02x}")))
}

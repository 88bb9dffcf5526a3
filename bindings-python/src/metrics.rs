//! The client's metrics, where a program asks for them: counted in this process, and read as a list. Until then nothing is
//! counted.

use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};
use storycore::recorder;

/// Counts from now on.
#[pyfunction]
#[pyo3(name = "enable_metrics")]
pub(crate) fn enable() {
    // The extension has a recorder of its own: nothing else sets this.
    recorder::enable();
}

/// What was counted: a dict a metric with its `name`, `labels` and `count`, and of a duration its `sum` in seconds and its
/// `buckets`, pairs of an upper bound and how many were at most that.
#[pyfunction]
#[pyo3(name = "metrics_snapshot")]
pub(crate) fn snapshot(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let all = PyList::empty(py);
    for metric in recorder::snapshot() {
        let (told, labels) = (PyDict::new(py), PyDict::new(py));
        for (name, value) in metric.labels {
            labels.set_item(name, value)?;
        }
        told.set_item("name", metric.name)?;
        told.set_item("labels", labels)?;
        told.set_item("count", metric.count)?;
        if let Some(durations) = metric.durations {
            told.set_item("sum", durations.sum)?;
            told.set_item("buckets", durations.buckets)?;
        }
        all.append(told)?;
    }
    Ok(all)
}

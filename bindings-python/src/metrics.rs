//! The client's metrics, where a program asks for them: counted in this process, and read as a list. Until then nothing is
//! counted.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

/// The upper bounds of a histogram's buckets, in seconds: those that Prometheus has by default.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static COUNTERS: Mutex<Option<HashMap<Key, Arc<AtomicU64>>>> = Mutex::new(None);
static HISTOGRAMS: Mutex<Option<HashMap<Key, Arc<Buckets>>>> = Mutex::new(None);

#[derive(Default)]
struct Buckets(Mutex<Counted>);

#[derive(Default, Clone)]
struct Counted {
    count: u64,
    sum: f64,
    /// How many were at most each bound.
    buckets: [u64; BOUNDS.len()],
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let mut counted = lock(&self.0);
        counted.count += 1;
        counted.sum += value;
        for (bucket, bound) in counted.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(value <= bound);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Kept;

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let mut all = lock(&COUNTERS);
        let counter = all.get_or_insert_default().entry(key.clone()).or_default();
        Counter::from_arc(Arc::clone(counter))
    }

    /// The client has none.
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let mut all = lock(&HISTOGRAMS);
        let histogram = all.get_or_insert_default().entry(key.clone()).or_default();
        Histogram::from_arc(Arc::clone(histogram))
    }
}

/// Counts from now on.
#[pyfunction]
#[pyo3(name = "enable_metrics")]
pub(crate) fn enable() {
    static ONCE: Once = Once::new();
    // The extension has a recorder of its own: nothing else sets this.
    ONCE.call_once(|| drop(metrics::set_global_recorder(Kept)));
}

/// What was counted: a dict a metric with its `name`, `labels` and `count`, and of a duration its `sum` in seconds and its
/// `buckets`, pairs of an upper bound and how many were at most that.
#[pyfunction]
#[pyo3(name = "metrics_snapshot")]
pub(crate) fn snapshot(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let counters: Vec<(Key, u64)> = lock(&COUNTERS)
        .iter()
        .flatten()
        .map(|(key, count)| (key.clone(), count.load(Relaxed)))
        .collect();
    let histograms: Vec<(Key, Counted)> = lock(&HISTOGRAMS)
        .iter()
        .flatten()
        .map(|(key, buckets)| (key.clone(), lock(&buckets.0).clone()))
        .collect();
    let all = PyList::empty(py);
    let metric = |key: &Key, count: u64| -> PyResult<Bound<'_, PyDict>> {
        let (metric, labels) = (PyDict::new(py), PyDict::new(py));
        for label in key.labels() {
            labels.set_item(label.key(), label.value())?;
        }
        metric.set_item("name", key.name())?;
        metric.set_item("labels", labels)?;
        metric.set_item("count", count)?;
        Ok(metric)
    };
    for (key, count) in &counters {
        all.append(metric(key, *count)?)?;
    }
    for (key, counted) in &histograms {
        let metric = metric(key, counted.count)?;
        metric.set_item("sum", counted.sum)?;
        let buckets: Vec<_> = BOUNDS.into_iter().zip(counted.buckets).collect();
        metric.set_item("buckets", buckets)?;
        all.append(metric)?;
    }
    Ok(all)
}

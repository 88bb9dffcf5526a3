//! The client's metrics for languages without the `metrics` facade: counted in this process from when that is asked for, and
//! read as a list. Made for the bindings; Rust programs install a recorder of their own.

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

/// The upper bounds of a histogram's buckets, in seconds: those that Prometheus has by default.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static COUNTERS: Mutex<Option<HashMap<Key, Arc<AtomicU64>>>> = Mutex::new(None);
static HISTOGRAMS: Mutex<Option<HashMap<Key, Arc<Buckets>>>> = Mutex::new(None);

/// What was counted under one name with the same labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The contract's name (§10).
    pub name: String,
    /// Its labels, by name and value.
    pub labels: Vec<(String, String)>,
    /// How often.
    pub count: u64,
    /// Of durations, how they were.
    pub durations: Option<Durations>,
}

/// How long things took.
#[derive(Debug, Clone, PartialEq)]
pub struct Durations {
    /// All together, in seconds.
    pub sum: f64,
    /// Upper bounds in seconds, and how many took at most that.
    pub buckets: Vec<(f64, u64)>,
}

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

/// Counts from now on, unless the program has a recorder of its own already.
pub fn enable() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(metrics::set_global_recorder(Kept)));
}

/// What was counted so far.
pub fn snapshot() -> Vec<Metric> {
    let metric = |key: &Key, count: u64, durations: Option<Durations>| Metric {
        name: key.name().to_owned(),
        labels: key.labels().map(|l| (l.key().to_owned(), l.value().to_owned())).collect(),
        count,
        durations,
    };
    let counters = lock(&COUNTERS);
    let counted = counters.iter().flatten().map(|(key, n)| metric(key, n.load(Relaxed), None));
    let mut all: Vec<Metric> = counted.collect();
    drop(counters);
    for (key, buckets) in lock(&HISTOGRAMS).iter().flatten() {
        let counted = lock(&buckets.0).clone();
        let buckets = BOUNDS.into_iter().zip(counted.buckets).collect();
        all.push(metric(key, counted.count, Some(Durations { sum: counted.sum, buckets })));
    }
    all
}

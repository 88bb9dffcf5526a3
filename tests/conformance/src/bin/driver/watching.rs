//! What a program that watches the client would see: its spans, its log lines, its metrics.

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

static SPANS: Mutex<Vec<(u64, Value)>> = Mutex::new(Vec::new());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static METRICS: OnceLock<Snapshotter> = OnceLock::new();

/// Watches from now on.
pub(crate) fn begin() {
    let recorder = DebuggingRecorder::new();
    let _ = METRICS.set(recorder.snapshotter());
    recorder.install().expect("nothing else records metrics here");
    tracing_subscriber::registry().with(Seen).init();
}

/// The client's spans so far, in the order they began: name, parent's name, fields.
pub(crate) fn spans() -> Value {
    let spans = SPANS.lock().unwrap_or_else(PoisonError::into_inner);
    spans.iter().map(|(_, span)| span.clone()).collect()
}

/// Every span and line of log so far, of the client and of what it stands on, as text.
pub(crate) fn text() -> Value {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    json!(lines.join("\n"))
}

/// The metrics so far: name, labels, and the count of what was recorded.
pub(crate) fn metrics() -> Value {
    let snapshot = METRICS.get().map(Snapshotter::snapshot).map(|s| s.into_vec());
    let mut all: Vec<Value> = snapshot
        .into_iter()
        .flatten()
        .map(|(key, _, _, value)| {
            let labels: Map<String, Value> =
                key.key().labels().map(|l| (l.key().to_owned(), json!(l.value()))).collect();
            let count = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Gauge(_) => 1,
                DebugValue::Histogram(values) => values.len() as u64,
            };
            json!({"name": key.key().name(), "labels": labels, "count": count})
        })
        .collect();
    all.sort_by_key(|metric| metric["name"].as_str().map(str::to_owned));
    Value::Array(all)
}

struct Seen;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let metadata = attributes.metadata();
        note(format!("{} {} {:?}", metadata.target(), metadata.name(), fields.0));
        if metadata.target().starts_with("storycore") {
            let parent = context.span(id).and_then(|span| Some(span.parent()?.name()));
            let span = json!({"name": metadata.name(), "parent": parent, "fields": fields.0});
            SPANS.lock().unwrap_or_else(PoisonError::into_inner).push((id.into_u64(), span));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        note(format!("{:?}", fields.0));
        let mut spans = SPANS.lock().unwrap_or_else(PoisonError::into_inner);
        // Ids are used again: the newest span is meant.
        if let Some((_, span)) = spans.iter_mut().rev().find(|(known, _)| *known == id.into_u64())
            && let Some(known) = span["fields"].as_object_mut()
        {
            known.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        note(format!("{} {:?}", event.metadata().target(), fields.0));
    }
}

fn note(line: String) {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().to_owned(), json!(text));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}

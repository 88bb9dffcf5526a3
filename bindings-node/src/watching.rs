//! What a client says of itself: log lines for a logger of the program's own, and metrics where a program asks for them. A
//! program that asks for neither pays nothing.

use std::{
    sync::{Arc, Once, Weak},
    time::Instant,
};

use napi_derive::napi;
use serde_json::{Map, Value, json};
use storycore::recorder;
use storycore_log_lines as lines;
use tracing::{
    Event, Level, Metadata, Span, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_serde::fields::AsMap;
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::{LookupSpan, Scope},
};

use crate::bridge::Environment;

/// The span that everything stands in that a client with a logger does.
const CLIENT: &str = "storycore_client";

/// Where a client's lines go: JavaScript is told of them under this number.
pub(crate) struct Logger {
    environment: Weak<Environment>,
    number: u32,
    most: Level,
}

impl Logger {
    /// Lines up to `level`: `debug`, `info`, `warn` or `error`.
    pub(crate) fn new(environment: &Arc<Environment>, number: u32, level: &str) -> Option<Self> {
        let most = match level {
            "debug" => Level::DEBUG,
            "info" => Level::INFO,
            "warn" => Level::WARN,
            "error" => Level::ERROR,
            _ => return None,
        };
        Some(Self { environment: Arc::downgrade(environment), number, most })
    }

    /// What a client's calls are to stand in.
    pub(crate) fn span(self) -> Span {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            // The library has a tracing of its own: nothing else sets this.
            let _ = tracing::subscriber::set_global_default(
                tracing_subscriber::registry().with(ToLoggers),
            );
        });
        let span = tracing::error_span!(CLIENT);
        span.with_subscriber(|(id, dispatch)| {
            let registry = dispatch.downcast_ref::<Registry>();
            if let Some(span) = registry.and_then(|registry| registry.span(id)) {
                span.extensions_mut().insert(self);
            }
        });
        span
    }

    fn tell(&self, level: Level, message: &str, fields: Map<String, Value>) {
        if level > self.most {
            return;
        }
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            _ => "debug",
        };
        if let Some(environment) = self.environment.upgrade() {
            let line = json!({"level": level, "message": message, "fields": fields});
            environment.tell(self.number, &line.to_string());
        }
    }
}

struct ToLoggers;

/// What is kept of a span while it lasts.
struct Begun {
    at: Instant,
    fields: Map<String, Value>,
}

/// Does something with the logger that a span or a line stands under.
fn under<'a, S>(scope: Option<Scope<'a, S>>, tell: impl FnOnce(&Logger))
where
    S: Subscriber + LookupSpan<'a>,
{
    for span in scope.into_iter().flatten() {
        if let Some(logger) = span.extensions().get::<Logger>() {
            return tell(logger);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToLoggers {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let is_ours =
            metadata.target().starts_with("storycore") && *metadata.level() <= Level::DEBUG;
        if is_ours { Interest::always() } else { Interest::never() }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| span.name() != CLIENT) {
            span.extensions_mut()
                .insert(Begun { at: Instant::now(), fields: lines::named(attributes.field_map()) });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(begun) = span.extensions_mut().get_mut::<Begun>()
        {
            begun.fields.extend(lines::named(values.field_map()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Begun { at, mut fields }) = span.extensions_mut().remove::<Begun>() else {
            return;
        };
        let took = at.elapsed();
        let message = lines::ended(span.name(), &fields, took);
        fields.insert("duration_ms".into(), (took.as_secs_f64() * 1000.0).into());
        under(context.span_scope(&id), |logger| {
            logger.tell(*span.metadata().level(), &message, fields);
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        under(context.event_scope(event), |logger| {
            let mut fields = lines::named(event.field_map());
            let message = fields.remove("message").map(|text| plain(&text)).unwrap_or_default();
            logger.tell(*event.metadata().level(), &message, fields);
        });
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Counts from now on, in every environment of the process.
#[napi]
pub fn enable_metrics() {
    // The library has a recorder of its own; only the conformance driver sets another one.
    recorder::enable();
}

/// What was counted, as JSON: `[{name, labels, count, sum?, buckets?}]`.
#[napi]
pub fn metrics_snapshot() -> String {
    let metric = |metric: recorder::Metric| {
        let labels: Map<String, Value> =
            metric.labels.into_iter().map(|(name, value)| (name, value.into())).collect();
        let mut told = json!({"name": metric.name, "labels": labels, "count": metric.count});
        if let Some(durations) = metric.durations {
            told["sum"] = durations.sum.into();
            told["buckets"] = json!(durations.buckets);
        }
        told
    };
    Value::from_iter(recorder::snapshot().into_iter().map(metric)).to_string()
}

//! The client's log lines in words, for languages that have them in a logger of their own. It knows neither the client nor a
//! language; Rust programs have `tracing`.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

/// What a span or an event carries, by name.
#[must_use]
pub fn named(fields: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(fields) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A span that has ended: `GET /api/projects status=200 took 3.1 ms`.
#[must_use]
pub fn ended(span: &str, fields: &Map<String, Value>, took: Duration) -> String {
    let mut line = span.to_owned();
    for (name, value) in fields {
        let _ = match value.as_str() {
            Some(text) => write!(line, " {name}={text}"),
            None => write!(line, " {name}={value}"),
        };
    }
    let _ = write!(line, " took {:.1} ms", took.as_secs_f64() * 1000.0);
    line
}

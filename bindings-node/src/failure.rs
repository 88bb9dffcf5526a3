//! Errors on their way to JavaScript: one JSON object with every field. Which class it becomes there, its kind says.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use storycore::Error;

/// Why something failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// As the client says.
    Client(Error),
    /// What was given cannot be what is wanted; nothing was sent.
    Given { kind: &'static str, message: String, param: Option<String> },
}

impl Failure {
    /// A setting or an option that cannot work.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::Given { kind: "config", message: message.into(), param: None }
    }

    /// The same, where it has a name.
    pub(crate) fn setting(param: &str, message: impl Into<String>) -> Self {
        let param = Some(param.to_owned());
        Self::Given { kind: "config", message: message.into(), param }
    }

    /// A field or an argument that is missing, unknown or of the wrong type.
    pub(crate) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let param = Some(param.to_owned());
        Self::Given { kind: "invalid_request", message: message.into(), param }
    }

    /// The client was closed.
    pub(crate) fn closed() -> Self {
        Self::Given { kind: "cancelled", message: "the client was closed".to_owned(), param: None }
    }

    /// Something that must not happen; kept from taking the process with it.
    pub(crate) fn inside() -> Self {
        let message = "the SDK failed inside: please report it with what was called";
        Self::Given { kind: "internal", message: message.to_owned(), param: None }
    }

    /// The error with every field, as JSON text.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Given { kind, message, param } => {
                json!({"kind": kind, "message": message, "param": param}).to_string()
            }
            Self::Client(error) => told(error).to_string(),
        }
    }

    /// As an exception of a function that does its work at once; its message is the JSON.
    pub(crate) fn thrown(&self) -> napi::Error {
        napi::Error::from_reason(self.to_json())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

/// A parameter that the client and JavaScript name differently.
const PAGE_SIZE: (&str, &str) = ("page_size", "pageSize");

/// What the client says in Rust's names, and the same in those of JavaScript. Whole messages: a part of one may be the caller's
/// own words, such as a file's name.
const MESSAGES: [(&str, &str); 2] = [
    (
        "the base URL must be https, or allow_insecure_http must be set",
        "the base URL must be https, or `allowInsecureHttp` must be set",
    ),
    (
        "a path begins with / and has no query: use query()",
        "a path begins with / and has no query: that is the option `query`",
    ),
];

/// The message and the parameter of an error, in JavaScript's names. What the platform says is told as it is.
fn renamed(error: &Error) -> (Cow<'_, str>, Option<&str>) {
    let (message, param) = (error.message(), error.param());
    if error.status().is_some() {
        return (message.into(), param);
    }
    let (rust, own) = PAGE_SIZE;
    if param == Some(rust) {
        return (message.replace(rust, own).into(), Some(own));
    }
    let known = MESSAGES.iter().find(|(rust, _)| *rust == message);
    (known.map_or(message, |(_, own)| own).into(), param)
}

fn told(error: &Error) -> Value {
    let mut fields = Map::new();
    fields.insert("kind".into(), error.kind().as_str().into());
    fields.insert("text".into(), error.to_string().into());
    let (message, param) = renamed(error);
    fields.insert("message".into(), message.into());
    fields.insert("attempts".into(), error.attempts().into());
    fields.insert("elapsed".into(), milliseconds(error.elapsed()));
    fields.insert("retryable".into(), error.is_retryable().into());
    let optional = [
        ("status", error.status().map(Value::from)),
        ("code", error.code().map(Value::from)),
        ("param", param.map(Value::from)),
        ("details", error.details().cloned()),
        ("requestId", error.request_id().map(Value::from)),
        ("idempotencyKey", error.idempotency_key().map(Value::from)),
        ("retryAfter", error.retry_after().map(milliseconds)),
        ("body", error.body().map(Value::from)),
        ("job", error.job().map(|job| without_nulls(json!(job)))),
        ("cause", causes(std::error::Error::source(error))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            fields.insert(name.into(), value);
        }
    }
    Value::Object(fields)
}

/// What stood behind an error, and behind that: their words, outermost first.
fn causes(source: Option<&(dyn std::error::Error + 'static)>) -> Option<Value> {
    let words: Vec<Value> = std::iter::successors(source, |error| error.source())
        .map(|error| error.to_string().into())
        .collect();
    (!words.is_empty()).then_some(Value::Array(words))
}

/// A time as JavaScript counts it.
pub(crate) fn milliseconds(time: std::time::Duration) -> Value {
    (time.as_secs_f64() * 1000.0).into()
}

/// An object that is known from its type alone: what it lacks is left out, as the platform leaves it out.
pub(crate) fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

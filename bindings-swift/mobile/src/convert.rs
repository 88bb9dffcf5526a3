//! Values as they cross the boundary: JSON and dates as text, both ways.

use std::time::SystemTime;

use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// A time of the platform's as the languages have it.
pub(crate) fn time(time: Timestamp) -> SystemTime {
    time.into()
}

/// An object as JSON text.
pub(crate) fn object(object: Map<String, Value>) -> String {
    Value::Object(object).to_string()
}

/// Fields that are not known, as JSON text; nothing where there are none.
pub(crate) fn extra(extra: Map<String, Value>) -> Option<String> {
    (!extra.is_empty()).then(|| object(extra))
}

/// An object from its JSON text.
pub(crate) fn read_object(name: &str, text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::invalid(name, format!("`{name}` is no JSON object: {error}")))
}

/// A date from its text.
pub(crate) fn read_date(name: &str, text: &str) -> Result<Date, Failure> {
    storycore::day(text).ok_or_else(|| {
        Failure::invalid(name, format!("`{name}` is no date such as 2026-01-31: {text:?}"))
    })
}

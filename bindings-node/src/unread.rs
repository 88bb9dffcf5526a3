//! What of JSON text cannot be read, and where it stands: JavaScript's texts may have half of a surrogate pair, and its objects
//! may be nested as deep as one likes. Looked for only where reading the whole has failed.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};

/// Something in a value that cannot be read.
pub(crate) struct Unread {
    /// Where it stands in the value: `settings.cuts[1].name`. Empty if it is the value itself.
    pub(crate) path: String,
    /// What is wrong with it, as said behind its name.
    pub(crate) reason: &'static str,
}

const SURROGATE: &str = "has a lone surrogate, which UTF-8 cannot hold";
const DEEP: &str = "is nested too deep";

/// The elements of a list, up to the first that cannot be read.
pub(crate) fn elements(text: &str) -> (Vec<Value>, Option<Unread>) {
    let mut read = Vec::new();
    // Raw values are looked through for their ends alone, however deep they are.
    for raw in serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default() {
        match serde_json::from_str(raw.get()) {
            Ok(value) => read.push(value),
            Err(_) => return (read, Some(within(raw.get()))),
        }
    }
    (read, None)
}

/// What is wrong with a value that cannot be read.
pub(crate) fn within(mut text: &str) -> Unread {
    let mut steps = Vec::new();
    while let Some((step, raw)) = unread_child(text) {
        steps.push(step);
        text = raw.get();
    }
    let mut reason = SURROGATE;
    if text.starts_with(['{', '[']) && keys_can_be_read(text) {
        // Each that stands in it can be read by itself. Where in the whole the bound is met tells nobody anything.
        reason = DEEP;
        steps.truncate(1);
    }
    let path = steps.concat();
    Unread { path: path.strip_prefix('.').unwrap_or(&path).to_owned(), reason }
}

/// The first value in an object or a list that cannot be read, and the step that leads to it.
fn unread_child(text: &str) -> Option<(String, &RawValue)> {
    let cannot = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).is_err();
    if text.starts_with('[') {
        let all: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let (at, raw) = all.into_iter().enumerate().find(|(_, raw)| cannot(raw))?;
        return Some((format!("[{at}]"), raw));
    }
    let all: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let (key, raw) = all.into_iter().find(|(_, raw)| cannot(raw))?;
    Some((format!(".{key}"), raw))
}

fn keys_can_be_read(text: &str) -> bool {
    text.starts_with('[') || serde_json::from_str::<BTreeMap<String, &RawValue>>(text).is_ok()
}

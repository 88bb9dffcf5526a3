//! Reading what JavaScript gives: JSON objects and lists of arguments into the client's own types. What is missing, unknown
//! or of another type is told by its name; the value itself is not shown, since it may be a secret.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use storycore::{CallOptions, Patch, models::ListParams};

use crate::{
    failure::Failure,
    unread::{self, Unread},
};

type Result<T> = std::result::Result<T, Failure>;

/// The fields of one object, taken out one by one.
#[derive(Default)]
pub(crate) struct Fields {
    /// Where they stand, for messages.
    of: &'static str,
    /// What a client, a call or a webhook is set up with, and no argument.
    are_settings: bool,
    map: Map<String, Value>,
    /// A field that is there, and the one that was probably meant.
    meant: Option<(String, String)>,
}

impl Fields {
    /// Reads settings from JSON text.
    pub(crate) fn parse(of: &'static str, text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(value) => Self::new(of, true, value),
            Err(_) => {
                let Unread { path, reason } = unread::within(text);
                Err(match path.is_empty() {
                    true => Failure::config(format!("something of {of} {reason}")),
                    false => Failure::setting(&path, format!("`{path}` of {of} {reason}")),
                })
            }
        }
    }

    fn new(of: &'static str, are_settings: bool, value: Value) -> Result<Self> {
        let mut fields = Self { of, are_settings, ..Self::default() };
        match value {
            Value::Object(map) => fields.map = map,
            Value::Null => {}
            _ => return Err(fields.wrong(of, format!("{of} must be an object"))),
        }
        Ok(fields)
    }

    fn wrong(&self, name: &str, message: String) -> Failure {
        match self.are_settings {
            true => Failure::setting(name, message),
            false => Failure::invalid(name, message),
        }
    }

    fn remove(&mut self, name: &str) -> Option<Value> {
        let value = self.map.remove(name);
        if value.is_none() && self.meant.is_none() {
            let alike = self.map.keys().find(|key| are_alike(key, name));
            self.meant = alike.map(|key| (key.clone(), name.to_owned()));
        }
        value
    }

    /// A field that may be left out or `null`.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        match self.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.read(name, value).map(Some),
        }
    }

    /// A field that must be there.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        match self.remove(name) {
            None | Some(Value::Null) => {
                Err(self.wrong(name, format!("{} needs `{name}`", self.of)))
            }
            Some(value) => self.read(name, value),
        }
    }

    /// A list or a map that is empty when it is left out.
    pub(crate) fn some<T: DeserializeOwned + Default>(&mut self, name: &str) -> Result<T> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// A change: left out it keeps what is there, `null` clears it.
    pub(crate) fn change<T: DeserializeOwned>(&mut self, name: &str) -> Result<Patch<T>> {
        match self.remove(name) {
            None => Ok(Patch::Keep),
            Some(Value::Null) => Ok(Patch::Clear),
            Some(value) => self.read(name, value).map(Patch::Set),
        }
    }

    /// A time in milliseconds.
    pub(crate) fn time(&mut self, name: &str) -> Result<Option<Duration>> {
        let Some(ms) = self.take::<f64>(name)? else { return Ok(None) };
        // From here on it would be no deadline any more, and sums with it would not fit.
        let most = 1e13;
        if !(0.0..=most).contains(&ms) {
            let message = format!("`{name}` must be a number of milliseconds from 0 to {most:e}");
            return Err(self.wrong(name, message));
        }
        Ok(Some(Duration::from_secs_f64(ms / 1000.0)))
    }

    /// An object within, if it is there.
    pub(crate) fn inner(&mut self, name: &'static str) -> Result<Option<Fields>> {
        match self.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Self::new(name, self.are_settings, value).map(Some),
        }
    }

    /// Says which field was not known.
    pub(crate) fn end(self) -> Result<()> {
        self.spelled()?;
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, format!("there is no `{name}` in {}", self.of))),
        }
    }

    /// Says which field was spelled as in another language.
    fn spelled(&self) -> Result<()> {
        match &self.meant {
            None => Ok(()),
            Some((name, meant)) => {
                let message = format!("there is no `{name}` in {}: it is `{meant}`", self.of);
                Err(self.wrong(name, message))
            }
        }
    }

    /// The fields that are left, each as text: headers, filters.
    pub(crate) fn texts(self) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for (name, value) in &self.map {
            match value {
                Value::Null => {}
                Value::String(text) => texts.push((name.clone(), text.clone())),
                Value::Number(_) | Value::Bool(_) => texts.push((name.clone(), value.to_string())),
                _ => {
                    let message = format!("`{name}` of {} must be a text", self.of);
                    return Err(self.wrong(name, message));
                }
            }
        }
        Ok(texts)
    }

    fn read<T: DeserializeOwned>(&self, name: &str, value: Value) -> Result<T> {
        let found = kind(&value);
        serde_json::from_value(value).map_err(|_| {
            let wanted = wanted::<T>();
            self.wrong(name, format!("`{name}` of {} cannot be this {found}{wanted}", self.of))
        })
    }
}

/// Whether two names differ in underscores and capitals alone.
fn are_alike(one: &str, other: &str) -> bool {
    let letters = |name: &'_ str| {
        let bytes = name.bytes().filter(|byte| *byte != b'_');
        bytes.map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>()
    };
    one.len().abs_diff(other.len()) <= 4 && letters(one) == letters(other)
}

/// What a value must be, as told behind what it cannot be: of the type, never of the value, which may be a secret.
fn wanted<T: DeserializeOwned>() -> String {
    serde_json::from_value::<T>(Value::Null).err().map_or_else(String::new, |error| words(&error))
}

fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let Some((_, words)) = text.split_once("expected ") else { return String::new() };
    let words = match words {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        words if words.starts_with("struct ") => "an object",
        words if words.contains("date string") => "a day such as \"2026-12-31\"",
        words => words,
    };
    format!(": it must be {words}")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The arguments of one call, in their order.
pub(crate) struct Arguments {
    list: std::vec::IntoIter<Value>,
    /// What cannot be read of the argument behind those. It is told with that one's name.
    unread: Option<Unread>,
}

impl Arguments {
    pub(crate) fn parse(text: &str) -> Self {
        let (list, unread) = match serde_json::from_str(text) {
            Ok(list) => (list, None),
            Err(_) => unread::elements(text),
        };
        Self { list: list.into_iter(), unread }
    }

    fn next(&mut self, name: &str) -> Result<Value> {
        match (self.list.next(), self.unread.take()) {
            (None, Some(Unread { path, reason })) => {
                let param = if path.is_empty() { name } else { &path };
                Err(Failure::invalid(param, format!("`{param}` {reason}")))
            }
            (value, unread) => {
                self.unread = unread;
                Ok(value.unwrap_or_default())
            }
        }
    }

    /// An argument that must be there.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T> {
        self.may(name)?.ok_or_else(|| Failure::invalid(name, format!("`{name}` is missing")))
    }

    /// An argument that may be left out.
    pub(crate) fn may<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        match self.next(name)? {
            Value::Null => Ok(None),
            value => {
                let found = kind(&value);
                serde_json::from_value(value).map(Some).map_err(|_| {
                    let wanted = wanted::<T>();
                    Failure::invalid(name, format!("`{name}` cannot be this {found}{wanted}"))
                })
            }
        }
    }

    /// An object whose fields are the argument.
    pub(crate) fn fields(&mut self, of: &'static str) -> Result<Fields> {
        let value = self.next(of)?;
        Fields::new(of, false, value)
    }

    /// What a list is asked with: its own parameters, and every other field is a filter.
    pub(crate) fn list(&mut self) -> Result<ListParams> {
        let mut given = self.fields("the list's parameters")?;
        let mut params = ListParams::new();
        if let Some(size) = given.take("pageSize")? {
            params = params.page_size(size);
        }
        if let Some(items) = given.take("maxItems")? {
            params = params.max_items(items);
        }
        if let Some(offset) = given.take("offset")? {
            params = params.offset(offset);
        }
        if let Some(sort) = given.take::<String>("sort")? {
            params = params.sort(sort);
        }
        // A filter that the platform does not know is none, and nobody would notice.
        given.spelled()?;
        for (name, value) in given.texts()? {
            params = params.filter(name, value);
        }
        Ok(params)
    }
}

/// Options of one call.
pub(crate) fn options(text: Option<&str>) -> Result<CallOptions> {
    let mut options = CallOptions::new();
    let Some(text) = text else { return Ok(options) };
    let mut given = Fields::parse("the call's options", text)?;
    if let Some(time) = given.time("timeout")? {
        options = options.timeout(time);
    }
    if let Some(retries) = given.take("maxRetries")? {
        options = options.max_retries(retries);
    }
    if let Some(key) = given.take::<String>("idempotencyKey")? {
        options = options.idempotency_key(&key)?;
    }
    if let Some(headers) = given.inner("headers")? {
        for (name, value) in headers.texts()? {
            options = options.header(&name, &value)?;
        }
    }
    given.end()?;
    Ok(options)
}

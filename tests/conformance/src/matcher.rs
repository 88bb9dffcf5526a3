//! Whether a value is what a scenario expects. Objects match by the fields that are named, lists by every element;
//! a text that begins with `$` or `/` is a rule.
//!
//! | expected | matches |
//! |---|---|
//! | `$any` | anything that is there |
//! | `$absent` | nothing, or null |
//! | `$uuid` | a UUID of version 4 |
//! | `$=name` | whatever stood there first, the same each time |
//! | `$name.field` | a value saved before |
//! | `/text/` | a text in which the regular expression is found |
//! | `{$gte: n, $lte: n}` | a number within |
//! | `{$length: n}` | a list or text of that length |
//! | `{$not: x}` | what is there and does not match x |
//!
//! In what is sent, `$name.field` and `${name.field}` stand for what was saved, `$unix+n` for so many seconds from now,
//! `$date+n` for the same as an HTTP date, and `$many:n:text` for a text so many times.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// What scenarios saved and bound so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bindings {
    saved: HashMap<String, Value>,
    same: HashMap<String, Value>,
}

impl Bindings {
    /// Names a value for later steps.
    pub(crate) fn save(&mut self, name: &str, value: Value) {
        self.saved.insert(name.to_owned(), value);
    }

    /// Forgets what `$=name` stood for.
    pub(crate) fn forget_same(&mut self) {
        self.same.clear();
    }

    /// `value` with every `$name.field` in it replaced by what was saved.
    pub(crate) fn fill(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => self.fill_text(text)?,
            Value::Array(items) => {
                Value::Array(items.iter().map(|v| self.fill(v)).collect::<Result<_>>()?)
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(k, v)| Ok((k.clone(), self.fill(v)?)))
                    .collect::<Result<_>>()?,
            ),
            other => other.clone(),
        })
    }

    fn fill_text(&self, text: &str) -> Result<Value> {
        let then = |seconds: &str| -> Result<SystemTime> {
            Ok(SystemTime::now() + Duration::from_secs(seconds.parse()?))
        };
        if let Some(seconds) = text.strip_prefix("$unix+") {
            let at = then(seconds)?.duration_since(UNIX_EPOCH)?.as_secs();
            return Ok(Value::String(at.to_string()));
        }
        if let Some(seconds) = text.strip_prefix("$date+") {
            return Ok(Value::String(httpdate::fmt_http_date(then(seconds)?)));
        }
        if let Some(many) = text.strip_prefix("$many:") {
            let (times, text) = many.split_once(':').context("$many:n:text")?;
            return Ok(Value::String(text.repeat(times.parse()?)));
        }
        if let Some(path) = text.strip_prefix('$')
            && let Some(value) = self.look_up(path)
        {
            return Ok(value);
        }
        // Inside a longer text: `${name.field}`.
        let mut rest = text;
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (path, after) = after.split_once('}').context("an open ${")?;
            let value =
                self.look_up(path).with_context(|| format!("nothing is saved as {path}"))?;
            filled.push_str(before);
            match value {
                Value::String(text) => filled.push_str(&text),
                other => filled.push_str(&other.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(Value::String(filled))
    }

    fn look_up(&self, path: &str) -> Option<Value> {
        let mut parts = path.split('.');
        let mut value = self.saved.get(parts.next()?)?;
        for part in parts {
            value = match part.parse::<usize>() {
                Ok(index) if value.is_array() => value.get(index)?,
                _ => value.get(part)?,
            };
        }
        Some(value.clone())
    }

    /// Fails with the path of the first difference.
    pub(crate) fn check(&mut self, expected: &Value, seen: Option<&Value>, at: &str) -> Result<()> {
        match (expected, seen) {
            (Value::String(rule), _) if rule.starts_with('$') => self.rule(rule, seen, at),
            (Value::String(rule), Some(seen))
                if rule.len() > 1 && rule.starts_with('/') && rule.ends_with('/') =>
            {
                let text = seen.as_str().map_or_else(|| seen.to_string(), str::to_owned);
                let regex = regex::Regex::new(&rule[1..rule.len() - 1])?;
                ensure!(regex.is_match(&text), "{at}: {text:?} does not match {rule}");
                Ok(())
            }
            (Value::Object(rules), _) if rules.keys().any(|k| k.starts_with('$')) => {
                for (rule, bound) in rules {
                    self.bound(rule, bound, seen, at)?;
                }
                Ok(())
            }
            (Value::Object(fields), Some(Value::Object(seen))) => {
                fields.iter().try_for_each(|(name, expected)| {
                    self.check(expected, seen.get(name), &format!("{at}.{name}"))
                })
            }
            (Value::Array(items), Some(Value::Array(seen))) => {
                ensure!(
                    items.len() == seen.len(),
                    "{at}: {} elements, not {}",
                    seen.len(),
                    items.len()
                );
                items.iter().zip(seen).enumerate().try_for_each(|(n, (expected, seen))| {
                    self.check(expected, Some(seen), &format!("{at}[{n}]"))
                })
            }
            (Value::Number(expected), Some(Value::Number(seen))) => {
                // 40 and 40.0 are one number in JSON.
                ensure!(expected.as_f64() == seen.as_f64(), "{at}: {seen}, not {expected}");
                Ok(())
            }
            (expected, Some(seen)) => {
                ensure!(expected == seen, "{at}: {seen}, not {expected}");
                Ok(())
            }
            (expected, None) => bail!("{at}: nothing, not {expected}"),
        }
    }

    fn rule(&mut self, rule: &str, seen: Option<&Value>, at: &str) -> Result<()> {
        let there = seen.filter(|v| !v.is_null());
        match rule {
            "$any" => ensure!(there.is_some(), "{at}: nothing is there"),
            "$absent" => ensure!(there.is_none(), "{at}: {there:?} is there"),
            "$uuid" => {
                let text = there.and_then(Value::as_str).unwrap_or_default();
                let form = regex::Regex::new(
                    "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
                )?;
                ensure!(form.is_match(text), "{at}: {text:?} is no UUIDv4");
            }
            _ => {
                if let Some(name) = rule.strip_prefix("$=") {
                    let seen = there.with_context(|| format!("{at}: nothing is there"))?;
                    let first = self.same.entry(name.to_owned()).or_insert_with(|| seen.clone());
                    ensure!(first == seen, "{at}: {seen} is not the same as {first}");
                } else {
                    let expected = self
                        .look_up(&rule[1..])
                        .with_context(|| format!("nothing is saved as {rule}"))?;
                    ensure!(there == Some(&expected), "{at}: {there:?}, not {expected}");
                }
            }
        }
        Ok(())
    }

    fn bound(&mut self, rule: &str, bound: &Value, seen: Option<&Value>, at: &str) -> Result<()> {
        let number = |value: Option<&Value>| value.and_then(Value::as_f64);
        match rule {
            "$gte" | "$lte" => {
                let seen = number(seen).with_context(|| format!("{at}: {seen:?} is no number"))?;
                let bound = number(Some(bound)).context("a bound is a number")?;
                let holds = if rule == "$gte" { seen >= bound } else { seen <= bound };
                ensure!(holds, "{at}: {seen} is not {rule} {bound}");
            }
            "$length" => {
                let length = match seen {
                    Some(Value::Array(items)) => items.len(),
                    Some(Value::String(text)) => text.chars().count(),
                    other => bail!("{at}: {other:?} has no length"),
                };
                self.check(bound, Some(&Value::from(length)), &format!("{at}.length"))?;
            }
            "$not" => {
                // What a driver does not tell would match no secret either.
                ensure!(seen.is_some_and(|v| !v.is_null()), "{at}: nothing is there");
                ensure!(
                    self.clone().check(bound, seen, at).is_err(),
                    "{at}: {seen:?} matches {bound}"
                );
            }
            other => bail!("there is no rule {other}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(expected: &Value, seen: &Value) -> bool {
        Bindings::default().check(expected, Some(seen), "it").is_ok()
    }

    #[test]
    fn objects_match_by_the_fields_named() {
        assert!(matches(&json!({"a": 1, "c": "$absent"}), &json!({"a": 1.0, "b": 2})));
        assert!(!matches(&json!({"a": 1}), &json!({"a": 2})));
        assert!(!matches(&json!({"a": "$any"}), &json!({"a": null})));
        assert!(!matches(&json!([1]), &json!([1, 2])));
    }

    #[test]
    fn rules_hold_or_do_not() {
        assert!(matches(&json!({"$gte": 1, "$lte": 3}), &json!(2)));
        assert!(!matches(&json!({"$gte": 3}), &json!(2)));
        assert!(matches(&json!("/^ab/"), &json!("abc")));
        assert!(!matches(&json!({"$not": "/^ab/"}), &json!("abc")));
        assert!(!matches(&json!({"a": {"$not": "/^ab/"}}), &json!({"b": 1})));
        assert!(matches(&json!(["$=k", "$=k"]), &json!(["x", "x"])));
        assert!(!matches(&json!(["$=k", "$=k"]), &json!(["x", "y"])));
        assert!(!matches(&json!("$uuid"), &json!("no")));
        assert!(matches(&json!({"$length": 2}), &json!([1, 2])));
    }
}

//! Reading JSON answers: bare or wrapped objects, pages, and errors that name the path at which they failed.

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

use crate::{
    error::{Error, ErrorKind, MAX_ERROR_BODY},
    json_path,
    options::RawResponse,
    transport::Redactor,
};

/// Reads a whole body.
pub(crate) fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    kept(body, whole_by)
}

/// Reads a single object, bare (`{"id": …}`) or wrapped (`{"data": {…}}`).
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    kept(body, object_by)
}

/// The object of an answer, or an error that says which answer it was about.
pub(crate) fn answered<T: DeserializeOwned>(answer: RawResponse) -> Result<T, Error> {
    object(&answer.body).map_err(|e| from(e, &answer))
}

/// Reads a text as what is wanted, and keeps that.
type Reader<'r> = &'r mut dyn FnMut(&str) -> Result<(), serde_json::Error>;

/// The one part that is compiled for each type.
fn kept<T: DeserializeOwned>(
    body: &[u8],
    by: fn(&[u8], Reader<'_>) -> Result<(), Error>,
) -> Result<T, Error> {
    let mut kept = None;
    by(body, &mut |text| {
        kept = Some(serde_json::from_str(text)?);
        Ok(())
    })?;
    Ok(kept.expect("a reader without an error keeps what it read"))
}

fn whole_by(body: &[u8], reader: Reader<'_>) -> Result<(), Error> {
    read(body, reader).map_err(|error| explain(body, &error))
}

fn object_by(body: &[u8], reader: Reader<'_>) -> Result<(), Error> {
    // Only then can it be wrapped; the common bare object is read at once.
    if begins_with_data(body)
        && let Some(inner) = unwrapped(body)
    {
        return whole_by(inner.as_bytes(), reader);
    }
    read(body, reader).or_else(|error| match unwrapped(body) {
        // `data` may stand behind other fields.
        Some(inner) => whole_by(inner.as_bytes(), reader),
        None => Err(explain(body, &error)),
    })
}

/// Looks once whether the whole body is UTF-8, which is faster than at each text in it, and has each type compiled for one kind
/// of reader.
fn read(body: &[u8], reader: Reader<'_>) -> Result<(), serde_json::Error> {
    match std::str::from_utf8(body) {
        Ok(text) => reader(text),
        // Its error says where.
        Err(_) => Err(serde_json::from_slice::<Value>(body)
            .map_or_else(|error| error, |_| serde::de::Error::custom("it is not UTF-8"))),
    }
}

fn begins_with_data(body: &[u8]) -> bool {
    let mut tokens = body.iter().filter(|b| !b.is_ascii_whitespace());
    tokens.next() == Some(&b'{') && tokens.take(6).eq(b"\"data\"")
}

/// What is inside `{"data": {…}}`, unless the object has an `id` of its own, as an event has, whose `data` is a field.
pub(crate) fn unwrapped(body: &[u8]) -> Option<&str> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        id: Option<IgnoredAny>,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).ok()?;
    wrapped.data.filter(|_| wrapped.id.is_none()).map(RawValue::get)
}

/// Says of a decode error which answer it was about.
pub(crate) fn from(error: Error, answer: &RawResponse) -> Error {
    error
        .with(|e| {
            e.status = Some(answer.status);
            e.request_id.clone_from(&answer.request_id);
            e.attempts = e.attempts.max(1);
        })
        .with_body(
            String::from_utf8_lossy(&answer.body[..answer.body.len().min(MAX_ERROR_BODY)])
                .into_owned(),
        )
        // A success may hold what is shown once: a new key, a webhook's secret.
        .blanked(&Redactor::default())
}

fn explain(body: &[u8], error: &serde_json::Error) -> Error {
    if body.trim_ascii().is_empty() {
        return Error::new(ErrorKind::Decode, "the answer is empty where JSON was expected");
    }
    let what = Unquoted::of(error);
    let path = error.is_data().then(|| json_path::path_at(body, offset(body, error)));
    let failed = match path.as_deref() {
        None => Error::new(
            ErrorKind::Decode,
            format!("the answer is no JSON that was expected: {what}"),
        ),
        Some(".") => Error::new(ErrorKind::Decode, format!("the answer cannot be read: {what}")),
        Some(path) => {
            Error::new(ErrorKind::Decode, format!("the answer cannot be read at {path}: {what}"))
                .with_param(path)
        }
    };
    failed.with_source(what)
}

/// How many bytes stand before the place where the reader gave up.
pub(crate) fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum::<usize>() + error.column()
}

/// What serde said, without the value that it quotes: that may be a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct Unquoted(String);

impl Unquoted {
    fn of(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let plain = ["missing field", "EOF while", "expected ", "trailing ", "key must be"];
        // «invalid type: string "…", expected u64»: what is between the colon and the comma is the value.
        Self(match (text.split_once(": "), text.rsplit_once(", expected ")) {
            _ if plain.iter().any(|beginning| text.starts_with(beginning)) => text,
            (Some((what, _)), Some((_, expected))) if what.starts_with("invalid ") => {
                format!("{what}, expected {expected}")
            }
            _ => format!(
                "another value was expected at line {} column {}",
                error.line(),
                error.column()
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::models::Project;

    #[test]
    fn bare_and_wrapped_objects_are_one() {
        for body in [
            r#"{"id":"p"}"#,
            r#"{"data":{"id":"p"}}"#,
            r#" { "data" : {"id":"p"} } "#,
            r#"{"ok":true,"data":{"id":"p"}}"#,
            r#"{"data":{"id":"inner"},"event":"project.created","id":"p"}"#,
        ] {
            assert_eq!(object::<Project>(body.as_bytes()).unwrap().id, "p", "{body}");
        }
    }

    #[test]
    fn an_error_names_the_path() {
        let error = object::<Project>(br#"{"id":"p","progress":"much"}"#).unwrap_err();
        assert!(error.message().contains("progress"), "{}", error.message());
        assert_eq!((error.kind(), error.param()), (ErrorKind::Decode, Some("progress")));
        let wrapped = object::<Project>(br#"{"data":{"id":"p","settings":7}}"#).unwrap_err();
        assert_eq!(wrapped.param(), Some("settings"));
        assert!(object::<Project>(b"").unwrap_err().message().contains("empty"));
        assert!(object::<Project>(b"{\"id\": \"p").is_err());
        assert!(object::<Project>(b"{}").unwrap_err().message().contains("id"));
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_quoted() {
        for body in [
            r#"{"id":"p","progress":"hunter2"}"#,
            r#"{"id":"p","created_at":"hunter2"}"#,
            r#"{"id":{"hunter2":1},"secret":"hunter2"}"#,
        ] {
            let error = object::<Project>(body.as_bytes()).unwrap_err();
            let answer = RawResponse {
                status: 200,
                headers: http::HeaderMap::new(),
                request_id: None,
                body: body.into(),
            };
            let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
            assert!(!shown.contains("hunter2"), "{shown}");
            let kept = from(error, &answer);
            assert!(!kept.body().unwrap().contains("\"secret\":\"hunter2"));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let raw = proptest::collection::vec(any::<u8>(), 0..200);
        let near = "[\\[{]?(\"(data|id|name|budget|settings)\"|[:,\\[\\]{}]|null|-?[0-9]{1,20}(\\.[0-9e]{1,4})?|\"[^\"]{0,9}\"){0,12}[}\\]]?";
        let input = prop_oneof![raw, near.prop_map(String::into_bytes)];
        crate::for_a_while::for_a_while(&input, |body| {
            let _ = object::<Project>(&body);
            Ok(())
        });
    }
}

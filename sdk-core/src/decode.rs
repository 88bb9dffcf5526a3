//! Reading JSON answers: bare or wrapped objects, pages, and errors that name the path at which they failed.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    error::{Error, ErrorKind, MAX_ERROR_BODY},
    options::RawResponse,
};

/// Reads a whole body.
pub(crate) fn whole<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // The plain reader is the fast one; only what fails is read again for its path.
    serde_json::from_slice(body).map_err(|error| explain::<T>(body, error))
}

/// Reads a single object, bare or as `{"data": {…}}`: which of the two is told by its `id`.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Wrapped<T> {
        data: T,
    }
    let start = body.trim_ascii_start();
    let wrapped = start.strip_prefix(b"{").is_some_and(|rest| {
        let rest = rest.trim_ascii_start();
        rest.strip_prefix(b"\"data\"").is_some_and(|rest| {
            let rest = rest.trim_ascii_start();
            rest.strip_prefix(b":").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"{"))
        })
    });
    if wrapped {
        // An event has a `data` of its own, but never as its first field and without an id beside it.
        match serde_json::from_slice::<Wrapped<T>>(body) {
            Ok(wrapped) => return Ok(wrapped.data),
            Err(error) => {
                return whole(body).map_err(|_| explain::<Wrapped<T>>(body, error));
            }
        }
    }
    match serde_json::from_slice(body) {
        Ok(object) => Ok(object),
        // `data` may stand behind other fields.
        Err(error) => match serde_json::from_slice::<Wrapped<T>>(body) {
            Ok(wrapped) => Ok(wrapped.data),
            Err(_) => Err(explain::<T>(body, error)),
        },
    }
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
}

fn explain<T: DeserializeOwned>(body: &[u8], error: serde_json::Error) -> Error {
    if body.trim_ascii().is_empty() {
        return Error::new(ErrorKind::Decode, "the answer is empty where JSON was expected");
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let found = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(found) => {
            let path = found.path().to_string();
            (path != "." && found.inner().is_data()).then(|| format!("{path}: {}", found.inner()))
        }
        Ok(_) => None,
    };
    let message = match found {
        Some(at) => format!("the answer cannot be read at {at}"),
        None => format!("the answer is no JSON that was expected: {error}"),
    };
    Error::new(ErrorKind::Decode, message).with_source(error)
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
        ] {
            assert_eq!(object::<Project>(body.as_bytes()).unwrap().id, "p", "{body}");
        }
    }

    #[test]
    fn an_error_names_the_path() {
        let error = object::<Project>(br#"{"id":"p","progress":"much"}"#).unwrap_err();
        assert!(error.message().contains("progress"), "{}", error.message());
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(object::<Project>(b"").unwrap_err().message().contains("empty"));
        assert!(object::<Project>(b"{\"id\": \"p").is_err());
        assert!(object::<Project>(b"{}").unwrap_err().message().contains("id"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object::<Project>(&body);
        }
    }
}

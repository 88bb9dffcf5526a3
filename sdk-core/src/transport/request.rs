//! A call as it is to be sent: everything that stays the same from one attempt to the next, and how its body is made anew.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::body::SendBody;
use crate::{error::Error, finite};

/// What a path segment shows as it is (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request before its first attempt.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Below the base URL, percent-encoded.
    pub(crate) path: String,
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// The path with its variables as names, for spans and metrics, which must not hold ids.
    pub(crate) template: &'static str,
    /// Downloads alone do.
    pub(crate) follows_redirects: bool,
}

/// A request's body.
pub(crate) enum Body {
    Empty,
    /// JSON or a form.
    Whole(&'static str, Bytes),
    /// Made anew for each attempt.
    Rebuilt(Arc<dyn Fn() -> Result<Made, Error> + Send + Sync>),
    /// A stream that can be sent once.
    Once(Mutex<Option<Made>>),
}

/// A body that is ready to be sent.
pub(crate) struct Made {
    pub(crate) content_type: String,
    pub(crate) length: Option<u64>,
    pub(crate) body: SendBody,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Whole(..) => "Whole",
            Self::Rebuilt(_) => "Rebuilt",
            Self::Once(_) => "Once",
        })
    }
}

impl Request {
    pub(crate) fn new(method: Method, template: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            template,
            follows_redirects: false,
        }
    }

    pub(crate) fn query(mut self, query: Vec<(Cow<'static, str>, String)>) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn json(mut self, value: &impl Serialize) -> Result<Self, Error> {
        self.body = Body::Whole("application/json", finite::to_json(value)?.into());
        Ok(self)
    }

    pub(crate) fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Whether the body can be sent again.
    pub(crate) fn can_be_sent_again(&self) -> bool {
        !matches!(self.body, Body::Once(_))
    }
}

impl Body {
    /// The body of the next attempt.
    pub(crate) fn make(&self) -> Result<Option<Made>, Error> {
        match self {
            Self::Empty => Ok(None),
            Self::Whole(content_type, bytes) => Ok(Some(Made {
                content_type: (*content_type).to_owned(),
                length: Some(bytes.len() as u64),
                body: SendBody::Whole(bytes.clone()),
            })),
            Self::Rebuilt(make) => make().map(Some),
            Self::Once(made) => match made.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(made) => Ok(Some(made)),
                None => Err(Error::upload("a stream can be sent once only")),
            },
        }
    }
}

/// `path/id`, the id percent-encoded. An id that would name another path is refused.
pub(crate) fn below(path: &str, id: &str) -> Result<String, Error> {
    // URLs resolve these two away, even when they are encoded.
    if id.is_empty() || id == "." || id == ".." {
        return Err(Error::config(format!("{id:?} is no id")));
    }
    // Most ids stay as they are.
    let id = Cow::from(utf8_percent_encode(id, SEGMENT));
    Ok([path, "/", &id].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_reaches_another_path() {
        assert_eq!(below("/api/projects", "prj_1").unwrap(), "/api/projects/prj_1");
        assert_eq!(below("/p", "a/../b?c#d").unwrap(), "/p/a%2F..%2Fb%3Fc%23d");
        for id in ["", ".", ".."] {
            assert!(below("/p", id).is_err());
        }
    }

    #[test]
    fn a_stream_is_given_out_once() {
        let body = Body::Once(Mutex::new(Some(Made {
            content_type: String::new(),
            length: None,
            body: SendBody::Whole(Bytes::from("x")),
        })));
        assert!(body.make().is_ok());
        assert!(body.make().is_err());
    }
}

//! The one error of this crate: what kind it is, and every fact known when it was made.
//! It decides nothing about retries; the transport does, and writes its verdict down here.

mod kind;
mod make;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use serde_json::Value;

pub use kind::ErrorKind;

use crate::models::Job;

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest piece of an answer's body that an error keeps, in bytes.
pub const MAX_ERROR_BODY: usize = 16 * 1024;

type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// Any failure of this crate. Ask [`kind`](Error::kind) what to do about it.
///
/// No credential, webhook secret or one-time token is ever in its message, its body or its `Debug`.
#[derive(Clone)]
pub struct Error(Box<Facts>);

/// Whether the platform may have acted on a request that failed in transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It cannot have: no connection was made.
    No,
    /// It may have.
    Maybe,
}

#[derive(Clone)]
pub(crate) struct Facts {
    kind: ErrorKind,
    message: Cow<'static, str>,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    pub(crate) param: Option<String>,
    pub(crate) details: Option<Value>,
    pub(crate) request_id: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) retryable: bool,
    body: Option<String>,
    source: Option<Source>,
    /// Of a transport failure alone.
    pub(crate) sent: Option<Sent>,
    /// What the answer's `x-should-retry` said.
    pub(crate) should_retry: Option<bool>,
    pub(crate) job: Option<Box<Job>>,
    /// It says what to do already.
    pub(crate) is_advised: bool,
    /// The platform has an upload whole and does not name its asset.
    pub(crate) is_unnamed: bool,
}

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, in words, without the fields below.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The HTTP status, where an answer arrived.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The platform's own code, such as `idempotency_mismatch`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The parameter, field or JSON path at fault.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The platform's `details`, usually a message for each field.
    #[must_use]
    pub fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    /// The platform's id of the request, to quote to its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The idempotency key that was sent. Calling again with it cannot do the work twice.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// How long the platform asked to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How many requests were sent, or tried to be sent; 0 when it failed before the first.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The time from the call's start to this error, all attempts and delays included.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Whether the same call may succeed later without being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The answer's body as text, at most [`MAX_ERROR_BODY`] bytes of it, secrets blanked.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.0.body.as_deref()
    }

    /// The job that was waited for, as it was last seen.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.0.job.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &*self.0;
        f.write_str(&facts.message)?;
        let mut separator = " (";
        let mut add = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            write!(f, "{separator}{name} {value}").map(|()| separator = ", ")
        };
        if let Some(status) = facts.status {
            add(f, "status", &status)?;
        }
        if let Some(code) = &facts.code {
            add(f, "code", code)?;
        }
        if let Some(id) = &facts.request_id {
            add(f, "request id", id)?;
        }
        if facts.attempts > 1 {
            add(f, "attempts", &facts.attempts)?;
        }
        f.write_str(if separator == ", " { ")" } else { "" })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = &*self.0;
        // `main` prints this of an error that it returns: what is not there is left out.
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &facts.kind).field("message", &facts.message);
        let fields: [(&str, Option<&dyn fmt::Debug>); 8] = [
            ("status", facts.status.as_ref().map(|v| v as _)),
            ("code", facts.code.as_ref().map(|v| v as _)),
            ("param", facts.param.as_ref().map(|v| v as _)),
            ("request_id", facts.request_id.as_ref().map(|v| v as _)),
            ("idempotency_key", facts.idempotency_key.as_ref().map(|v| v as _)),
            ("retry_after", facts.retry_after.as_ref().map(|v| v as _)),
            ("attempts", (facts.attempts > 0).then_some(&facts.attempts as _)),
            ("elapsed", (!facts.elapsed.is_zero()).then_some(&facts.elapsed as _)),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                shown.field(name, value);
            }
        }
        shown.field("retryable", &facts.retryable);
        if let Some(body) = &facts.body {
            shown.field("body_bytes", &body.len());
        }
        if let Some(source) = &facts.source {
            shown.field("source", source);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_has_what_support_asks_for() {
        let error = Error::new(ErrorKind::NotFound, "no project `prj_1`")
            .with_status(404)
            .with(|e| (e.code, e.request_id) = (Some("not_found".into()), Some("req_7".into())));
        assert_eq!(
            error.to_string(),
            "no project `prj_1` (status 404, code not_found, request id req_7)"
        );
        assert_eq!(Error::config("no API key").to_string(), "no API key");
    }

    #[test]
    fn a_long_body_is_cut_at_a_character() {
        let error = Error::new(ErrorKind::Server, "x").with_body("é".repeat(MAX_ERROR_BODY));
        let body = error.body().unwrap();
        assert!(body.len() <= MAX_ERROR_BODY && body.chars().all(|c| c == 'é'));
    }

    #[test]
    fn the_cause_is_kept() {
        let error = Error::upload("cannot read `a.mp4`").with_source(std::io::Error::other("gone"));
        assert_eq!(StdError::source(&error).unwrap().to_string(), "gone");
    }

    #[test]
    fn what_main_prints_of_an_error_names_only_what_is_there() {
        assert_eq!(
            format!("{:?}", Error::config("the key is empty")),
            r#"Error { kind: Config, message: "the key is empty", retryable: false }"#
        );
    }
}

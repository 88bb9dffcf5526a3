//! The one error of this crate: what kind it is, and every fact known when it was made.
//! It decides nothing about retries; the transport does, and writes its verdict down here.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

use serde_json::Value;

use crate::{models::Job, transport::redact::Redactor};

/// What every fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The longest piece of an answer's body that an error keeps, in bytes.
pub const MAX_ERROR_BODY: usize = 16 * 1024;

type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// Why a call failed. New kinds may be added, so match with a `_` arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was built, or a call was made, with settings that cannot work. Nothing was sent.
    Config,
    /// The credential is missing, wrong, expired or could not be renewed (401).
    Authentication,
    /// The credential is good but may not do this (403).
    Permission,
    /// No such object, or none that this credential may see (404, 410).
    NotFound,
    /// The request contradicts the object's present state (409).
    Conflict,
    /// The platform refused the request as it was written (400, 413, 415, 422 and other 4xx).
    InvalidRequest,
    /// Too many requests (429).
    RateLimited,
    /// The platform failed (5xx).
    Server,
    /// The platform could not be reached, or the connection broke.
    Connection,
    /// No answer in time: connecting, one attempt, or the whole call.
    Timeout,
    /// The call was cancelled by the caller.
    Cancelled,
    /// The answer was not what the contract says; the message names the JSON path.
    Decode,
    /// The platform in use does not have this resource. Nothing was sent.
    Unsupported,
    /// The circuit breaker is open after repeated failures. Nothing was sent.
    CircuitOpen,
    /// Waiting for a job took longer than its deadline. The job itself goes on.
    WaitTimeout,
    /// The job that was waited for failed.
    JobFailed,
    /// The job that was waited for was cancelled.
    JobCancelled,
    /// The file could not be read or written, or what arrived is not what was sent.
    Upload,
    /// A webhook is not genuine, too old, or not readable.
    WebhookSignature,
}

impl ErrorKind {
    /// The kind's name, the same in every language: `not_found`, `rate_limited`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::InvalidRequest => "invalid_request",
            Self::RateLimited => "rate_limited",
            Self::Server => "server",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Decode => "decode",
            Self::Unsupported => "unsupported",
            Self::CircuitOpen => "circuit_open",
            Self::WaitTimeout => "wait_timeout",
            Self::JobFailed => "job_failed",
            Self::JobCancelled => "job_cancelled",
            Self::Upload => "upload",
            Self::WebhookSignature => "webhook_signature",
        }
    }

    /// The kind that an HTTP status means.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            403 => Self::Permission,
            404 | 410 => Self::NotFound,
            408 => Self::Timeout,
            409 => Self::Conflict,
            429 => Self::RateLimited,
            400..=499 => Self::InvalidRequest,
            500..=599 => Self::Server,
            // A redirect or an informational status where a final answer belongs.
            _ => Self::Decode,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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

/// Constructors. The kind and the words are given; facts are added where they are known.
impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Facts {
            kind,
            message: message.into(),
            status: None,
            code: None,
            param: None,
            details: None,
            request_id: None,
            idempotency_key: None,
            retry_after: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            retryable: matches!(
                kind,
                ErrorKind::RateLimited
                    | ErrorKind::Server
                    | ErrorKind::Connection
                    | ErrorKind::Timeout
                    | ErrorKind::CircuitOpen
            ),
            body: None,
            source: None,
            sent: None,
            should_retry: None,
            job: None,
        }))
    }

    /// The facts themselves, for the parts that add or judge several.
    pub(crate) fn with(mut self, set: impl FnOnce(&mut Facts)) -> Self {
        set(&mut self.0);
        self
    }

    /// Blanks the secrets in what the platform said.
    pub(crate) fn blanked(mut self, redactor: &Redactor) -> Self {
        let facts = &mut *self.0;
        if let Cow::Owned(message) = redactor.blank(&facts.message) {
            facts.message = Cow::Owned(message);
        }
        for text in [&mut facts.code, &mut facts.param, &mut facts.body].into_iter().flatten() {
            redactor.blank_in_place(text);
        }
        if let Some(details) = &mut facts.details {
            redactor.blank_value(details);
        }
        self
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn unsupported(platform: &str, what: &str) -> Self {
        let message = format!("the platform {platform} does not have {what}");
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn upload(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Upload, message)
    }

    pub(crate) fn webhook_signature(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::WebhookSignature, message)
    }

    /// Says further what to do about it.
    pub(crate) fn explained(mut self, what: &str) -> Self {
        self.0.message = format!("{}{what}", self.0.message).into();
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// `body` must have had its secrets blanked; it is cut to [`MAX_ERROR_BODY`].
    pub(crate) fn with_body(mut self, mut body: String) -> Self {
        let mut end = body.len().min(MAX_ERROR_BODY);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        body.truncate(end);
        self.0.body = Some(body);
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
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

//! The kinds of failure, their names, and the kind that a status means.

use std::fmt;

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

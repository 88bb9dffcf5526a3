//! Errors on their way out: one, with every field that the client knows. Which case or class of the language it becomes, its
//! kind says.

use std::{fmt, time::Duration};

use storycore::Error;

use crate::models::Job;

/// Why something failed.
#[derive(uniffi::Error)]
pub enum Failure {
    /// As the details say.
    Failed {
        /// What is known of it.
        details: Box<FailureDetails>,
    },
}

/// Everything that is known of a failure.
#[derive(Default, uniffi::Record)]
pub struct FailureDetails {
    /// Its kind, the same in every language: `not_found`, `rate_limited` …; `internal` where the SDK itself broke.
    pub kind: String,
    /// What went wrong, in words, with the facts below that help to find it.
    pub text: String,
    /// What went wrong, in words alone.
    pub reason: String,
    /// The HTTP status, where an answer arrived.
    pub status: Option<u16>,
    /// The platform's own code, such as `idempotency_mismatch`.
    pub code: Option<String>,
    /// The parameter, field or JSON path at fault.
    pub param: Option<String>,
    /// The platform's `details`, as JSON.
    pub details: Option<String>,
    /// The platform's id of the request.
    pub request_id: Option<String>,
    /// The idempotency key that was sent.
    pub idempotency_key: Option<String>,
    /// How long the platform asked to wait.
    pub retry_after: Option<Duration>,
    /// How many requests were sent, or tried to be sent.
    pub attempts: u32,
    /// The time from the call's start to the failure.
    pub elapsed: Duration,
    /// Whether the same call may succeed later without being changed.
    pub retryable: bool,
    /// The answer's body as text, in part where it is long.
    pub body: Option<String>,
    /// The job that was waited for, as it was last seen.
    pub job: Option<Job>,
    /// What stood behind it, and behind that, outermost first.
    pub causes: Vec<String>,
}

impl Failure {
    fn given(kind: &str, reason: String, param: Option<String>) -> Self {
        let (kind, text) = (kind.to_owned(), reason.clone());
        let details = FailureDetails { kind, text, reason, param, ..FailureDetails::default() };
        Self::Failed { details: Box::new(details) }
    }

    /// A setting or an option that cannot work.
    pub(crate) fn config(reason: impl Into<String>) -> Self {
        Self::given("config", reason.into(), None)
    }

    /// A field or an argument that cannot be what it is to be.
    pub(crate) fn invalid(param: &str, reason: impl Into<String>) -> Self {
        Self::given("invalid_request", reason.into(), Some(param.to_owned()))
    }

    /// The client was closed.
    pub(crate) fn closed() -> Self {
        Self::given("cancelled", "the client was closed".to_owned(), None)
    }

    /// Something that must not happen; kept from taking the process with it.
    pub(crate) fn inside() -> Self {
        let reason = "the SDK failed inside: please report it with what was called";
        Self::given("internal", reason.to_owned(), None)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let causes = std::iter::successors(std::error::Error::source(&error), |e| e.source());
        let details = FailureDetails {
            kind: error.kind().as_str().to_owned(),
            text: error.to_string(),
            reason: error.message().to_owned(),
            status: error.status(),
            code: error.code().map(str::to_owned),
            param: error.param().map(str::to_owned),
            details: error.details().map(ToString::to_string),
            request_id: error.request_id().map(str::to_owned),
            idempotency_key: error.idempotency_key().map(str::to_owned),
            retry_after: error.retry_after(),
            attempts: error.attempts(),
            elapsed: error.elapsed(),
            retryable: error.is_retryable(),
            body: error.body().map(str::to_owned),
            job: error.job().cloned().map(Job::from),
            causes: causes.map(ToString::to_string).collect(),
        };
        Self::Failed { details: Box::new(details) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { details } = self;
        f.write_str(&details.text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { details } = self;
        f.debug_tuple(&details.kind).field(&details.text).finish()
    }
}

impl std::error::Error for Failure {}

/// That a listener failed. An upload or a wait goes on without it being told.
#[derive(Debug, uniffi::Error)]
pub enum CallbackFailure {
    /// In these words.
    Failed {
        /// What went wrong.
        reason: String,
    },
}

impl fmt::Display for CallbackFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason } = self;
        f.write_str(reason)
    }
}

impl std::error::Error for CallbackFailure {}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackFailure {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

/// Notes that a listener failed: what it listens to is not to end with it.
pub(crate) fn told(outcome: Result<(), CallbackFailure>) {
    if let Err(failure) = outcome {
        tracing::warn!(target: "storycore", %failure, "a listener failed");
    }
}

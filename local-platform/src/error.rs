//! The one error that handlers return, and its form on the wire: `{"error": {"code", "message", "details"?}}`.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// What a request failed with.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) details: Vec<FieldError>,
    /// Boxed because it is nearly always empty and would be most of every `Result`.
    pub(crate) headers: Box<HeaderMap>,
}

/// What is wrong with one field of a body or one parameter.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FieldError {
    /// The field's path, such as `parameters.resolution`.
    pub(crate) field: String,
    /// What it must be.
    pub(crate) message: String,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), headers: Box::default() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// A query parameter or header that is wrong, by name.
    pub(crate) fn parameter(name: &str, message: impl std::fmt::Display) -> Self {
        let mut error = Self::invalid(format!("{name}: {message}"));
        error.details.push(FieldError::new(name, message.to_string()));
        error
    }

    pub(crate) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
            .with(header::WWW_AUTHENTICATE, "Bearer")
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// A thing that is not there, or that belongs to another organization: the two must look the same.
    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no {what} has the id {id:?}"))
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// A well-formed body whose fields are wrong.
    pub(crate) fn unprocessable(details: Vec<FieldError>) -> Self {
        let message = details
            .iter()
            .map(|d| format!("{}: {}", d.field, d.message))
            .collect::<Vec<_>>()
            .join("; ");
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", message);
        error.details = details;
        error
    }

    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::unprocessable(vec![FieldError::new(field, message)])
    }

    /// A fault of the server's own: logged whole, shown without its inside.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; see its log")
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        if let Some(db) = error.as_database_error() {
            // SQLITE_FULL is 13; extended codes keep the primary one in the low byte.
            if db.code().and_then(|c| c.parse::<u32>().ok()).is_some_and(|c| c & 0xff == 13) {
                return Self::disk_full();
            }
        }
        Self::internal(error)
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => Self::disk_full(),
            _ => Self::internal(error),
        }
    }
}

impl ApiError {
    fn disk_full() -> Self {
        tracing::error!(
            "no space left in the data directory: free some, or start with another --data"
        );
        Self::unavailable("the server has no space left on its disk")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            details: &'a [FieldError],
        }
        let body = serde_json::to_vec(&Envelope {
            error: Inner { code: self.code, message: &self.message, details: &self.details },
        })
        .expect("an error is plain text");
        let mut response = (self.status, body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(*self.headers);
        response
    }
}

//! Bodies: watched to their end; those with JSON read once, then typed with an error that names the field.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::Connection;
use crate::error::ApiError;

/// The largest JSON body.
const MAX_JSON: usize = 1024 * 1024;

/// A body that the pipeline has read for everyone after it.
#[derive(Debug, Clone)]
pub(crate) struct Whole(pub(crate) Bytes);

/// Whether the body is a file or part of one, which its handler reads piece by piece.
pub(crate) fn is_streamed(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|t| {
        t.eq_ignore_ascii_case("multipart/form-data")
            || t.eq_ignore_ascii_case("application/offset+octet-stream")
    })
}

/// The content type without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// Reads a whole body of at most 1 MiB.
pub(crate) async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, MAX_JSON).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "a JSON body may have at most 1 MiB",
        )),
        Err(_) => Err(ApiError::invalid("the body ended before it was complete")),
    }
}

/// A body that tells its connection when nobody read it to its end.
pub(super) struct Watched {
    body: Body,
    connection: Connection,
}

impl Watched {
    /// Watches a body that has bytes to come.
    pub(super) fn over(body: Body, connection: &Connection) -> Body {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Self { body, connection: connection.clone() })
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) {
            // Its end was seen, which an empty body's own state tells without being asked again.
            self.body = Body::empty();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.connection.unread();
        }
    }
}

/// A JSON body as `T`.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let json = media_type(&parts.headers)
            .is_some_and(|t| t.eq_ignore_ascii_case("application/json") || t.ends_with("+json"));
        if !json {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be JSON, with Content-Type: application/json",
            ));
        }
        let bytes = match parts.extensions.remove::<Whole>() {
            Some(Whole(bytes)) => bytes,
            None => read(body).await?,
        };
        parse(&bytes).map(Json)
    }
}

/// Reads JSON: malformed is 400, well-formed with a wrong field is 422.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => {
            reader
                .end()
                .map_err(|error| ApiError::invalid(format!("the body is no JSON: {error}")))?;
            Ok(value)
        }
        Err(error) => {
            let path = error.path().to_string();
            let inner = error.into_inner();
            if !inner.is_data() {
                return Err(ApiError::invalid(format!("the body is no JSON: {inner}")));
            }
            // serde_json appends where it stopped, which says nothing once the field is named.
            let text = inner.to_string();
            let text = text.split(" at line ").next().unwrap_or(&text);
            Err(ApiError::field(if path == "." { "body" } else { &path }, text))
        }
    }
}

//! Answers: a single object, a page, a deletion; and the envelope that some dialects put around single objects.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde_json::json;

use crate::{error::ApiError, store::Page};

/// A JSON answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    /// Whether it is a single object, which some dialects wrap.
    single: bool,
    replayed: bool,
}

/// Marks a response whose body is a single object.
#[derive(Debug, Clone, Copy)]
struct Single;

impl Reply {
    /// A single object from its stored text.
    pub(crate) fn document(body: Bytes) -> Self {
        Self { status: StatusCode::OK, body, single: true, replayed: false }
    }

    /// A single object.
    pub(crate) fn object(status: StatusCode, object: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(object).map_err(ApiError::internal)?;
        Ok(Self { status, ..Self::document(body.into()) })
    }

    /// A page of a list, which has an envelope of its own.
    pub(crate) fn page(page: Page) -> Self {
        Self { single: false, ..Self::document(page.into_json()) }
    }

    /// The answer to a DELETE.
    pub(crate) fn deleted(id: &str) -> Self {
        Self::document(json!({"id": id, "deleted": true}).to_string().into())
    }

    /// The first answer to a request that was now sent again.
    pub(crate) fn replayed(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, single: true, replayed: true }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.replayed {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        if self.single {
            response.extensions_mut().insert(Single);
        }
        response
    }
}

/// Puts `{"data": …}` around a single object.
pub(crate) async fn wrap(response: Response) -> Response {
    if response.extensions().get::<Single>().is_none() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        return ApiError::internal("an answer could not be wrapped").into_response();
    };
    let body = body.to_bytes();
    let wrapped = [b"{\"data\":".as_slice(), &body, b"}"].concat();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(wrapped))
}

//! A `tower` layer that verifies a webhook before its handler runs: what is not genuine never reaches it. The handler finds
//! the [`Event`] in the request's extensions and the bytes in its body.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{Request, StatusCode, header, request},
    response::{IntoResponse, Response},
};
use tower::{Layer, Service};

use super::{Event, Webhook};
use crate::error::Error;

/// The largest delivery that is read.
const MAX_BODY: usize = 1024 * 1024;

/// Verifies every request that passes.
///
/// ```no_run
/// use axum::{Router, routing::post};
/// use storycore::webhooks::{Event, Webhook, layer::VerifyLayer};
/// # fn main() -> Result<(), storycore::Error> {
/// async fn told(event: Event) {
///     println!("{} {}", event.kind(), event.id());
/// }
/// let app: Router = Router::new().route("/hook", post(told)).layer(VerifyLayer::new(Webhook::new("whsec_…")?));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct VerifyLayer {
    webhook: Arc<Webhook>,
}

impl VerifyLayer {
    /// A layer that verifies with `webhook`.
    #[must_use]
    pub fn new(webhook: Webhook) -> Self {
        Self { webhook: Arc::new(webhook) }
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verify<S>;

    fn layer(&self, inner: S) -> Verify<S> {
        Verify { inner, webhook: Arc::clone(&self.webhook) }
    }
}

/// The service of [`VerifyLayer`].
#[derive(Debug, Clone)]
pub struct Verify<S> {
    inner: S,
    webhook: Arc<Webhook>,
}

impl<S> Service<Request<Body>> for Verify<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that said it was ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let webhook = Arc::clone(&self.webhook);
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let body: Bytes = match axum::body::to_bytes(body, MAX_BODY).await {
                Ok(body) => body,
                Err(_) => {
                    return Ok(refusal(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "payload_too_large",
                        "the delivery cannot be read",
                    ));
                }
            };
            match webhook.verify(&body, &parts.headers) {
                Ok(event) => parts.extensions.insert(event),
                Err(error) => {
                    return Ok(refusal(
                        StatusCode::BAD_REQUEST,
                        "webhook_signature",
                        error.message(),
                    ));
                }
            };
            inner.call(Request::from_parts(parts, Body::from(body))).await
        })
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The verified event as a handler's argument.
impl<S: Send + Sync> FromRequestParts<S> for Event {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let error = Error::config("no VerifyLayer stands before this handler");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.message())
        })
    }
}

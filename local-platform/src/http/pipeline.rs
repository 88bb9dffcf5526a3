//! What an API request passes before its resource sees it, in order: credential, rate limit, permission, body,
//! strictness, idempotency. Each step is a function elsewhere; this file is their order.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Ctx, Whole,
    auth::{self, Principal},
    body, context, dialect,
    idempotency::{self, Idempotency},
    journal,
};
use crate::{
    app::App,
    error::ApiError,
    keys::{Permissions, RateState},
};

/// Lets a request in, or answers why not.
pub(crate) async fn pipeline(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let endpoint = app
        .watch
        .endpoint(&parts.method, parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str));
    // What a tus server can do is asked before anything is known of it (tus 1.0.0, OPTIONS).
    let discovery = parts.method == Method::OPTIONS && is_upload(parts.uri.path());
    if discovery || is_open(parts.uri.path()) {
        let response = match read_body(&app, parts, body).await {
            Ok(request) => next.run(request).await,
            Err(error) => error.into_response(),
        };
        endpoint.count(response.status(), started.elapsed());
        return response;
    }

    let principal = match auth::authenticate(&app, &parts.headers).await {
        Ok(principal) => principal,
        Err(error) => {
            let response = error.into_response();
            endpoint.count(response.status(), started.elapsed());
            return response;
        }
    };
    let now = app.clock.now();
    let rate = principal.rate.take(now.as_second());
    let usage = principal.usage.clone();
    let result = if rate.allowed {
        admit(&app, principal, parts, body).await
    } else {
        Err(too_many(rate, now.as_second()))
    };
    let mut response = match result {
        Ok(Admitted::Request(request)) => next.run(request).await,
        Ok(Admitted::Answered(response)) => response,
        Err(error) => error.into_response(),
    };
    show(rate, response.headers_mut());
    let took = started.elapsed();
    if let Some(usage) = usage {
        usage.count(&endpoint.label, !response.status().is_success(), took, now);
    }
    endpoint.count(response.status(), took);
    response
}

/// Paths that take no credential in a header: OAuth has its own ways to tell who asks.
fn is_open(path: &str) -> bool {
    path.starts_with("/auth/oauth/")
}

/// Whether it is about resumable uploads, whose bodies are bytes.
pub(super) fn is_upload(path: &str) -> bool {
    path.strip_prefix("/api/assets/uploads")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

enum Admitted {
    Request(Request),
    Answered(Response),
}

async fn admit(
    app: &Arc<App>,
    principal: Principal,
    parts: request::Parts,
    body: Body,
) -> Result<Admitted, ApiError> {
    let needed = Permissions::needed(&parts.method);
    let resource = resource(parts.uri.path());
    if !principal.access.allows(needed, resource) {
        return Err(ApiError::forbidden(format!(
            "this credential lacks the permission {} for {resource}",
            needed.name()
        )));
    }
    let idempotency = if parts.method == Method::POST {
        let owner = format!("{}/{}", principal.organization_id, principal.user_id);
        Idempotency::enter(app, &owner, &parts.headers)?
    } else {
        None
    };
    let ctx = Ctx::new(context::Inner {
        organization_id: principal.organization_id,
        user_id: principal.user_id,
        access: principal.access,
        key: principal.key,
        dialect: parts.extensions.get().copied().unwrap_or(&dialect::STORYCORE),
        idempotency: idempotency.clone(),
    });
    let mut request = read_body(app, parts, body).await?;
    if let (Some(idempotency), Some(Whole(bytes))) = (&idempotency, request.extensions().get()) {
        let fingerprint =
            idempotency::fingerprint(request.method().as_str(), request.uri().path(), bytes);
        if let Some(reply) = idempotency.replay(fingerprint).await? {
            return Ok(Admitted::Answered(reply.into_response()));
        }
    }
    request.extensions_mut().insert(ctx);
    Ok(Admitted::Request(request))
}

/// Reads the body whole, unless it is a file; notes it in the journal; refuses what a strict platform does not know.
async fn read_body(app: &App, mut parts: request::Parts, body: Body) -> Result<Request, ApiError> {
    let takes_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    let mut body = body;
    // Elsewhere the type of a body changes nothing about how it is read.
    let path = parts.uri.path();
    let streamed =
        is_upload(path) || path.starts_with("/api/assets/") && body::is_streamed(&parts.headers);
    if takes_body && !streamed {
        let bytes = body::read(body).await?;
        // OAuth's bodies hold secrets and codes.
        if !is_open(parts.uri.path())
            && let Some(entry) = parts.extensions.get::<Arc<journal::Entry>>()
        {
            entry.body(&bytes);
        }
        body = Body::from(bytes.clone());
        parts.extensions.insert(Whole(bytes));
    }
    if let (Some(spec), Some(path)) = (&app.spec, parts.extensions.get::<MatchedPath>()) {
        let whole = parts.extensions.get::<Whole>().map(|w| &w.0);
        spec.check(&parts.method, path.as_str(), parts.uri.query(), whole, &parts.headers)?;
    }
    Ok(Request::from_parts(parts, body))
}

/// The resource that a path is about, as scopes name it: `/api/auth/api-keys/…` is `api_keys`.
fn resource(path: &str) -> &str {
    let rest = path.strip_prefix("/api/").unwrap_or(path);
    let rest = rest.strip_prefix("auth/").unwrap_or(rest);
    match rest.split('/').next().unwrap_or(rest) {
        "api-keys" => "api_keys",
        other => other,
    }
}

fn too_many(rate: RateState, now: i64) -> ApiError {
    let wait = (rate.resets_at - now).max(1);
    ApiError::new(
        axum::http::StatusCode::TOO_MANY_REQUESTS,
        "rate_limit_exceeded",
        format!("this key may make {} requests an hour; try again in {wait} s", rate.limit),
    )
    .with(header::RETRY_AFTER, &wait.to_string())
}

/// Puts the state of the rate limit into a response's headers.
fn show(rate: RateState, headers: &mut HeaderMap) {
    headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(rate.limit));
    headers.insert(
        HeaderName::from_static("x-ratelimit-remaining"),
        HeaderValue::from(rate.remaining),
    );
    headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(rate.resets_at));
}

//! From a connection to a resource and back. `edge` sees every request first (journal, faults, dialects); `pipeline`
//! then lets it in (credential, limit, permission, strictness, idempotency); what is left is a resource's own business.

pub(crate) mod auth;
mod body;
mod connection;
mod context;
pub(crate) mod dialect;
mod edge;
pub(crate) mod idempotency;
pub(crate) mod journal;
mod multipart;
mod path;
mod pipeline;
mod reply;
pub(crate) mod strict;
mod watch;

use std::sync::Arc;

use axum::{Router, middleware};

pub(crate) use body::{Json, Whole, media_type};
pub(crate) use connection::{Connection, Listener};
pub(crate) use context::Ctx;
pub(crate) use multipart::{Multipart, Part};
pub(crate) use path::Path;
pub(crate) use reply::Reply;
pub(crate) use watch::Watch;

use crate::{app::App, error::ApiError, local, resources};

/// Everything that the platform serves.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let open = Router::new()
        .route("/health", axum::routing::get(watch::health))
        .route("/metrics", axum::routing::get(watch::metrics));
    let api = resources::router()
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(app), pipeline::pipeline));
    let inner = open
        .merge(local::router())
        .method_not_allowed_fallback(wrong_method)
        .fallback_service(api.with_state(Arc::clone(app)))
        .with_state(Arc::clone(app));
    Router::new()
        .fallback_service(inner)
        .layer(middleware::from_fn_with_state(Arc::clone(app), edge::edge))
}

async fn no_route(uri: axum::http::Uri) -> ApiError {
    ApiError::new(
        axum::http::StatusCode::NOT_FOUND,
        "not_found",
        format!("there is no {}", uri.path()),
    )
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    ApiError::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}

//! `/_local`: what only a platform on one's own machine has. Faults, the journal of requests, the clock, emptying it, and
//! further organizations. It takes no credential: whoever reaches it already has the machine.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::{
    app::App, clock, error::ApiError, faults::Fault, http::Json, oauth, resources::api_keys,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/_local/faults", get(faults).post(plant).delete(clear_faults))
        .route("/_local/requests", get(requests).delete(clear_requests))
        .route("/_local/clock", get(read_clock).post(move_clock))
        .route("/_local/state", delete(clear_state))
        .route("/_local/organizations", post(new_organization))
        .route("/_local/oauth/clients", post(oauth::create_client))
}

async fn plant(
    State(app): State<Arc<App>>,
    Json(fault): Json<Fault>,
) -> Result<Response, ApiError> {
    if let Some((field, problem)) = fault.problem() {
        return Err(ApiError::field(field, problem));
    }
    app.faults.plant(fault.clone());
    Ok((StatusCode::CREATED, axum::Json(fault)).into_response())
}

async fn faults(State(app): State<Arc<App>>) -> Response {
    axum::Json(json!({"data": app.faults.list()})).into_response()
}

async fn clear_faults(State(app): State<Arc<App>>) -> Response {
    app.faults.clear();
    axum::Json(json!({"deleted": true})).into_response()
}

async fn requests(State(app): State<Arc<App>>) -> Response {
    axum::Json(json!({"data": app.journal.list()})).into_response()
}

async fn clear_requests(State(app): State<Arc<App>>) -> Response {
    app.journal.clear();
    axum::Json(json!({"deleted": true})).into_response()
}

/// Where the clock is to be: so much further, or at a time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    #[serde(default)]
    advance_seconds: Option<f64>,
    #[serde(default)]
    now: Option<Timestamp>,
}

async fn move_clock(
    State(app): State<Arc<App>>,
    Json(to): Json<MoveClock>,
) -> Result<Response, ApiError> {
    // A century either way keeps every sum of times within what a timestamp holds.
    const MOST_MS: f64 = 100.0 * 366.0 * 86_400.0 * 1000.0;
    let ms = match (to.advance_seconds, to.now) {
        (Some(seconds), None) => seconds * 1000.0,
        (None, Some(at)) => (at.as_millisecond() - app.clock.now().as_millisecond()) as f64,
        _ => return Err(ApiError::field("advance_seconds", "give either advance_seconds or now")),
    };
    if !ms.is_finite() || ms.abs() > MOST_MS {
        return Err(ApiError::field("advance_seconds", "must be within a century"));
    }
    app.clock.advance(ms as i64);
    Ok(read_clock(State(app)).await)
}

async fn read_clock(State(app): State<Arc<App>>) -> Response {
    axum::Json(json!({"now": clock::text(app.clock.now())})).into_response()
}

/// Empties the platform: every object of every organization, faults, journal, clock and rate limits. Organizations and
/// first keys stay, so that whoever holds a key goes on with it.
async fn clear_state(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    app.clear().await?;
    Ok(axum::Json(json!({"deleted": true})).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrganization {
    #[serde(default)]
    name: Option<String>,
}

async fn new_organization(
    State(app): State<Arc<App>>,
    Json(new): Json<NewOrganization>,
) -> Result<Response, ApiError> {
    let mut tx = app.store.begin().await?;
    let name = new.name.as_deref().unwrap_or("Another");
    let first =
        api_keys::new_organization(&mut tx, &app.seal, name, None, false, app.clock.now()).await?;
    tx.commit().await?;
    app.reload_keys().await?;
    let body = json!({"organization_id": first.organization_id, "user_id": first.user_id, "api_key": first.secret});
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

//! From an `Authorization` header to who asks. What they may do is checked in the pipeline.

use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::{
    app::App,
    error::ApiError,
    keys::{Access, Key, RateWindow, Usage},
};

/// Who asks.
#[derive(Debug)]
pub(crate) struct Principal {
    pub(crate) organization_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) access: Access,
    pub(crate) key: Option<Arc<Key>>,
    /// What the request is counted against.
    pub(crate) rate: Arc<RateWindow>,
    pub(crate) usage: Option<Arc<Usage>>,
}

/// The credential of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let missing = || {
        ApiError::unauthorized(
            "send Authorization: Bearer with an API key, a JWT or an access token",
        )
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let value = value.to_str().map_err(|_| missing())?;
    match value.split_once(' ') {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() =>
        {
            Ok(token.trim())
        }
        _ => Err(missing()),
    }
}

/// Finds out who asks.
pub(crate) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Principal, ApiError> {
    let token = bearer(headers)?;
    let Some(key) = app.keys.by_secret(token) else {
        return Err(ApiError::unauthorized("this API key is not known"));
    };
    live(&key, app)?;
    Ok(of_key(key))
}

/// Refuses a key that was revoked or has expired.
pub(crate) fn live(key: &Key, app: &App) -> Result<(), ApiError> {
    match key.refusal(app.clock.now()) {
        Some(why) => Err(ApiError::unauthorized(why)),
        None => Ok(()),
    }
}

fn of_key(key: Arc<Key>) -> Principal {
    Principal {
        organization_id: Arc::clone(&key.organization_id),
        user_id: Arc::clone(&key.user_id),
        access: key.access.clone(),
        rate: Arc::clone(&key.rate),
        usage: Some(Arc::clone(&key.usage)),
        key: Some(key),
    }
}

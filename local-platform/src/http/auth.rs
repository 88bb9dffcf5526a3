//! From an `Authorization` header to who asks: an API key, a JWT that one signed, or an OAuth access token. What they may do
//! is checked in the pipeline.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use jiff::Timestamp;

use crate::{
    app::App,
    error::ApiError,
    keys::{Access, Key, RateWindow, Usage, jwt},
    resources::audit::{self, Entry},
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
    let now = app.clock.now();
    if let Some(key) = app.keys.by_secret(token, now) {
        live(app, &key, now).await?;
        let access = key.access.clone();
        return of_key(app, key, access, now).await;
    }
    if jwt::is_jwt(token) {
        let (key, access) = jwt::verify(&app.keys, token, now)?;
        return of_key(app, key, access, now).await;
    }
    match app.grants.find(token, now) {
        Some(grant) => Ok(Principal {
            organization_id: Arc::clone(&grant.organization_id),
            user_id: Arc::clone(&grant.user_id),
            access: grant.access.clone(),
            key: None,
            rate: Arc::clone(&grant.rate),
            usage: None,
        }),
        None => Err(ApiError::unauthorized("this credential is not known or has ended")),
    }
}

/// Refuses a key that was revoked or has expired, and notes the try.
async fn live(app: &App, key: &Key, now: Timestamp) -> Result<(), ApiError> {
    let Some(why) = key.refusal(now) else { return Ok(()) };
    if key.usage.is_to_be_audited(now) {
        note(app, key, "key.refused").await?;
    }
    Err(ApiError::unauthorized(why))
}

async fn of_key(
    app: &App,
    key: Arc<Key>,
    access: Access,
    now: Timestamp,
) -> Result<Principal, ApiError> {
    // Once an hour and not each time: no request is to wait for a write.
    if key.usage.is_to_be_audited(now) {
        note(app, &key, "key.used").await?;
    }
    Ok(Principal {
        organization_id: Arc::clone(&key.organization_id),
        user_id: Arc::clone(&key.user_id),
        access,
        rate: Arc::clone(&key.rate),
        usage: Some(Arc::clone(&key.usage)),
        key: Some(key),
    })
}

async fn note(app: &App, key: &Key, action: &str) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    let entry = Entry {
        organization_id: &key.organization_id,
        user_id: &key.user_id,
        action,
        key_id: &key.id,
    };
    audit::note(app, &mut tx, entry).await?;
    tx.commit().await?;
    Ok(())
}

//! `/api/auth/api-keys`: making, showing, rotating and revoking keys. What a key opens is in `keys`.

mod first;
mod manage;
mod usage;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use first::{FirstKey, first, new_organization};

use crate::{
    app::App,
    store::{Filter, Table},
};

pub(crate) static TABLE: Table = Table {
    name: "api_keys",
    prefix: "key",
    what: "API key",
    sortable: &["created_at", "name", "last_used_at", "usage_count"],
    newest_by: "created_at",
    filters: &[Filter::text("name")],
    slot: 2,
};

/// How much of a key may be shown.
const SHOWN: usize = 8;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/auth/api-keys", get(manage::list).post(manage::create))
        .route("/api/auth/api-keys/{id}", get(manage::retrieve).delete(manage::revoke))
        .route("/api/auth/api-keys/{id}/rotate", post(manage::rotate))
        .route("/api/auth/api-keys/{id}/usage", get(usage::usage))
}

/// The part of a key's text that may be shown.
fn shown(secret: &str) -> String {
    secret.chars().take(SHOWN).collect()
}

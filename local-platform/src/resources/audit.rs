//! `/api/audit`: who made, used, rotated and revoked keys. An organization sees its own.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use serde_json::json;

use crate::{
    app::App,
    clock,
    error::ApiError,
    http::{Ctx, Reply},
    store::{Filter, ListQuery, Table, Tx},
};

pub(crate) static TABLE: Table = Table {
    name: "audit_log",
    prefix: "aud",
    what: "audit entry",
    sortable: &["created_at"],
    newest_by: "created_at",
    filters: &[Filter::one_of("action", &ACTIONS), Filter::text("key_id"), Filter::text("user_id")],
    slot: 3,
};

/// What the log tells of.
const ACTIONS: [&str; 5] = ["key.created", "key.used", "key.refused", "key.rotated", "key.revoked"];

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/audit", get(list))
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

/// What was done with a key, and by whom.
pub(crate) struct Entry<'a> {
    pub(crate) organization_id: &'a str,
    pub(crate) user_id: &'a str,
    /// One of [`ACTIONS`].
    pub(crate) action: &'a str,
    pub(crate) key_id: &'a str,
}

/// Writes an entry in the transaction of what it tells.
pub(crate) async fn note(app: &App, tx: &mut Tx<'_>, entry: Entry<'_>) -> Result<(), ApiError> {
    let id = TABLE.new_id();
    let doc = json!({
        "id": id, "action": entry.action, "key_id": entry.key_id, "user_id": entry.user_id,
        "created_at": clock::text(app.clock.now()),
    });
    tx.insert(&TABLE, entry.organization_id, &id, &doc).await
}

//! `/api/events`: what happened in the last 30 days, whether it was delivered anywhere or not.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State},
    routing::get,
};

use crate::{
    app::App,
    error::ApiError,
    events::TABLE,
    http::{Ctx, Reply},
    store::ListQuery,
};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/events", get(list)).route("/api/events/{id}", get(retrieve))
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    Ok(Reply::document(app.store.document(&TABLE, &ctx.organization_id, &id).await?))
}

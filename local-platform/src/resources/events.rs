//! `/api/events`: what happened in the last 30 days, whether it was delivered anywhere or not.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use serde::Deserialize;

use crate::{
    app::App,
    error::ApiError,
    events::TABLE,
    http::{Ctx, Path, Reply},
    retention,
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
    let query = ListQuery::parse(&TABLE, query.as_deref())?
        .such_that("doc ->> 'timestamp' >=", retention::oldest(app.clock.now()));
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    struct Dated {
        timestamp: String,
    }
    let event = app.store.document(&TABLE, &ctx.organization_id, &id).await?;
    let Dated { timestamp } = serde_json::from_slice(&event).map_err(ApiError::internal)?;
    if timestamp < retention::oldest(app.clock.now()) {
        return Err(TABLE.not_found(&id));
    }
    Ok(Reply::document(event))
}

//! `/api/assets`: files and what is known of them. Their bytes come in through `asset_upload` (or out of a job) and go
//! out through `asset_content`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::Row as _;

use crate::{
    app::App,
    error::ApiError,
    events::{self, NewEvent},
    http::{Ctx, Path, Reply},
    store::{self, Changes, Filter, ListQuery, Table, Tx},
};

pub(crate) static TABLE: Table = Table {
    name: "assets",
    prefix: "ast",
    what: "asset",
    sortable: &["created_at", "name", "type", "status", "size", "content_type"],
    newest_by: "created_at",
    filters: &[
        Filter::one_of("status", &["uploading", "ready", "failed"]),
        Filter::one_of("type", &["video", "audio", "image", "document"]),
        Filter::text("project_id"),
    ],
    slot: 4,
};

/// The event of an asset that is there.
const READY: &str = "asset.ready";

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/assets", get(list))
        .route("/api/assets/{id}", get(retrieve).delete(delete))
}

/// What an asset is for; says what its bytes are looked into as, not what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Video,
    Audio,
    Image,
    Document,
}

impl Kind {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "video" => Some(Self::Video),
            "audio" => Some(Self::Audio),
            "image" => Some(Self::Image),
            "document" => Some(Self::Document),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Uploading,
    Ready,
    Failed,
}

/// An asset as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asset {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) description: Option<String>,
    pub(crate) status: Status,
    pub(crate) size: u64,
    pub(crate) content_type: String,
    pub(crate) sha256: String,
    pub(crate) project_id: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) created_at: String,
}

/// An asset as it is sent: where its bytes are depends on the address that this platform has today.
#[derive(Debug, Serialize)]
pub(crate) struct Sent<'a> {
    #[serde(flatten)]
    asset: &'a Asset,
    url: String,
}

impl Asset {
    pub(crate) fn sent(&self, app: &App) -> Sent<'_> {
        Sent { asset: self, url: content_url(app, &self.id) }
    }
}

/// Where an asset's bytes are.
pub(crate) fn content_url(app: &App, id: &str) -> String {
    format!("{}/api/assets/{id}/content", app.url)
}

/// Adds a ready asset whose file is in its place. `file_name` is what a download is called.
pub(crate) async fn insert(
    app: &App,
    tx: &mut Tx<'_>,
    organization: &str,
    asset: &Asset,
    file_name: &str,
) -> Result<(), ApiError> {
    write(tx.at_the_end(), organization, asset, file_name)?;
    emit(app, tx, organization, READY, asset).await
}

/// The same as changes that read nothing; nothing where they have to, since a webhook wants to be told.
pub(crate) async fn inserted(
    app: &App,
    organization: &str,
    asset: &Asset,
    file_name: &str,
) -> Result<Option<Changes>, ApiError> {
    let mut changes = Changes::default();
    if app.wanted.by_any(&app.store, &mut changes, organization, READY).await? {
        return Ok(None);
    }
    write(&mut changes, organization, asset, file_name)?;
    events::write_down(app, &mut changes, event(app, organization, READY, asset)?)?;
    Ok(Some(changes))
}

fn write(
    changes: &mut Changes,
    organization: &str,
    asset: &Asset,
    file_name: &str,
) -> Result<(), ApiError> {
    let doc = serde_json::to_string(asset).map_err(ApiError::internal)?;
    changes.add(
        "INSERT INTO assets (id, organization_id, file_name, doc) VALUES (?, ?, ?, ?)",
        [&asset.id, organization, file_name, &doc].map(store::Value::Text),
    );
    changes.touch(&TABLE);
    Ok(())
}

/// Marks an asset whose bytes are gone.
pub(crate) async fn fail(app: &App, organization: &str, id: &str) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    let mut asset: Asset = tx.read(&TABLE, organization, id).await?;
    asset.status = Status::Failed;
    tx.replace(&TABLE, organization, id, &asset).await?;
    emit(app, &mut tx, organization, "asset.failed", &asset).await?;
    tx.commit().await?;
    Ok(())
}

/// The organization's asset and the name of its file, if it has it.
pub(crate) async fn find(
    app: &App,
    organization: &str,
    id: &str,
) -> Result<Option<(Asset, String)>, ApiError> {
    let row =
        sqlx::query("SELECT doc, file_name FROM assets WHERE id = ?1 AND organization_id = ?2")
            .bind(id)
            .bind(organization)
            .fetch_optional(app.store.reader())
            .await?;
    let Some(row) = row else { return Ok(None) };
    let asset = serde_json::from_str(row.try_get(0)?).map_err(ApiError::internal)?;
    Ok(Some((asset, row.try_get(1)?)))
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    let mut page = app.store.page(&TABLE, &ctx.organization_id, &query).await?;
    for doc in &mut page.docs {
        let asset: Asset = serde_json::from_str(doc).map_err(ApiError::internal)?;
        *doc = serde_json::to_string(&asset.sent(&app)).map_err(ApiError::internal)?;
    }
    Ok(Reply::page(page))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let asset: Asset = app.store.read(&TABLE, &ctx.organization_id, &id).await?;
    Reply::object(axum::http::StatusCode::OK, &asset.sent(&app))
}

/// Removes the row, then the file. Whoever is reading the bytes, a running job included, reads on to their end.
async fn delete(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let mut tx = app.store.begin().await?;
    tx.delete(&TABLE, &ctx.organization_id, &id).await?;
    tx.commit().await?;
    app.files.remove(&id).await;
    Ok(Reply::deleted(&id))
}

async fn emit(
    app: &App,
    tx: &mut Tx<'_>,
    organization: &str,
    name: &str,
    asset: &Asset,
) -> Result<(), ApiError> {
    events::emit(app, tx, event(app, organization, name, asset)?).await
}

fn event<'a>(
    app: &App,
    organization: &'a str,
    name: &'a str,
    asset: &Asset,
) -> Result<NewEvent<'a>, ApiError> {
    let top = [("asset_id", json!(asset.id)), ("project_id", json!(asset.project_id))];
    Ok(NewEvent {
        organization_id: organization,
        name,
        data: serde_json::to_value(asset.sent(app)).map_err(ApiError::internal)?,
        top: top.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
    })
}

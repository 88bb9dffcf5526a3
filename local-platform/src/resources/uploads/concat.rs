//! A final upload: one asset of several parts. The same parts make it once, however often and at once it is asked for.

use std::sync::Arc;

use sqlx::Row as _;

use super::{
    active::Held,
    create, finish,
    metadata::Metadata,
    refuse_size,
    row::{self, Row},
};
use crate::{
    app::App,
    error::ApiError,
    http::Ctx,
    ids,
    resources::assets::{self, Kind},
};

/// The most parts of one upload.
const MAX_PARTS: usize = 1_000;

pub(super) async fn join(
    app: &Arc<App>,
    ctx: &Ctx,
    urls: &str,
    text: String,
    said: Metadata,
) -> Result<Row, ApiError> {
    let parts = urls.split_whitespace().map(id).collect::<Result<Vec<_>, _>>()?;
    let mut distinct = parts.clone();
    distinct.sort();
    distinct.dedup();
    if parts.is_empty() || parts.len() > MAX_PARTS || distinct.len() < parts.len() {
        return Err(ApiError::parameter(
            "upload-concat",
            format!("must name 1 to {MAX_PARTS} parts, each once"),
        ));
    }
    if let Some(row) = made(app, ctx, &parts).await? {
        return Ok(row);
    }
    // In one order for everyone, so that two that share parts do not wait for each other for ever.
    let mut held = Vec::with_capacity(distinct.len());
    for id in &distinct {
        row::Row::find(app, &ctx.organization_id, id).await?;
        held.push((id.clone(), app.uploads.hold(id).await?));
    }
    // Another may have made it while this one waited.
    if let Some(row) = made(app, ctx, &parts).await? {
        return Ok(row);
    }
    let (app, ctx) = (Arc::clone(app), ctx.clone());
    tokio::spawn(async move { make(&app, &ctx, parts, text, said, held).await })
        .await
        .map_err(ApiError::internal)?
}

/// The id in a part's URL, whole or without a host.
fn id(url: &str) -> Result<String, ApiError> {
    let id = url.rsplit_once("/assets/uploads/").map(|(_, id)| id);
    let plain = |id: &&str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    id.filter(plain).map(str::to_owned).ok_or_else(|| {
        ApiError::parameter("upload-concat", format!("{url:?} is not the URL of an upload"))
    })
}

/// The final upload that these parts already are.
async fn made(app: &App, ctx: &Ctx, parts: &[String]) -> Result<Option<Row>, ApiError> {
    let row = sqlx::query(
        "SELECT id FROM uploads WHERE organization_id = ?1 AND parts = ?2 AND is_gone = 0",
    )
    .bind(&*ctx.organization_id)
    .bind(parts.join(" "))
    .fetch_optional(app.store.reader())
    .await?;
    match row {
        Some(row) => Ok(Some(Row::find(app, &ctx.organization_id, row.try_get(0)?).await?)),
        None => Ok(None),
    }
}

async fn make(
    app: &Arc<App>,
    ctx: &Ctx,
    parts: Vec<String>,
    text: String,
    said: Metadata,
    held: Vec<(String, Held)>,
) -> Result<Row, ApiError> {
    let (mut length, mut pieces) = (0, Vec::with_capacity(parts.len()));
    for id in &parts {
        let part = Row::find(app, &ctx.organization_id, id).await?;
        let refuse = |why: String| {
            ApiError::conflict("conflict", format!("the parts cannot be joined: {id} {why}"))
        };
        if !part.is_partial {
            return Err(refuse("was not created with Upload-Concat: partial".into()));
        }
        if let Some(other) = part.final_id {
            return Err(refuse(format!("is already part of {other}")));
        }
        let offset = part.offset(app).await?;
        if part.length != Some(offset) {
            return Err(refuse(format!("is not complete: it has {offset} bytes")));
        }
        length += offset;
        pieces.push((id.clone(), offset));
    }
    refuse_size(length)?;
    let first = held.iter().find(|(id, _)| *id == parts[0]);
    let known = first.and_then(|(_, held)| held.work.hash.clone());
    let joined = app.files.join_uploads(&pieces, known).await?;
    let path = joined.path().to_owned();
    // The hash takes longer than the copy, and nobody who looks into the file needs it.
    let metadata = async {
        match said.kind {
            Kind::Document => serde_json::Map::new(),
            _ => app.media.describe(&path).await,
        }
    };
    let (file, metadata) = tokio::join!(joined.finished(), metadata);
    let file = file?;
    let (asset, file_name) = finish::asset(app, said, length, file.sha256.clone(), metadata);
    let row = Row {
        id: ids::new("upl"),
        organization_id: ctx.organization_id.to_string(),
        length: Some(length),
        is_partial: false,
        parts: Some(parts.join(" ")),
        metadata: text,
        final_id: None,
        asset_id: Some(asset.id.clone()),
        expires_at: row::expiry(app),
    };
    app.files.place(file, &asset.id).await?;
    let kept = async {
        let mut tx = app.store.begin().await?;
        assets::insert(app, &mut tx, &ctx.organization_id, &asset, &file_name).await?;
        row.insert(&mut tx).await?;
        for id in &parts {
            sqlx::query("UPDATE uploads SET final_id = ?2, expires_at = ?3 WHERE id = ?1")
                .bind(id)
                .bind(&row.id)
                .bind(&row.expires_at)
                .execute(tx.sql())
                .await?;
        }
        create::keep(ctx, &mut tx, &row)?;
        tx.commit().await?;
        Ok::<(), ApiError>(())
    };
    if let Err(error) = kept.await {
        app.files.remove(&asset.id).await;
        return Err(error);
    }
    drop(held);
    for id in &parts {
        app.files.remove_upload(id).await;
        app.uploads.end(id);
    }
    Ok(row)
}

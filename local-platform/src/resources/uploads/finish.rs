//! From a whole upload to its asset: hashed, looked into, and made in one step with the upload's own row.

use std::{sync::Arc, time::Duration};

use super::{
    active::{Held, busy},
    metadata::Metadata,
    row::Row,
};
use crate::{
    app::App,
    clock,
    error::ApiError,
    resources::assets::{self, Asset, Kind, Status, TABLE},
    store::Tx,
};

/// The asset that bytes and their metadata make.
pub(super) fn asset(
    app: &App,
    said: Metadata,
    size: u64,
    sha256: String,
    metadata: serde_json::Map<String, serde_json::Value>,
) -> (Asset, String) {
    let asset = Asset {
        id: TABLE.new_id(),
        name: said.name,
        kind: said.kind,
        description: said.description,
        status: Status::Ready,
        size,
        content_type: said.content_type,
        sha256,
        project_id: said.project_id,
        metadata,
        created_at: clock::text(app.clock.now()),
    };
    (asset, said.file_name)
}

/// Makes the asset, whatever becomes of the request meanwhile.
pub(super) async fn finish(app: &Arc<App>, row: Row, held: Held) -> Result<Row, ApiError> {
    let app = Arc::clone(app);
    tokio::spawn(async move { make(&app, row, held).await }).await.map_err(ApiError::internal)?
}

/// The same for who must not wait: the work goes on, and a later request sees its end.
pub(super) async fn within_a_second(app: &Arc<App>, row: Row, held: Held) -> Result<Row, ApiError> {
    let made = finish(app, row, held);
    let second = Duration::from_millis(900);
    tokio::time::timeout(second, made)
        .await
        .unwrap_or_else(|_| Err(busy("the upload is being finished")))
}

async fn make(app: &App, mut row: Row, mut held: Held) -> Result<Row, ApiError> {
    let size = row.offset(app).await?;
    let said = Metadata::read(&row.metadata)?;
    let sha256 = match held.work.hash.take() {
        Some(hash) if hash.length() == size => hex::encode(hash.finish()),
        _ => app.files.hash_upload(&row.id).await?,
    };
    let metadata = match said.kind {
        Kind::Document => serde_json::Map::new(),
        _ => app.media.describe(&app.files.upload(&row.id)).await,
    };
    let (asset, file_name) = asset(app, said, size, sha256, metadata);
    let placed = app.files.share_upload(&row.id, &asset.id).await;
    row.asset_id = Some(asset.id.clone());
    let kept = match placed {
        Ok(()) => keep(app, &row, &asset, &file_name).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = kept {
        app.files.remove(&asset.id).await;
        return Err(error);
    }
    app.files.remove_upload(&row.id).await;
    app.uploads.end(&row.id);
    Ok(row)
}

async fn keep(app: &App, row: &Row, asset: &Asset, file_name: &str) -> Result<(), ApiError> {
    let mut tx: Tx<'_> = app.store.begin().await?;
    assets::insert(app, &mut tx, &row.organization_id, asset, file_name).await?;
    sqlx::query("UPDATE uploads SET asset_id = ?2 WHERE id = ?1")
        .bind(&row.id)
        .bind(&asset.id)
        .execute(tx.sql())
        .await?;
    tx.commit().await?;
    Ok(())
}

//! An upload as the database has it, and its end: terminated, expired, forgotten.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use super::{ASSET_ID, EXPIRES, OFFSET};
use crate::{app::App, clock, error::ApiError, retention, store::Tx};

/// How long an upload is kept after its last byte.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) organization_id: String,
    pub(super) length: Option<u64>,
    pub(super) is_partial: bool,
    pub(super) parts: Option<String>,
    pub(super) metadata: String,
    pub(super) final_id: Option<String>,
    pub(super) asset_id: Option<String>,
    pub(super) expires_at: String,
}

impl Row {
    /// The organization's upload; 410 when it is over, 404 when it never was.
    pub(super) async fn find(app: &App, organization: &str, id: &str) -> Result<Self, ApiError> {
        let row = sqlx::query(
            "SELECT length, is_partial, parts, metadata, final_id, asset_id, expires_at, is_gone FROM uploads
             WHERE id = ?1 AND organization_id = ?2",
        )
        .bind(id)
        .bind(organization)
        .fetch_optional(app.store.reader())
        .await?
        .ok_or_else(|| ApiError::not_found("upload", id))?;
        let found = Self {
            id: id.to_owned(),
            organization_id: organization.to_owned(),
            length: row.try_get::<Option<i64>, _>(0)?.and_then(|n| u64::try_from(n).ok()),
            is_partial: row.try_get(1)?,
            parts: row.try_get(2)?,
            metadata: row.try_get(3)?,
            final_id: row.try_get(4)?,
            asset_id: row.try_get(5)?,
            expires_at: row.try_get(6)?,
        };
        let over = found.expires_at <= clock::text(app.clock.now()) && !app.uploads.is_held(id);
        if row.try_get::<bool, _>(7)? || over {
            return Err(ApiError::new(
                StatusCode::GONE,
                "gone",
                "the upload was terminated or has expired; begin a new one",
            ));
        }
        Ok(found)
    }

    pub(super) async fn insert(&self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        sqlx::query(
            "INSERT INTO uploads (id, organization_id, length, is_partial, parts, metadata, asset_id, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )
        .bind(&self.id)
        .bind(&self.organization_id)
        .bind(self.length.map(|n| n as i64))
        .bind(self.is_partial)
        .bind(&self.parts)
        .bind(&self.metadata)
        .bind(&self.asset_id)
        .bind(&self.expires_at)
        .execute(tx.sql())
        .await?;
        Ok(())
    }

    /// How many of its bytes are on the disk.
    pub(super) async fn offset(&self, app: &App) -> Result<u64, ApiError> {
        match self.length {
            Some(length) if self.is_settled() => Ok(length),
            _ => Ok(app.files.uploaded(&self.id).await?),
        }
    }

    /// Whether nothing more can come: it is an asset, or part of one.
    pub(super) fn is_settled(&self) -> bool {
        self.asset_id.is_some() || self.final_id.is_some()
    }

    /// Whether it is whole and no asset yet.
    pub(super) fn wants_asset(&self, offset: u64) -> bool {
        self.length == Some(offset) && !self.is_partial && self.asset_id.is_none()
    }

    /// The headers that tell how far it is.
    pub(super) fn describe(&self, headers: &mut HeaderMap, offset: u64) {
        headers.insert(OFFSET, HeaderValue::from(offset));
        let expires: Option<Timestamp> = self.expires_at.parse().ok();
        let date = expires.map(|at| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        for (name, value) in [(EXPIRES, date), (ASSET_ID, self.asset_id.clone())] {
            if let Some(Ok(value)) = value.map(|v| HeaderValue::from_str(&v)) {
                headers.insert(name, value);
            }
        }
    }
}

/// When an upload expires whose last byte came now.
pub(super) fn expiry(app: &App) -> String {
    clock::text(app.clock.now().saturating_add(KEPT).unwrap_or(Timestamp::MAX))
}

/// Ends an upload: first its row, so that a crash leaves no row without bytes, then its file.
pub(super) async fn bury(app: &App, id: &str) -> Result<(), ApiError> {
    if let Err(error) = note_gone(app, id).await {
        if error.status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(error);
        }
        // On a full disk there is room for the row only once the bytes have made some.
        app.files.cut_upload(id, 0).await.map_err(|_| error)?;
        note_gone(app, id).await?;
    }
    app.files.remove_upload(id).await;
    app.uploads.end(id);
    Ok(())
}

async fn note_gone(app: &App, id: &str) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    sqlx::query("UPDATE uploads SET is_gone = 1 WHERE id = ?1").bind(id).execute(tx.sql()).await?;
    tx.commit().await?;
    Ok(())
}

/// Removes uploads whose time is over, and forgets those that ended long ago.
pub(crate) async fn expire(app: &App) -> Result<(), ApiError> {
    let now = app.clock.now();
    let over: Vec<String> =
        sqlx::query_scalar("SELECT id FROM uploads WHERE is_gone = 0 AND expires_at <= ?1")
            .bind(clock::text(now))
            .fetch_all(app.store.reader())
            .await?;
    for id in over.iter().filter(|id| !app.uploads.is_held(id)) {
        bury(app, id).await?;
    }
    let mut tx = app.store.begin().await?;
    sqlx::query("DELETE FROM uploads WHERE is_gone = 1 AND expires_at < ?1")
        .bind(retention::oldest(now))
        .execute(tx.sql())
        .await?;
    tx.commit().await?;
    Ok(())
}

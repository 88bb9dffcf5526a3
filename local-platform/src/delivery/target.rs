//! A webhook as an attempt needs it, read anew each time so that a change counts from that moment; and the attempt.

use std::time::Duration;

use axum::http::HeaderMap;
use serde::Deserialize;
use sqlx::Row as _;

use super::{
    secret::Secret,
    send::Outcome,
    sign::{self, Message},
};
use crate::{
    app::App,
    clock,
    error::ApiError,
    http::dialect::{self, Dialect},
    resources::deliveries::Delivery,
};

/// Where to send and how.
pub(crate) struct Target {
    pub(crate) settings: Settings,
    dialect: &'static Dialect,
    /// The current secret, then those that are still valid, newest first.
    secrets: Vec<Secret>,
}

/// The fields of a webhook's document that decide about deliveries.
#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    url: String,
    pub(crate) retry_count: u32,
    timeout_seconds: u32,
}

impl Target {
    /// The webhook, if it is still there.
    pub(crate) async fn load(app: &App, webhook: &str) -> Result<Option<Self>, ApiError> {
        let rows = sqlx::query(
            "SELECT w.dialect, w.doc, s.sealed FROM webhooks w
             JOIN webhook_secrets s ON s.webhook_id = w.id
             WHERE w.id = ?1 AND (s.valid_until IS NULL OR s.valid_until > ?2)
             ORDER BY s.seq DESC",
        )
        .bind(webhook)
        .bind(clock::text(app.clock.now()))
        .fetch_all(app.store.reader())
        .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let settings = serde_json::from_str(first.try_get(1)?).map_err(ApiError::internal)?;
        let dialect = dialect::by_name(first.try_get(0)?);
        let mut secrets = Vec::with_capacity(rows.len());
        for row in &rows {
            // One that was sealed with another key is of no use.
            secrets.extend(app.seal.unseal(row.try_get(2)?).and_then(Secret::kept));
        }
        Ok(Some(Self { settings, dialect, secrets }))
    }
}

/// Makes the attempt that `delivery` stands for.
pub(crate) async fn attempt_now(app: &App, target: &Target, delivery: &Delivery) -> Outcome {
    if target.secrets.is_empty() {
        return Outcome::refused("the webhook's secret cannot be read any more: rotate it".into());
    }
    let body = delivery.payload.get().as_bytes();
    let message = Message {
        event_id: &delivery.event_id,
        event_type: &delivery.event_type,
        delivery_id: &delivery.id,
        body,
    };
    let headers: HeaderMap =
        sign::headers(&message, target.dialect, &target.secrets, app.clock.now());
    let limit = Duration::from_secs(target.settings.timeout_seconds.into());
    app.delivering.sender.send(&target.settings.url, headers, body.to_vec(), limit).await
}

//! The queue in the database: an event's deliveries put in, dropped, and the next one found. How they ended is written
//! in `record`; nothing here sends.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sqlx::Row as _;

use crate::{
    app::App,
    clock,
    error::ApiError,
    events::{self, Payload},
    http::dialect,
    resources::deliveries::{Delivery, TABLE},
    store::Tx,
};

/// Puts a delivery of the event into the queue for each active webhook of the organization that wants it. `full` is the
/// event as it is stored.
pub(crate) async fn fan_out(
    app: &App,
    tx: &mut Tx<'_>,
    event: Payload<'_>,
    full: Box<RawValue>,
) -> Result<(), ApiError> {
    let (organization, id, name) = (event.organization_id, event.id.clone(), event.event);
    let rows = sqlx::query(
        "SELECT id, dialect, doc ->> 'events' FROM webhooks WHERE organization_id = ?1 AND doc ->> 'is_active' ORDER BY seq",
    )
    .bind(organization)
    .fetch_all(tx.sql())
    .await?;
    let mut wanting = Vec::new();
    for row in rows {
        let patterns: Vec<String> =
            serde_json::from_str(row.try_get(2)?).map_err(ApiError::internal)?;
        if patterns.iter().any(|pattern| events::matches(pattern, name)) {
            let webhook: String = row.try_get(0)?;
            wanting.push((webhook, dialect::by_name(row.try_get(1)?).top_fields));
        }
    }
    if wanting.is_empty() {
        return Ok(());
    }
    let bare = event.without_top().text()?;
    let now = app.clock.now();
    for (webhook, top_fields) in &wanting {
        let payload = if *top_fields { full.clone() } else { bare.clone() };
        let delivery = Delivery::pending(webhook, &id, name, payload, now);
        insert(tx, organization, &delivery, &delivery.id, now).await?;
    }
    wake_after(app, tx, wanting.into_iter().map(|(webhook, _)| webhook).collect());
    Ok(())
}

/// Puts one delivery into the queue. `trigger` is the first attempt of the trigger that it belongs to.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    organization: &str,
    delivery: &Delivery,
    trigger: &str,
    due: Timestamp,
) -> Result<(), ApiError> {
    write(tx, organization, delivery, trigger, Some(clock::text(due))).await
}

/// Writes down a delivery that was made already.
pub(crate) async fn log(
    tx: &mut Tx<'_>,
    organization: &str,
    delivery: &Delivery,
) -> Result<(), ApiError> {
    write(tx, organization, delivery, &delivery.id, None).await
}

async fn write(
    tx: &mut Tx<'_>,
    organization: &str,
    delivery: &Delivery,
    trigger: &str,
    due: Option<String>,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO deliveries (id, organization_id, webhook_id, trigger_id, due_at, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&delivery.id)
    .bind(organization)
    .bind(&delivery.webhook_id)
    .bind(trigger)
    .bind(due)
    .bind(serde_json::to_string(delivery).map_err(ApiError::internal)?)
    .execute(tx.sql())
    .await?;
    tx.touch(&TABLE);
    Ok(())
}

/// Wakes the worker for these webhooks once the transaction is committed.
pub(crate) fn wake_after(app: &App, tx: &mut Tx<'_>, webhooks: Vec<String>) {
    if !webhooks.is_empty() {
        let delivering = Arc::clone(&app.delivering);
        tx.after_commit(move || delivering.wake(webhooks));
    }
}

/// Drops what is still to be sent to a webhook.
pub(crate) async fn drop_pending(tx: &mut Tx<'_>, webhook: &str) -> Result<(), ApiError> {
    sqlx::query("DELETE FROM deliveries WHERE webhook_id = ?1 AND due_at IS NOT NULL")
        .bind(webhook)
        .execute(tx.sql())
        .await?;
    tx.touch(&TABLE);
    Ok(())
}

/// Every webhook that something is to be sent to.
pub(super) async fn waiting(app: &App) -> Result<Vec<String>, ApiError> {
    Ok(sqlx::query_scalar("SELECT DISTINCT webhook_id FROM deliveries WHERE due_at IS NOT NULL")
        .fetch_all(app.store.reader())
        .await?)
}

/// What a webhook's lane has to do.
#[derive(Debug)]
pub(super) enum Next {
    /// This delivery, now.
    Due(Box<Delivery>),
    /// One at that time.
    At(Timestamp),
    /// Nothing beyond what is under way.
    Nothing,
    /// Nothing ever: the webhook was deleted.
    Gone,
}

/// The earliest delivery of a webhook that is not among those `under_way`.
pub(super) async fn next(app: &App, webhook: &str, under_way: &[&str]) -> Result<Next, ApiError> {
    let row = sqlx::query(
        "SELECT due_at, doc FROM deliveries WHERE webhook_id = ?1 AND due_at IS NOT NULL
         AND id NOT IN (SELECT value FROM json_each(?2)) ORDER BY due_at, seq LIMIT 1",
    )
    .bind(webhook)
    .bind(serde_json::to_string(under_way).map_err(ApiError::internal)?)
    .fetch_optional(app.store.reader())
    .await?;
    if let Some(row) = row {
        let due: Timestamp = row.try_get::<&str, _>(0)?.parse().map_err(ApiError::internal)?;
        if due > app.clock.now() {
            return Ok(Next::At(due));
        }
        let delivery = serde_json::from_str(row.try_get(1)?).map_err(ApiError::internal)?;
        return Ok(Next::Due(Box::new(delivery)));
    }
    let exists: Option<i64> = sqlx::query_scalar("SELECT 1 FROM webhooks WHERE id = ?1")
        .bind(webhook)
        .fetch_optional(app.store.reader())
        .await?;
    Ok(if exists.is_some() { Next::Nothing } else { Next::Gone })
}

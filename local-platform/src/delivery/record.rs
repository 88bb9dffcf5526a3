//! How attempts ended, written down with what follows from it: many in one transaction, so that sending does not wait
//! for the database once an attempt.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use tokio::sync::{mpsc, oneshot};

use super::{queue, send::Outcome};
use crate::{
    app::App,
    error::ApiError,
    resources::deliveries::{Delivery, TABLE},
    store::Tx,
};

/// Outcomes in one transaction; others write in between.
const BATCH: usize = 64;

/// An attempt that was made.
pub(super) struct Ended {
    pub(super) delivery: Delivery,
    pub(super) outcome: Outcome,
    /// How often the webhook's deliveries are repeated.
    pub(super) retries: u32,
    /// Told once it is on disk; dropped when it could not be written.
    pub(super) written: oneshot::Sender<()>,
}

/// Writes down what comes until nobody is left to send.
pub(super) async fn run(app: Arc<App>, mut ended: mpsc::Receiver<Ended>) {
    let mut batch = Vec::with_capacity(BATCH);
    while ended.recv_many(&mut batch, BATCH).await > 0 {
        let mut waiting = Vec::with_capacity(batch.len());
        let written = write(&app, batch.drain(..), &mut waiting).await;
        if let Err(error) = written {
            tracing::error!(error = error.message, "deliveries could not be written down");
            continue;
        }
        for one in waiting {
            let _ = one.send(());
        }
    }
}

async fn write(
    app: &App,
    batch: impl Iterator<Item = Ended>,
    waiting: &mut Vec<oneshot::Sender<()>>,
) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    let now = app.clock.now();
    for Ended { delivery, outcome, retries, written } in batch {
        one(&mut tx, delivery, outcome, retries, now).await?;
        waiting.push(written);
    }
    tx.commit().await?;
    Ok(())
}

/// Writes down how one attempt ended and, where it is to be made again, the next one. A delivery that was dropped
/// meanwhile stays dropped.
async fn one(
    tx: &mut Tx<'_>,
    mut delivery: Delivery,
    outcome: Outcome,
    retries: u32,
    now: Timestamp,
) -> Result<(), ApiError> {
    let again = outcome.retryable && delivery.retry_attempt < retries;
    delivery.ended(outcome);
    let row = sqlx::query(
        "UPDATE deliveries SET doc = ?2, due_at = NULL WHERE id = ?1 AND due_at IS NOT NULL RETURNING organization_id, trigger_id",
    )
    .bind(&delivery.id)
    .bind(serde_json::to_string(&delivery).map_err(ApiError::internal)?)
    .fetch_optional(tx.sql())
    .await?;
    let Some(row) = row else { return Ok(()) };
    tx.touch(&TABLE);
    if again {
        let wait = SignedDuration::from_secs(1 << delivery.retry_attempt);
        let due = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let next = delivery.again(now, due);
        let (organization, trigger): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        queue::insert(tx, &organization, &next, &trigger, due).await?;
    }
    Ok(())
}

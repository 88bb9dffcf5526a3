//! What is kept for 30 days: events, the log of deliveries, and the steps of jobs that event streams are taken up by. Lists hide what is older from that moment; it is
//! removed here a little later.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    app::App,
    clock,
    error::ApiError,
    events,
    resources::{deliveries, jobs, uploads},
};

/// How many days events and deliveries are kept.
pub(crate) const DAYS: u32 = 30;
const EVERY: SignedDuration = SignedDuration::from_mins(10);
/// Removed in one transaction; others write in between.
const BATCH: u64 = 500;

/// The time of the oldest that is still shown, on the minute: the counts of lists are kept by it.
pub(crate) fn oldest(now: Timestamp) -> String {
    let minute = now.as_second().div_euclid(60) * 60;
    let oldest = minute - i64::from(DAYS) * 86_400;
    clock::text(Timestamp::from_second(oldest).unwrap_or(Timestamp::MIN))
}

/// Removes what is too old, every ten minutes of the platform's clock.
pub(crate) async fn run(app: Arc<App>) {
    loop {
        if let Err(error) = sweep(&app).await {
            tracing::error!(
                error = error.message,
                "old events and deliveries could not be removed"
            );
        }
        if let Err(error) = uploads::expire(&app).await {
            tracing::error!(error = error.message, "expired uploads could not be removed");
        }
        let next = app.clock.now().saturating_add(EVERY).unwrap_or(Timestamp::MAX);
        tokio::select! {
            () = app.clock.sleep_until(next) => {}
            () = app.stopping.cancelled() => return,
        }
    }
}

async fn sweep(app: &App) -> Result<(), ApiError> {
    // By the owner first, as the indexes are; CROSS JOIN keeps that order. A delivery that is still to be made stays, however old.
    for (table, sql) in [
        (
            &events::TABLE,
            "DELETE FROM events WHERE seq IN (SELECT e.seq FROM organizations o CROSS JOIN events e
             ON e.organization_id = o.id AND e.doc ->> 'timestamp' < ?1 LIMIT ?2)",
        ),
        (
            &deliveries::TABLE,
            "DELETE FROM deliveries WHERE seq IN (SELECT d.seq FROM webhooks w CROSS JOIN deliveries d
             ON d.webhook_id = w.id AND d.doc ->> 'created_at' < ?1 WHERE d.due_at IS NULL LIMIT ?2)",
        ),
        (
            &jobs::TABLE,
            "DELETE FROM job_progress WHERE (job_id, run, progress) IN
             (SELECT job_id, run, progress FROM job_progress WHERE at < ?1 LIMIT ?2)",
        ),
    ] {
        loop {
            let mut tx = app.store.begin().await?;
            let removed = sqlx::query(sql)
                .bind(oldest(app.clock.now()))
                .bind(BATCH as i64)
                .execute(tx.sql())
                .await?
                .rows_affected();
            if removed > 0 {
                tx.touch(table);
                tx.commit().await?;
            }
            if removed < BATCH || app.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}

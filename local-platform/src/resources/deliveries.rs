//! `/api/webhooks/{id}/deliveries` and what else tells of sending: a test, a delivery sent again, statistics.
//! A delivery is one attempt; an event that was sent three times to a webhook has three.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use sqlx::Row as _;

use super::webhooks;
use crate::{
    app::App,
    clock,
    delivery::{attempt_now, queue, send::Outcome, target::Target},
    error::ApiError,
    events::{self, NewEvent, Payload},
    http::{Ctx, Path, Reply},
    retention,
    store::{Filter, ListQuery, Table, number},
};

pub(crate) static TABLE: Table = Table {
    name: "deliveries",
    prefix: "dlv",
    what: "delivery",
    sortable: &["created_at", "event_type", "status", "status_code", "duration_ms"],
    newest_by: "created_at",
    filters: &[
        Filter::one_of("event_type", &events::NAMES),
        Filter::one_of("status", &["pending", "success", "failed"]),
        Filter::text("event_id"),
    ],
    slot: 7,
};

/// How many deliveries the statistics show.
const RECENT: u32 = 10;
const DEFAULT_PERIOD: u32 = 30;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/webhooks/{id}/deliveries", get(list))
        .route("/api/webhooks/{id}/deliveries/{delivery_id}/redeliver", post(redeliver))
        .route("/api/webhooks/{id}/test", post(test))
        .route("/api/webhooks/{id}/stats", get(stats))
}

/// One attempt to deliver an event, made or to be made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) webhook_id: String,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    /// The very bytes that are sent.
    pub(crate) payload: Box<RawValue>,
    status: Status,
    status_code: Option<u16>,
    response_body: Option<String>,
    error_message: Option<String>,
    duration_ms: Option<u64>,
    /// 0 for the first attempt.
    pub(crate) retry_attempt: u32,
    /// When it is, or was, due.
    scheduled_at: String,
    created_at: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Success,
    Failed,
}

impl Delivery {
    /// The first attempt to deliver an event, due now.
    pub(crate) fn pending(
        webhook: &str,
        event_id: &str,
        event_type: &str,
        payload: Box<RawValue>,
        now: Timestamp,
    ) -> Self {
        let now = clock::text(now);
        Self {
            id: TABLE.new_id(),
            webhook_id: webhook.to_owned(),
            event_id: event_id.to_owned(),
            event_type: event_type.to_owned(),
            payload,
            status: Status::Pending,
            status_code: None,
            response_body: None,
            error_message: None,
            duration_ms: None,
            retry_attempt: 0,
            scheduled_at: now.clone(),
            created_at: now,
        }
    }

    /// The attempt after this one.
    pub(crate) fn again(&self, now: Timestamp, due: Timestamp) -> Self {
        Self {
            retry_attempt: self.retry_attempt + 1,
            scheduled_at: clock::text(due),
            ..Self::pending(
                &self.webhook_id,
                &self.event_id,
                &self.event_type,
                self.payload.clone(),
                now,
            )
        }
    }

    /// Takes over how the attempt ended.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        self.status = if outcome.error.is_none() { Status::Success } else { Status::Failed };
        self.status_code = outcome.status.map(|status| status.as_u16());
        self.response_body = outcome.body;
        self.error_message = outcome.error;
        self.duration_ms = Some(u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX));
    }
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    app.store.document(&webhooks::TABLE, &ctx.organization_id, &id).await?;
    let query = ListQuery::parse(&TABLE, query.as_deref())?
        .such_that("webhook_id =", id)
        .such_that("doc ->> 'created_at' >=", retention::oldest(app.clock.now()));
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

/// Sends a delivery's payload again, as a trigger of its own with retries of its own.
async fn redeliver(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path((id, delivery_id)): Path<(String, String)>,
) -> Result<Reply, ApiError> {
    #[derive(Deserialize)]
    struct Webhook {
        is_active: bool,
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let webhook: Webhook = tx.read(&webhooks::TABLE, &ctx.organization_id, &id).await?;
    let old: Delivery = tx.read(&TABLE, &ctx.organization_id, &delivery_id).await?;
    if old.webhook_id != id || old.created_at < retention::oldest(now) {
        return Err(TABLE.not_found(&delivery_id));
    }
    if !webhook.is_active {
        return Err(ApiError::conflict(
            "conflict",
            "the webhook is not active: activate it with PUT and {\"is_active\": true}",
        ));
    }
    let delivery = Delivery::pending(&id, &old.event_id, &old.event_type, old.payload, now);
    queue::insert(&mut tx, &ctx.organization_id, &delivery, &delivery.id, now).await?;
    queue::wake_after(&app, &mut tx, vec![id]);
    ctx.finish(tx, StatusCode::ACCEPTED, &delivery).await
}

/// Sends a test event now, once, whether the webhook is active or not, and answers with the delivery.
async fn test(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    app.store.document(&webhooks::TABLE, &ctx.organization_id, &id).await?;
    let Some(target) = Target::load(&app, &id).await? else {
        return Err(webhooks::TABLE.not_found(&id));
    };
    let event = Payload::new(
        &app,
        NewEvent {
            organization_id: &ctx.organization_id,
            name: events::TEST,
            data: json!({"webhook_id": id, "message": "This is a test"}),
            top: serde_json::Map::new(),
        },
    );
    let mut delivery =
        Delivery::pending(&id, &event.id, event.event, event.text()?, app.clock.now());
    let outcome = attempt_now(&app, &target, &delivery).await;
    delivery.ended(outcome);
    let mut tx = app.store.begin().await?;
    // It may have been deleted while the receiver took its time.
    tx.read::<serde::de::IgnoredAny>(&webhooks::TABLE, &ctx.organization_id, &id).await?;
    queue::log(&mut tx, &ctx.organization_id, &delivery).await?;
    ctx.finish(tx, StatusCode::OK, &delivery).await
}

/// What was sent in a period. A trigger is an event for a webhook, a redelivery or a test, however many attempts it
/// took; one that is not yet decided is neither successful nor failed.
#[derive(Debug, Serialize)]
struct Stats {
    webhook_id: String,
    period_days: u32,
    total_triggers: i64,
    successful_triggers: i64,
    failed_triggers: i64,
    /// In percent of those that are decided; absent while none is.
    success_rate: Option<f64>,
    /// Of an attempt; absent while there is none.
    avg_duration_ms: Option<f64>,
    recent_logs: Vec<Box<RawValue>>,
}

async fn stats(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let period_days = period(query.as_deref())?;
    app.store.document(&webhooks::TABLE, &ctx.organization_id, &id).await?;
    let now = app.clock.now();
    let length = SignedDuration::from_hours(24 * i64::from(period_days));
    let since = clock::text(now.saturating_sub(length).unwrap_or(Timestamp::MIN));
    let row = sqlx::query(
        "SELECT count(*), coalesce(sum(succeeded), 0), coalesce(sum(NOT succeeded AND NOT undecided), 0) FROM
         (SELECT max(doc ->> 'status' = 'success') AS succeeded, max(due_at IS NOT NULL) AS undecided
          FROM deliveries WHERE webhook_id = ?1 AND doc ->> 'created_at' >= ?2 GROUP BY trigger_id)",
    )
    .bind(&id)
    .bind(&since)
    .fetch_one(app.store.reader())
    .await?;
    let (total, successful, failed): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let avg_duration_ms: Option<f64> = sqlx::query_scalar(
        "SELECT avg(doc ->> 'duration_ms') FROM deliveries WHERE webhook_id = ?1 AND doc ->> 'created_at' >= ?2",
    )
    .bind(&id)
    .bind(&since)
    .fetch_one(app.store.reader())
    .await?;
    let recent: Vec<String> = sqlx::query_scalar(
        "SELECT doc FROM deliveries WHERE webhook_id = ?1 AND doc ->> 'created_at' >= ?2
         ORDER BY doc ->> 'created_at' DESC, seq DESC LIMIT ?3",
    )
    .bind(&id)
    .bind(&since)
    .bind(RECENT)
    .fetch_all(app.store.reader())
    .await?;
    let recent_logs = recent.into_iter().map(RawValue::from_string).collect::<Result<_, _>>();
    let decided = successful + failed;
    let stats = Stats {
        webhook_id: id,
        period_days,
        total_triggers: total,
        successful_triggers: successful,
        failed_triggers: failed,
        success_rate: (decided > 0).then(|| rounded(100.0 * successful as f64 / decided as f64)),
        avg_duration_ms: avg_duration_ms.map(rounded),
        recent_logs: recent_logs.map_err(ApiError::internal)?,
    };
    Reply::object(StatusCode::OK, &stats)
}

/// To hundredths.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// `period_days`: as far back as deliveries are kept.
fn period(query: Option<&str>) -> Result<u32, ApiError> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| ApiError::invalid(format!("the query cannot be read: {error}")))?;
    match pairs.iter().filter(|(name, _)| name == "period_days").collect::<Vec<_>>()[..] {
        [] => Ok(DEFAULT_PERIOD),
        [(name, value)] => number(name, value, 1, retention::DAYS),
        _ => Err(ApiError::parameter("period_days", "was given twice")),
    }
}

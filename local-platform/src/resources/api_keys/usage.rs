//! What a key was used for over some days.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::TABLE;
use crate::{
    app::App,
    error::ApiError,
    http::{Ctx, Path, Reply},
};

const DEFAULT_DAYS: u32 = 30;
const MOST_DAYS: u32 = 365;
/// Endpoints that are named.
const TOP: i64 = 10;

pub(super) async fn usage(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let days = period(query.as_deref())?;
    let key: Value = app.store.read(&TABLE, &ctx.organization_id, &id).await?;
    if key["user_id"] != *ctx.user_id {
        return Err(TABLE.not_found(&id));
    }
    // What was counted since the last second is told too.
    app.keys.flush_usage(&app.store).await?;
    let since = app
        .clock
        .now()
        .saturating_sub(SignedDuration::from_hours(24 * i64::from(days - 1)))
        .map_err(ApiError::internal)?
        .strftime("%F")
        .to_string();
    let sums = sqlx::query(
        "SELECT coalesce(sum(requests), 0), coalesce(sum(failed), 0), coalesce(sum(duration_us), 0) FROM key_usage WHERE key_id = ?1 AND day >= ?2",
    )
    .bind(&id)
    .bind(&since)
    .fetch_one(app.store.reader())
    .await?;
    let (total, failed, us): (i64, i64, i64) =
        (sums.try_get(0)?, sums.try_get(1)?, sums.try_get(2)?);
    let top = sqlx::query(
        "SELECT endpoint, sum(requests) FROM key_usage WHERE key_id = ?1 AND day >= ?2 GROUP BY endpoint ORDER BY 2 DESC, 1 LIMIT ?3",
    )
    .bind(&id)
    .bind(&since)
    .bind(TOP)
    .fetch_all(app.store.reader())
    .await?;
    let top = top
        .iter()
        .map(|row| Ok(json!({"endpoint": row.try_get::<String, _>(0)?, "requests": row.try_get::<i64, _>(1)?})))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let share = |part: f64| if total == 0 { 0.0 } else { part / total as f64 };
    Reply::object(
        StatusCode::OK,
        &json!({
            "total_requests": total,
            "successful_requests": total - failed,
            "failed_requests": failed,
            "success_rate": 100.0 * share((total - failed) as f64),
            "avg_duration_ms": share(us as f64 / 1000.0),
            "top_endpoints": top,
            "period_days": days,
        }),
    )
}

fn period(query: Option<&str>) -> Result<u32, ApiError> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| ApiError::invalid(format!("the query cannot be read: {error}")))?;
    let mut days = None;
    for (name, value) in pairs {
        if name == "period_days" {
            if days.is_some() {
                return Err(ApiError::parameter(&name, "was given twice"));
            }
            days = Some(crate::store::number(&name, &value, 1, MOST_DAYS)?);
        }
    }
    Ok(days.unwrap_or(DEFAULT_DAYS))
}

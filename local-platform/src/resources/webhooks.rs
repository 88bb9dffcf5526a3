//! `/api/webhooks`: who is told of which events. What was sent to them is in `deliveries`; sending is in `delivery`.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    routing::{get, post},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    clock,
    delivery::{queue, secret::Secret},
    error::ApiError,
    events,
    http::{
        Ctx, Json, Path, Reply,
        dialect::{self, Dialect},
    },
    store::{Filter, ListQuery, Table, Tx},
    validate::{Checks, Integer, nullable, present},
};

pub(crate) static TABLE: Table = Table {
    name: "webhooks",
    prefix: "whk",
    what: "webhook",
    sortable: &["created_at", "updated_at", "name", "url"],
    newest_by: "created_at",
    filters: &[
        Filter::text("name"),
        Filter::text("url"),
        Filter::one_of("is_active", &["true", "false"]),
    ],
    slot: 6,
};

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 5_000;
/// More than there are events and groups.
const MAX_EVENTS: usize = 50;
const MAX_RETRIES: i64 = 10;
const MAX_TIMEOUT: i64 = 30;
/// How long a secret is still used beside its successor.
const OLD_SECRET_VALID: SignedDuration = SignedDuration::from_hours(24);
/// Secrets of one webhook that are used at a time, however often it is rotated: each makes a header longer.
const MAX_SECRETS: u32 = 8;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/api/webhooks", get(list).post(create))
        .route("/api/webhooks/{id}", get(retrieve).put(update).delete(delete))
        .route("/api/webhooks/{id}/rotate-secret", post(rotate_secret))
}

#[derive(Debug, Serialize, Deserialize)]
struct Webhook {
    id: String,
    url: String,
    events: Vec<String>,
    name: Option<String>,
    description: Option<String>,
    retry_count: i64,
    timeout_seconds: i64,
    is_active: bool,
    organization_id: String,
    created_at: String,
    updated_at: String,
}

/// A webhook with its secret, which is shown this once.
#[derive(Debug, Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    webhook: &'a Webhook,
    secret: &'a str,
    /// Until when the secret before this one is used as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_valid_until: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Create {
    url: String,
    events: Vec<String>,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default = "three")]
    retry_count: Integer,
    #[serde(default = "ten")]
    timeout_seconds: Integer,
    #[serde(default = "yes")]
    is_active: bool,
}

fn three() -> Integer {
    Integer(3)
}

fn ten() -> Integer {
    Integer(10)
}

fn yes() -> bool {
    true
}

/// On an update an absent field stays and `null` clears.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    #[serde(deserialize_with = "present")]
    url: Option<String>,
    #[serde(deserialize_with = "present")]
    events: Option<Vec<String>>,
    #[serde(deserialize_with = "nullable")]
    name: Option<Option<String>>,
    #[serde(deserialize_with = "nullable")]
    description: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    retry_count: Option<Integer>,
    #[serde(deserialize_with = "present")]
    timeout_seconds: Option<Integer>,
    #[serde(deserialize_with = "present")]
    is_active: Option<bool>,
    /// Refused: to take it silently and not use it would leave the caller with a secret that never verifies.
    #[serde(deserialize_with = "nullable")]
    secret: Option<Option<String>>,
}

impl Webhook {
    fn check(&mut self, checks: &mut Checks) {
        checks.that(
            (1..=MAX_EVENTS).contains(&self.events.len()),
            "events",
            format!("must name 1 to {MAX_EVENTS} events"),
        );
        for (index, pattern) in self.events.iter().enumerate().take(MAX_EVENTS) {
            checks.that(
                events::is_pattern(pattern),
                &format!("events[{index}]"),
                format!("{pattern:?} is no event, group (such as \"project.*\") or \"*\""),
            );
        }
        let mut seen = std::collections::HashSet::new();
        self.events.retain(|pattern| seen.insert(pattern.clone()));
        if let Some(name) = &self.name {
            checks.text(name, "name", 1, MAX_NAME);
        }
        if let Some(description) = &self.description {
            checks.text(description, "description", 0, MAX_DESCRIPTION);
        }
        checks.that(
            (0..=MAX_RETRIES).contains(&self.retry_count),
            "retry_count",
            format!("must be a whole number from 0 to {MAX_RETRIES}"),
        );
        checks.that(
            (1..=MAX_TIMEOUT).contains(&self.timeout_seconds),
            "timeout_seconds",
            format!("must be a whole number from 1 to {MAX_TIMEOUT}"),
        );
    }
}

/// Checks an address, which may ask the system's resolver: never inside a transaction.
async fn check_url(app: &App, checks: &mut Checks, url: &str) {
    if let Err(why) = app.delivering.admit(url).await {
        checks.that(false, "url", why);
    }
}

async fn create(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Json(new): Json<Create>,
) -> Result<Reply, ApiError> {
    let Create { url, events, secret, name, description, retry_count, timeout_seconds, is_active } =
        new;
    let now = clock::text(app.clock.now());
    let mut webhook = Webhook {
        id: TABLE.new_id(),
        url,
        events,
        name,
        description,
        retry_count: retry_count.0,
        timeout_seconds: timeout_seconds.0,
        is_active,
        organization_id: ctx.organization_id.to_string(),
        created_at: now.clone(),
        updated_at: now,
    };
    let mut checks = Checks::default();
    webhook.check(&mut checks);
    let secret = match secret.map(Secret::given) {
        None => Secret::generate(),
        Some(Ok(secret)) => secret,
        Some(Err(why)) => {
            checks.that(false, "secret", why);
            Secret::generate()
        }
    };
    check_url(&app, &mut checks, &webhook.url).await;
    checks.finish()?;

    let mut tx = app.store.begin().await?;
    let dialect = dialect(&mut tx, &ctx).await?;
    sqlx::query("INSERT INTO webhooks (id, organization_id, dialect, doc) VALUES (?1, ?2, ?3, ?4)")
        .bind(&webhook.id)
        .bind(&webhook.organization_id)
        .bind(dialect.name)
        .bind(serde_json::to_string(&webhook).map_err(ApiError::internal)?)
        .execute(tx.sql())
        .await?;
    tx.touch(&TABLE);
    keep_secret(&app, &mut tx, &webhook.id, &secret).await?;
    let answer =
        WithSecret { webhook: &webhook, secret: secret.text(), previous_secret_valid_until: None };
    ctx.finish(tx, StatusCode::CREATED, &answer).await
}

/// The dialect of a webhook that is made by this request.
async fn dialect(tx: &mut Tx<'_>, ctx: &Ctx) -> Result<&'static Dialect, ApiError> {
    let Some(key) = &ctx.key else { return Ok(ctx.dialect) };
    let shown: Option<String> =
        sqlx::query_scalar("SELECT doc ->> 'prefix' FROM api_keys WHERE id = ?1")
            .bind(&*key.id)
            .fetch_optional(tx.sql())
            .await?
            .flatten();
    Ok(dialect::of_webhook(ctx.dialect, &shown.unwrap_or_default()))
}

async fn keep_secret(
    app: &App,
    tx: &mut Tx<'_>,
    webhook: &str,
    secret: &Secret,
) -> Result<(), ApiError> {
    sqlx::query("INSERT INTO webhook_secrets (webhook_id, sealed) VALUES (?1, ?2)")
        .bind(webhook)
        .bind(app.seal.seal(secret.text().as_bytes()))
        .execute(tx.sql())
        .await?;
    Ok(())
}

async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?;
    Ok(Reply::page(app.store.page(&TABLE, &ctx.organization_id, &query).await?))
}

async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    Ok(Reply::document(app.store.document(&TABLE, &ctx.organization_id, &id).await?))
}

async fn update(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    Json(changes): Json<Update>,
) -> Result<Reply, ApiError> {
    // Whether it is there is said before what is wrong with the change.
    app.store.document(&TABLE, &ctx.organization_id, &id).await?;
    let mut checks = Checks::default();
    checks.that(changes.secret.is_none(), "secret", "is changed by POST …/rotate-secret");
    if let Some(url) = &changes.url {
        check_url(&app, &mut checks, url).await;
    }

    let mut tx = app.store.begin().await?;
    let mut webhook: Webhook = tx.read(&TABLE, &ctx.organization_id, &id).await?;
    let Update { url, events, name, description, retry_count, timeout_seconds, is_active, .. } =
        changes;
    set(&mut webhook.url, url);
    set(&mut webhook.events, events);
    set(&mut webhook.name, name);
    set(&mut webhook.description, description);
    set(&mut webhook.retry_count, retry_count.map(|n| n.0));
    set(&mut webhook.timeout_seconds, timeout_seconds.map(|n| n.0));
    set(&mut webhook.is_active, is_active);
    webhook.check(&mut checks);
    checks.finish()?;
    webhook.updated_at = clock::text(app.clock.now());
    tx.replace(&TABLE, &ctx.organization_id, &id, &webhook).await?;
    if !webhook.is_active {
        queue::drop_pending(&mut tx, &id).await?;
    }
    ctx.finish(tx, StatusCode::OK, &webhook).await
}

fn set<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

async fn delete(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let mut tx = app.store.begin().await?;
    // Its secrets and deliveries go with it.
    tx.delete(&TABLE, &ctx.organization_id, &id).await?;
    tx.touch(&super::deliveries::TABLE);
    queue::wake_after(&app, &mut tx, vec![id.clone()]);
    tx.commit().await?;
    Ok(Reply::deleted(&id))
}

async fn rotate_secret(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut webhook: Webhook = tx.read(&TABLE, &ctx.organization_id, &id).await?;
    webhook.updated_at = clock::text(now);
    tx.replace(&TABLE, &ctx.organization_id, &id, &webhook).await?;
    let until = clock::text(now.saturating_add(OLD_SECRET_VALID).unwrap_or(jiff::Timestamp::MAX));
    sqlx::query(
        "UPDATE webhook_secrets SET valid_until = ?2 WHERE webhook_id = ?1 AND valid_until IS NULL",
    )
    .bind(&id)
    .bind(&until)
    .execute(tx.sql())
    .await?;
    let secret = Secret::generate();
    keep_secret(&app, &mut tx, &id, &secret).await?;
    sqlx::query(
        "DELETE FROM webhook_secrets WHERE webhook_id = ?1 AND (valid_until <= ?2 OR seq NOT IN
         (SELECT seq FROM webhook_secrets WHERE webhook_id = ?1 ORDER BY seq DESC LIMIT ?3))",
    )
    .bind(&id)
    .bind(clock::text(now))
    .bind(MAX_SECRETS)
    .execute(tx.sql())
    .await?;
    let answer = WithSecret {
        webhook: &webhook,
        secret: secret.text(),
        previous_secret_valid_until: Some(&until),
    };
    ctx.finish(tx, StatusCode::OK, &answer).await
}

//! Making, listing, rotating and revoking keys. A user sees their own alone, and a key never makes one that may do more.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{TABLE, shown};
use crate::{
    app::App,
    clock,
    error::ApiError,
    http::{Ctx, Json, Path, Reply, dialect::HUB_CHANTIER},
    ids,
    keys::{self, Access},
    resources::audit::{self, Entry},
    store::{ListQuery, Tx},
    validate::{Checks, Integer, nullable, present},
};

/// Live keys that a user may have.
const MOST_LIVE: i64 = 10;
const DEFAULT_DAYS: i64 = 90;
const MOST_DAYS: i64 = 3_650;
const DEFAULT_RATE_LIMIT: i64 = 1_000;
const MOST_RATE_LIMIT: i64 = 1_000_000_000;
const MOST_SCOPES: usize = 50;
/// A week: the longest that an old text goes on beside the new one.
const MOST_GRACE_S: i64 = 7 * 24 * 3600;
/// From when on a key is said to expire soon.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A key as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    id: String,
    name: String,
    description: Option<String>,
    prefix: String,
    permissions: Vec<String>,
    scopes: Vec<String>,
    rate_limit: i64,
    usage_count: u64,
    last_used_at: Option<String>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    allow_jwt: bool,
    created_at: String,
    user_id: String,
}

impl Stored {
    /// As it is sent: with its status at `now`, and its text where it is shown.
    fn show(&self, now: Timestamp, secret: Option<&str>) -> Result<Value, ApiError> {
        let status = if self.revoked_at.is_some() {
            "revoked"
        } else {
            match self.expires_at {
                Some(at) if at <= now => "expired",
                Some(at) if at.duration_since(now) <= SOON => "expiring_soon",
                _ => "active",
            }
        };
        let mut shown = serde_json::to_value(self).map_err(ApiError::internal)?;
        shown["status"] = json!(status);
        for (name, at) in [("expires_at", self.expires_at), ("revoked_at", self.revoked_at)] {
            shown[name] = json!(at.map(clock::text));
        }
        if let Some(secret) = secret {
            shown["secret"] = json!(secret);
        }
        Ok(shown)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Create {
    name: String,
    #[serde(default, deserialize_with = "nullable")]
    description: Option<Option<String>>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    expires_in_days: Option<Option<Integer>>,
    #[serde(default, deserialize_with = "present")]
    rate_limit: Option<Integer>,
    #[serde(default)]
    allow_jwt: bool,
}

impl Create {
    /// What the key is to be allowed; neither permissions nor scopes means reading.
    fn check(&mut self) -> Result<Access, ApiError> {
        let mut checks = Checks::default();
        checks.text(&self.name, "name", 1, 200);
        if let Some(Some(description)) = &self.description {
            checks.text(description, "description", 0, 5_000);
        }
        if let Some(Some(Integer(days))) = self.expires_in_days {
            checks.that(
                (1..=MOST_DAYS).contains(&days),
                "expires_in_days",
                format!("must be from 1 to {MOST_DAYS}, or null"),
            );
        }
        if let Some(Integer(limit)) = self.rate_limit {
            checks.that(
                (1..=MOST_RATE_LIMIT).contains(&limit),
                "rate_limit",
                format!("must be from 1 to {MOST_RATE_LIMIT}"),
            );
        }
        checks.that(
            self.scopes.len() <= MOST_SCOPES,
            "scopes",
            format!("must be {MOST_SCOPES} at most"),
        );
        if self.permissions.is_empty() && self.scopes.is_empty() {
            self.permissions.push("read".to_owned());
        }
        let permissions = Access::parse(&self.permissions, &[]);
        let scopes = Access::parse(&[], &self.scopes);
        for (parsed, field) in [(&permissions, "permissions"), (&scopes, "scopes")] {
            if let Err(why) = parsed {
                checks.that(false, field, why.clone());
            }
        }
        checks.finish()?;
        Access::parse(&self.permissions, &self.scopes).map_err(ApiError::internal)
    }
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Json(mut new): Json<Create>,
) -> Result<Reply, ApiError> {
    let access = new.check()?;
    if !ctx.access.covers(&access) {
        return Err(ApiError::forbidden(
            "a credential cannot make a key that may do more than itself",
        ));
    }
    let now = app.clock.now();
    let days = new.expires_in_days.unwrap_or(Some(Integer(DEFAULT_DAYS)));
    let expires_at = days.map(|days| later(now, days.0 * 86_400));
    let secret = ids::secret(prefix(&ctx, &new.scopes));
    let key = Stored {
        id: TABLE.new_id(),
        name: new.name,
        description: new.description.flatten(),
        prefix: shown(&secret),
        permissions: new.permissions,
        scopes: new.scopes,
        rate_limit: new.rate_limit.map_or(DEFAULT_RATE_LIMIT, |n| n.0),
        usage_count: 0,
        last_used_at: None,
        expires_at,
        revoked_at: None,
        allow_jwt: new.allow_jwt,
        created_at: clock::text(now),
        user_id: ctx.user_id.to_string(),
    };
    let mut tx = app.store.begin().await?;
    // Counted by the one writer: two at once cannot both be the tenth.
    let live: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND doc ->> 'revoked_at' IS NULL
         AND (doc ->> 'expires_at' IS NULL OR doc ->> 'expires_at' > ?2)",
    )
    .bind(&*ctx.user_id)
    .bind(clock::text(now))
    .fetch_one(tx.sql())
    .await?;
    if live >= MOST_LIVE {
        return Err(ApiError::conflict(
            "conflict",
            format!("a user may have {MOST_LIVE} live keys: revoke one first"),
        ));
    }
    sqlx::query(
        "INSERT INTO api_keys (id, organization_id, user_id, hash, sealed, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(&key.id)
    .bind(&*ctx.organization_id)
    .bind(&*ctx.user_id)
    .bind(keys::hash(&secret).as_slice())
    .bind(key.allow_jwt.then(|| app.seal.seal(secret.as_bytes())))
    .bind(text(&key)?)
    .execute(tx.sql())
    .await?;
    tx.touch(&TABLE);
    note(&app, &mut tx, &ctx, "key.created", &key.id).await?;
    let reply = ctx.finish(tx, StatusCode::CREATED, &key.show(now, Some(&secret))?).await?;
    app.keys.reload(&app.store, &app.seal, &key.id).await?;
    Ok(reply)
}

/// What a new key's text begins with: its dialect's mark; Hub Chantier shares StoryCore's path, so that its keys are known by
/// being for `chantiers` alone.
fn prefix(ctx: &Ctx, scopes: &[String]) -> &'static str {
    let chantiers = !scopes.is_empty() && scopes.iter().all(|s| s.starts_with("chantiers:"));
    if chantiers && ctx.dialect.key_prefix.is_empty() {
        HUB_CHANTIER.key_prefix
    } else {
        ctx.dialect.key_prefix
    }
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = ListQuery::parse(&TABLE, query.as_deref())?.only("user_id", &ctx.user_id);
    let mut page = app.store.page(&TABLE, &ctx.organization_id, &query).await?;
    let now = app.clock.now();
    for doc in &mut page.docs {
        let key: Stored = serde_json::from_str(doc).map_err(ApiError::internal)?;
        *doc = key.show(now, None)?.to_string();
    }
    Ok(Reply::page(page))
}

pub(super) async fn retrieve(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let key = own(app.store.read(&TABLE, &ctx.organization_id, &id).await?, &ctx)?;
    Reply::object(StatusCode::OK, &key.show(app.clock.now(), None)?)
}

pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Reply, ApiError> {
    let mut tx = app.store.begin().await?;
    let mut key: Stored = own(tx.read(&TABLE, &ctx.organization_id, &id).await?, &ctx)?;
    if key.revoked_at.is_none() {
        key.revoked_at = Some(app.clock.now());
        put(&mut tx, &ctx, &key).await?;
        sqlx::query("DELETE FROM key_graces WHERE key_id = ?1").bind(&id).execute(tx.sql()).await?;
        note(&app, &mut tx, &ctx, "key.revoked", &id).await?;
        tx.commit().await?;
        app.keys.reload(&app.store, &app.seal, &id).await?;
    }
    Ok(Reply::deleted(&id))
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Rotate {
    #[serde(default, deserialize_with = "present")]
    grace_seconds: Option<Integer>,
}

pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    Json(rotate): Json<Rotate>,
) -> Result<Reply, ApiError> {
    let grace = rotate.grace_seconds.map_or(0, |n| n.0);
    let mut checks = Checks::default();
    checks.that(
        (0..=MOST_GRACE_S).contains(&grace),
        "grace_seconds",
        format!("must be from 0 to {MOST_GRACE_S}"),
    );
    checks.finish()?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut key: Stored = own(tx.read(&TABLE, &ctx.organization_id, &id).await?, &ctx)?;
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now) {
        return Err(ApiError::conflict(
            "conflict",
            "a key that opens nothing cannot be rotated: make a new one",
        ));
    }
    let access = Access::parse(&key.permissions, &key.scopes).map_err(ApiError::internal)?;
    if !ctx.access.covers(&access) {
        return Err(ApiError::forbidden(
            "a credential cannot rotate a key that may do more than itself",
        ));
    }
    let secret = ids::secret(prefix(&ctx, &key.scopes));
    if grace > 0 {
        sqlx::query("INSERT INTO key_graces (hash, key_id, valid_until) SELECT hash, id, ?2 FROM api_keys WHERE id = ?1")
            .bind(&id)
            .bind(clock::text(later(now, grace)))
            .execute(tx.sql())
            .await?;
    }
    sqlx::query("DELETE FROM key_graces WHERE valid_until <= ?1")
        .bind(clock::text(now))
        .execute(tx.sql())
        .await?;
    key.prefix = shown(&secret);
    put(&mut tx, &ctx, &key).await?;
    // A first key is shown again at the next start, and one that signs signs with its new text.
    sqlx::query("UPDATE api_keys SET hash = ?2, sealed = CASE WHEN sealed IS NULL THEN NULL ELSE ?3 END WHERE id = ?1")
        .bind(&id)
        .bind(keys::hash(&secret).as_slice())
        .bind(app.seal.seal(secret.as_bytes()))
        .execute(tx.sql())
        .await?;
    note(&app, &mut tx, &ctx, "key.rotated", &id).await?;
    let reply = ctx.finish(tx, StatusCode::OK, &key.show(now, Some(&secret))?).await?;
    app.keys.reload(&app.store, &app.seal, &id).await?;
    Ok(reply)
}

/// The key, if it is the caller's own; another's is as if it were not there.
fn own(key: Stored, ctx: &Ctx) -> Result<Stored, ApiError> {
    if *key.user_id == *ctx.user_id { Ok(key) } else { Err(TABLE.not_found(&key.id)) }
}

/// Writes the fields that managing a key changes. Its usage is counted beside this, so the rest of the document stays.
async fn put(tx: &mut Tx<'_>, ctx: &Ctx, key: &Stored) -> Result<(), ApiError> {
    sqlx::query(
        "UPDATE api_keys SET doc = json_set(doc, '$.prefix', ?3, '$.revoked_at', ?4) WHERE id = ?1 AND organization_id = ?2",
    )
    .bind(&key.id)
    .bind(&*ctx.organization_id)
    .bind(&key.prefix)
    .bind(key.revoked_at.map(clock::text))
    .execute(tx.sql())
    .await?;
    tx.touch(&TABLE);
    Ok(())
}

async fn note(
    app: &App,
    tx: &mut Tx<'_>,
    ctx: &Ctx,
    action: &str,
    key_id: &str,
) -> Result<(), ApiError> {
    let entry =
        Entry { organization_id: &ctx.organization_id, user_id: &ctx.user_id, action, key_id };
    audit::note(app, tx, entry).await
}

fn text(key: &Stored) -> Result<String, ApiError> {
    let mut doc = serde_json::to_value(key).map_err(ApiError::internal)?;
    // One width, so that text compares as time does.
    doc["expires_at"] = json!(key.expires_at.map(clock::text));
    Ok(doc.to_string())
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

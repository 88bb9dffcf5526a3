//! The first key: the one that a platform shows when it is ready, and the organization and user it belongs to.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{TABLE, shown};
use crate::{
    clock,
    error::ApiError,
    ids, keys,
    seal::Seal,
    store::{Store, Tx},
};

/// The rate limit of a first key, in requests an hour: a machine's own tests must not run into it.
const FIRST_KEY_LIMIT: u32 = 1_000_000_000;
/// A key's text and who it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct FirstKey {
    pub(crate) secret: String,
    pub(crate) organization_id: String,
    pub(crate) user_id: String,
}

/// The key that a platform shows when it is ready: the data directory's own, or `wanted`, or a new one.
pub(crate) async fn first(
    store: &Store,
    seal: &Seal,
    wanted: Option<&str>,
) -> Result<FirstKey, ApiError> {
    let row = sqlx::query(
        "SELECT id, organization_id, user_id, sealed, doc ->> 'revoked_at' FROM api_keys WHERE is_first = 1",
    )
    .fetch_optional(store.reader())
    .await?;
    let mut tx = store.begin().await?;
    let Some(row) = row else {
        let first =
            new_organization(&mut tx, seal, "Local", wanted, true, Timestamp::now()).await?;
        tx.commit().await?;
        return Ok(first);
    };
    let (organization_id, user_id) = (row.try_get(1)?, row.try_get(2)?);
    // A first key that was revoked opens nothing again: the next start has another.
    let revoked = row.try_get::<Option<&str>, _>(4)?.is_some();
    let kept = row.try_get::<Option<Vec<u8>>, _>(3)?.filter(|_| !revoked);
    let kept =
        kept.and_then(|sealed| seal.unseal(&sealed)).and_then(|text| String::from_utf8(text).ok());
    let secret = match (wanted, kept) {
        (None, Some(kept)) => return Ok(FirstKey { secret: kept, organization_id, user_id }),
        (Some(wanted), Some(kept)) if wanted == kept => {
            return Ok(FirstKey { secret: kept, organization_id, user_id });
        }
        (Some(wanted), _) => wanted.to_owned(),
        // It was revoked, or the sealing key was replaced.
        (None, None) => ids::secret(""),
    };
    sqlx::query("UPDATE api_keys SET hash = ?2, sealed = ?3, doc = json_set(doc, '$.prefix', ?4, '$.revoked_at', NULL) WHERE id = ?1")
        .bind(row.try_get::<&str, _>(0)?)
        .bind(keys::hash(&secret).as_slice())
        .bind(seal.seal(secret.as_bytes()))
        .bind(shown(&secret))
        .execute(tx.sql())
        .await?;
    tx.touch(&TABLE);
    tx.commit().await?;
    Ok(FirstKey { secret, organization_id, user_id })
}

/// A new organization with one user, who has one key that may do everything.
pub(crate) async fn new_organization(
    tx: &mut Tx<'_>,
    seal: &Seal,
    name: &str,
    wanted: Option<&str>,
    is_first: bool,
    now: Timestamp,
) -> Result<FirstKey, ApiError> {
    let (organization_id, user_id, id) = (ids::new("org"), ids::new("usr"), TABLE.new_id());
    let now = clock::text(now);
    sqlx::query("INSERT INTO organizations (id, name, created_at) VALUES (?1, ?2, ?3)")
        .bind(&organization_id)
        .bind(name)
        .bind(&now)
        .execute(tx.sql())
        .await?;
    sqlx::query("INSERT INTO users (id, organization_id, created_at) VALUES (?1, ?2, ?3)")
        .bind(&user_id)
        .bind(&organization_id)
        .bind(&now)
        .execute(tx.sql())
        .await?;
    let secret = wanted.map_or_else(|| ids::secret(""), str::to_owned);
    let doc: Value = json!({
        "id": id, "name": "First key", "description": "Made when the platform was", "prefix": shown(&secret),
        "permissions": ["admin"], "scopes": [], "rate_limit": FIRST_KEY_LIMIT, "usage_count": 0,
        "last_used_at": null, "expires_at": null, "revoked_at": null, "allow_jwt": true, "created_at": now,
        "user_id": user_id,
    });
    sqlx::query(
        "INSERT INTO api_keys (id, organization_id, user_id, hash, sealed, is_first, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(&id)
    .bind(&organization_id)
    .bind(&user_id)
    .bind(keys::hash(&secret).as_slice())
    .bind(seal.seal(secret.as_bytes()))
    // 1: the platform's own; 2: another organization's.
    .bind(if is_first { 1_i64 } else { 2 })
    .bind(doc.to_string())
    .execute(tx.sql())
    .await?;
    tx.touch(&TABLE);
    Ok(FirstKey { secret, organization_id, user_id })
}

//! Access tokens in memory, by their hash, so that no request waits for the database to be let in. The database has them too,
//! for the next start.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use super::clients::Client;
use crate::{
    clock,
    error::ApiError,
    ids,
    keys::{self, Access, Hash, Permissions, RateWindow},
    store::{Store, Tx},
};

/// How long an access token holds.
pub(super) const ACCESS_S: i64 = 3_600;
/// How long a refresh token holds when it is not used.
const REFRESH_S: i64 = 30 * 24 * 3_600;
/// Requests an hour of a user's tokens together.
const RATE_LIMIT: u32 = 1_000;

/// What an access token opens.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) organization_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) access: Access,
    pub(crate) rate: Arc<RateWindow>,
    pub(super) scopes: String,
    family: String,
    expires_at: Timestamp,
}

/// Every access token that still holds.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    tokens: RwLock<HashMap<Hash, Arc<Grant>>>,
    rates: RwLock<HashMap<Arc<str>, Arc<RateWindow>>>,
}

/// What a token is made for.
#[derive(Debug, Clone)]
pub(super) struct For {
    pub(super) client_id: String,
    pub(super) organization_id: String,
    pub(super) user_id: String,
    pub(super) scopes: Vec<String>,
    pub(super) family: String,
}

impl For {
    pub(super) fn new(client: &Client, scopes: Vec<String>, family: String) -> Self {
        Self {
            client_id: client.id.clone(),
            organization_id: client.organization_id.clone(),
            user_id: client.user_id.clone(),
            scopes,
            family,
        }
    }
}

impl Grants {
    /// Every access token that the database holds.
    pub(crate) async fn load(store: &Store) -> Result<Self, ApiError> {
        let grants = Self::default();
        let rows = sqlx::query(
            "SELECT t.hash, t.scopes, t.family, t.expires_at, c.organization_id, c.user_id FROM oauth_tokens t
             JOIN oauth_clients c ON c.id = t.client_id WHERE t.is_refresh = 0",
        )
        .fetch_all(store.reader())
        .await?;
        for row in rows {
            let hash: Hash = row
                .try_get::<Vec<u8>, _>(0)?
                .try_into()
                .map_err(|_| ApiError::internal("a token's hash has not 32 bytes"))?;
            let expires_at = row.try_get::<&str, _>(3)?.parse().map_err(ApiError::internal)?;
            let wanted = For {
                client_id: String::new(),
                organization_id: row.try_get(4)?,
                user_id: row.try_get(5)?,
                scopes: row.try_get::<&str, _>(1)?.split(' ').map(str::to_owned).collect(),
                family: row.try_get(2)?,
            };
            grants.add(hash, &wanted, expires_at);
        }
        Ok(grants)
    }

    /// What a token opens at `now`.
    pub(crate) fn find(&self, token: &str, now: Timestamp) -> Option<Arc<Grant>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&keys::hash(token)).filter(|grant| now < grant.expires_at).map(Arc::clone)
    }

    pub(super) fn add(&self, hash: Hash, wanted: &For, expires_at: Timestamp) {
        let user: Arc<str> = Arc::from(wanted.user_id.as_str());
        let rate = {
            let mut rates = self.rates.write().unwrap_or_else(PoisonError::into_inner);
            let rate = rates.entry(Arc::clone(&user)).or_default();
            rate.set_limit(RATE_LIMIT);
            Arc::clone(rate)
        };
        let permission = wanted.scopes.iter().filter_map(|s| Permissions::parse(s)).max();
        let grant = Grant {
            organization_id: Arc::from(wanted.organization_id.as_str()),
            user_id: user,
            access: Access { permission, scopes: Vec::new() },
            rate,
            scopes: wanted.scopes.join(" "),
            family: wanted.family.clone(),
            expires_at,
        };
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(hash, Arc::new(grant));
    }

    /// Ends every access token of a family.
    pub(super) fn end_family(&self, family: &str) {
        self.tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, grant| grant.family != family);
    }

    /// Forgets what has ended by `now`, and for every user how much of the limit was used.
    pub(crate) fn reset(&self, now: Timestamp) {
        self.tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, grant| now < grant.expires_at);
        for rate in self.rates.read().unwrap_or_else(PoisonError::into_inner).values() {
            rate.reset();
        }
    }
}

/// A new pair of tokens, or an access token alone.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) access_hash: Hash,
    pub(super) expires_at: Timestamp,
}

/// Writes new tokens down; they open nothing before the transaction is committed and [`Grants::add`] told.
pub(super) async fn issue(
    tx: &mut Tx<'_>,
    wanted: &For,
    with_refresh: bool,
    now: Timestamp,
) -> Result<Issued, ApiError> {
    let access = ids::secret("at_");
    let refresh = with_refresh.then(|| ids::secret("rt_"));
    let at =
        |seconds| now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let expires_at = at(ACCESS_S);
    let access_hash = keys::hash(&access);
    sqlx::query("DELETE FROM oauth_tokens WHERE expires_at <= ?1")
        .bind(clock::text(now))
        .execute(tx.sql())
        .await?;
    let refresh_row = refresh.as_deref().map(|t| (keys::hash(t), true, at(REFRESH_S)));
    for (hash, is_refresh, until) in
        [Some((access_hash, false, expires_at)), refresh_row].into_iter().flatten()
    {
        sqlx::query(
            "INSERT INTO oauth_tokens (hash, is_refresh, family, client_id, scopes, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(hash.to_vec())
        .bind(is_refresh)
        .bind(&wanted.family)
        .bind(&wanted.client_id)
        .bind(wanted.scopes.join(" "))
        .bind(clock::text(until))
        .execute(tx.sql())
        .await?;
    }
    Ok(Issued { access, refresh, access_hash, expires_at })
}

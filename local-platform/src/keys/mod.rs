//! The keys that open the platform, held in memory so that no request waits for the database to be let in:
//! looking one up, what it may do, its rate limit and its usage. Making and revoking them over HTTP is in `resources`.

pub(crate) mod permissions;
mod rate_limit;
mod usage;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use subtle::ConstantTimeEq as _;

pub(crate) use permissions::{Access, Permissions};
pub(crate) use rate_limit::{RateState, RateWindow};
pub(crate) use usage::Usage;

use crate::{error::ApiError, store::Store};

/// SHA-256 of a key's text: all that is kept of it.
pub(crate) type Hash = [u8; 32];

pub(crate) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// A key as requests see it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: Arc<str>,
    pub(crate) organization_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) access: Access,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) allow_jwt: bool,
    /// Shared by every version of this key, so that an update loses no count.
    pub(crate) rate: Arc<RateWindow>,
    pub(crate) usage: Arc<Usage>,
}

/// The fields of a key's document that decide about requests.
#[derive(Debug, Deserialize)]
struct KeyDocument {
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    rate_limit: u32,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    revoked_at: Option<Timestamp>,
    #[serde(default)]
    allow_jwt: bool,
}

impl Key {
    /// Why the key does not open anything at `now`, if it does not.
    pub(crate) fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked_at.is_some_and(|at| at <= now) {
            Some("this API key was revoked")
        } else if self.expires_at.is_some_and(|at| at <= now) {
            Some("this API key has expired")
        } else {
            None
        }
    }
}

/// Every key of the platform.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    by_hash: HashMap<Hash, Arc<Key>>,
    by_id: HashMap<Arc<str>, Hash>,
}

impl KeyRing {
    /// Every key that the database holds.
    pub(crate) async fn load(store: &Store) -> Result<Self, ApiError> {
        let ring = Self::default();
        let rows = sqlx::query("SELECT id FROM api_keys").fetch_all(store.reader()).await?;
        for row in rows {
            ring.reload(store, row.try_get(0)?).await?;
        }
        Ok(ring)
    }

    /// Takes over what the database now says of a key: after it was made, changed, revoked or rotated.
    pub(crate) async fn reload(&self, store: &Store, id: &str) -> Result<(), ApiError> {
        let row =
            sqlx::query("SELECT organization_id, user_id, hash, doc FROM api_keys WHERE id = ?1")
                .bind(id)
                .fetch_optional(store.reader())
                .await?;
        let read = match row {
            None => None,
            Some(row) => {
                let hash: Hash = row
                    .try_get::<Vec<u8>, _>(2)?
                    .try_into()
                    .map_err(|_| ApiError::internal("a key's hash has not 32 bytes"))?;
                let doc: KeyDocument =
                    serde_json::from_str(row.try_get(3)?).map_err(ApiError::internal)?;
                Some((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?, hash, doc))
            }
        };
        let mut keys = self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = keys.by_id.remove(id).and_then(|hash| keys.by_hash.remove(&hash));
        let Some((organization, user, hash, doc)) = read else { return Ok(()) };
        let rate = old.as_ref().map_or_else(Default::default, |old| Arc::clone(&old.rate));
        rate.set_limit(doc.rate_limit);
        let key = Key {
            id: Arc::from(id),
            organization_id: Arc::from(organization),
            user_id: Arc::from(user),
            access: Access::parse(&doc.permissions, &doc.scopes).map_err(ApiError::internal)?,
            expires_at: doc.expires_at,
            revoked_at: doc.revoked_at,
            allow_jwt: doc.allow_jwt,
            rate,
            usage: old.map_or_else(Default::default, |old| Arc::clone(&old.usage)),
        };
        keys.by_id.insert(Arc::clone(&key.id), hash);
        keys.by_hash.insert(hash, Arc::new(key));
        Ok(())
    }

    /// The key with this text, live or not.
    pub(crate) fn by_secret(&self, secret: &str) -> Option<Arc<Key>> {
        let hash = hash(secret);
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The map is asked for a hash, so its timing tells nothing of the text; the comparison that decides is
        // constant in time all the same.
        let (stored, key) = keys.by_hash.get_key_value(&hash)?;
        bool::from(stored.ct_eq(&hash)).then(|| Arc::clone(key))
    }

    /// The key with this id, live or not.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.by_hash.get(keys.by_id.get(id)?).map(Arc::clone)
    }

    /// Every key, for the usage that is to be written down.
    pub(crate) fn all(&self) -> Vec<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        keys.by_hash.values().map(Arc::clone).collect()
    }
}

//! Every key in memory, by its text's hash: looking one up waits for no database.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;
use sqlx::Row as _;
use subtle::ConstantTimeEq as _;

use super::{Access, Hash, Key, KeyDocument, hash, key::SigningText};
use crate::{error::ApiError, seal::Seal, store::Store};

/// Every key of the platform.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    by_hash: HashMap<Hash, Entry>,
    /// Each key with the hashes of its texts.
    by_id: HashMap<Arc<str>, (Arc<Key>, Vec<Hash>)>,
}

#[derive(Debug)]
struct Entry {
    key: Arc<Key>,
    /// Of a rotated key's old text.
    valid_until: Option<Timestamp>,
}

/// A key's row.
struct Row {
    organization: String,
    user: String,
    hash: Hash,
    sealed: Option<Vec<u8>>,
    doc: KeyDocument,
}

impl KeyRing {
    /// Every key that the database holds.
    pub(crate) async fn load(store: &Store, seal: &Seal) -> Result<Self, ApiError> {
        let ring = Self::default();
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM api_keys").fetch_all(store.reader()).await?;
        for id in ids {
            ring.reload(store, seal, &id).await?;
        }
        Ok(ring)
    }

    /// Takes over what the database now says of a key: after it was made, changed, revoked or rotated.
    pub(crate) async fn reload(
        &self,
        store: &Store,
        seal: &Seal,
        id: &str,
    ) -> Result<(), ApiError> {
        let row = read(store, id).await?;
        let graces = graces(store, id).await?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = keys.by_id.remove(id);
        for hash in old.iter().flat_map(|(_, hashes)| hashes) {
            keys.by_hash.remove(hash);
        }
        let Some(row) = row else { return Ok(()) };
        let old = old.map(|(key, _)| key);
        let rate = old.as_ref().map_or_else(Default::default, |old| Arc::clone(&old.rate));
        rate.set_limit(row.doc.rate_limit);
        let signing = row
            .sealed
            .filter(|_| row.doc.allow_jwt)
            .and_then(|sealed| seal.unseal(&sealed))
            .map(SigningText::new);
        let key = Arc::new(Key {
            id: Arc::from(id),
            organization_id: Arc::from(row.organization),
            user_id: Arc::from(row.user),
            access: Access::parse(&row.doc.permissions, &row.doc.scopes)
                .map_err(ApiError::internal)?,
            expires_at: row.doc.expires_at,
            revoked_at: row.doc.revoked_at,
            signing,
            rate,
            usage: old.map_or_else(Default::default, |old| Arc::clone(&old.usage)),
        });
        let mut hashes = vec![row.hash];
        keys.by_hash.insert(row.hash, Entry { key: Arc::clone(&key), valid_until: None });
        for (hash, until) in graces {
            keys.by_hash.insert(hash, Entry { key: Arc::clone(&key), valid_until: Some(until) });
            hashes.push(hash);
        }
        keys.by_id.insert(Arc::clone(&key.id), (key, hashes));
        Ok(())
    }

    /// The key with this text, live or not; an old text only as long as it is valid.
    pub(crate) fn by_secret(&self, secret: &str, now: Timestamp) -> Option<Arc<Key>> {
        let hash = hash(secret);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        // The map is asked for a hash, so its timing tells nothing of the text; the comparison that decides is
        // constant in time all the same.
        let (stored, entry) = keys.by_hash.get_key_value(&hash)?;
        let valid = entry.valid_until.is_none_or(|until| now < until);
        (bool::from(stored.ct_eq(&hash)) && valid).then(|| Arc::clone(&entry.key))
    }

    /// The key with this id, live or not.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.by_id.get(id).map(|(key, _)| Arc::clone(key))
    }

    /// Every key.
    pub(crate) fn all(&self) -> Vec<Arc<Key>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.by_id.values().map(|(key, _)| Arc::clone(key)).collect()
    }
}

async fn read(store: &Store, id: &str) -> Result<Option<Row>, ApiError> {
    let row = sqlx::query(
        "SELECT organization_id, user_id, hash, sealed, doc FROM api_keys WHERE id = ?1",
    )
    .bind(id)
    .fetch_optional(store.reader())
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Row {
        organization: row.try_get(0)?,
        user: row.try_get(1)?,
        hash: of_row(row.try_get(2)?)?,
        sealed: row.try_get(3)?,
        doc: serde_json::from_str(row.try_get(4)?).map_err(ApiError::internal)?,
    }))
}

async fn graces(store: &Store, id: &str) -> Result<Vec<(Hash, Timestamp)>, ApiError> {
    let rows = sqlx::query("SELECT hash, valid_until FROM key_graces WHERE key_id = ?1")
        .bind(id)
        .fetch_all(store.reader())
        .await?;
    rows.iter()
        .map(|row| {
            let until = row.try_get::<&str, _>(1)?.parse().map_err(ApiError::internal)?;
            Ok((of_row(row.try_get(0)?)?, until))
        })
        .collect()
}

fn of_row(bytes: Vec<u8>) -> Result<Hash, ApiError> {
    bytes.try_into().map_err(|_| ApiError::internal("a key's hash has not 32 bytes"))
}

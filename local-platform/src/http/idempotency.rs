//! `Idempotency-Key`: the first answer is kept for 24 hours, written in the very transaction whose effect it tells of,
//! so that a crash leaves both or neither. Answers that had no effect (4xx, 5xx) are not kept: the call may be tried again.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::Reply;
use crate::{
    app::App,
    clock,
    error::ApiError,
    store::{Changes, Value},
};

/// How long the first answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const MAX_KEY: usize = 255;

/// How many keys are known without asking the database, in 5 MB of memory, and 7 for the moment in which the table grows to that.
const MOST_KNOWN: usize = 256 * 1024;

/// Keys whose first request is still running.
#[derive(Debug, Default)]
pub(crate) struct InProgress {
    keys: Mutex<HashSet<String>>,
    kept: Kept,
}

/// Which keys may have an answer, as hashes: those that the database has and had since the start. So a key that is new, as nearly
/// every one is, costs no way to SQLite's thread and back.
#[derive(Debug, Default)]
struct Kept {
    hasher: RandomState,
    /// Nothing when they are not known: there were too many, or they were not read yet.
    hashes: Mutex<Option<HashSet<u64>>>,
}

impl Kept {
    fn hash(&self, owner: &str, key: &str) -> u64 {
        self.hasher.hash_one((owner, key))
    }

    fn add(&self, owner: &str, key: &str) {
        let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &mut *hashes {
            known.insert(self.hash(owner, key));
            if known.len() > MOST_KNOWN {
                *hashes = None;
            }
        }
    }

    fn may_have(&self, owner: &str, key: &str) -> bool {
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.as_ref().is_none_or(|known| known.contains(&self.hash(owner, key)))
    }
}

/// Learns which keys have an answer, before the first request.
pub(crate) async fn load(app: &App) -> Result<(), ApiError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT owner, key FROM idempotency LIMIT ?1")
        .bind(MOST_KNOWN as i64 + 1)
        .fetch_all(app.store.reader())
        .await?;
    let kept = &app.in_progress.kept;
    if rows.len() <= MOST_KNOWN {
        let hashes = rows.iter().map(|(owner, key)| kept.hash(owner, key)).collect();
        *kept.hashes.lock().unwrap_or_else(PoisonError::into_inner) = Some(hashes);
    }
    Ok(())
}

/// One call's key, held while the call runs.
pub(crate) struct Idempotency {
    owner: String,
    key: String,
    /// What the request was about; set late where the body is a stream.
    fingerprint: Mutex<Option<[u8; 32]>>,
    app: Arc<App>,
}

impl std::fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idempotency").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Drop for Idempotency {
    fn drop(&mut self) {
        self.app
            .in_progress
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&in_progress_key(&self.owner, &self.key));
    }
}

fn in_progress_key(owner: &str, key: &str) -> String {
    format!("{owner}\0{key}")
}

/// The fingerprint of a request with a whole body.
pub(crate) fn fingerprint(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(body);
    hash.finalize().into()
}

impl Idempotency {
    /// Holds the request's key, if it has one; refuses while another request with it is running.
    pub(crate) fn enter(
        app: &Arc<App>,
        owner: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<Self>>, ApiError> {
        let mut values = headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(None) };
        let wrong = || {
            ApiError::parameter(
                "Idempotency-Key",
                "must be 1 to 255 visible ASCII characters, once",
            )
        };
        let key = value.to_str().map_err(|_| wrong())?;
        if key.is_empty()
            || key.len() > MAX_KEY
            || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            || values.next().is_some()
        {
            return Err(wrong());
        }
        let entered = app
            .in_progress
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(in_progress_key(owner, key));
        if !entered {
            return Err(ApiError::conflict(
                "idempotency_in_progress",
                "the first request with this Idempotency-Key is still running",
            )
            .with(axum::http::header::RETRY_AFTER, "1"));
        }
        Ok(Some(Arc::new(Self {
            owner: owner.to_owned(),
            key: key.to_owned(),
            fingerprint: Mutex::new(None),
            app: Arc::clone(app),
        })))
    }

    /// The first answer, if there was one; an error when it was to another request.
    pub(crate) async fn replay(&self, fingerprint: [u8; 32]) -> Result<Option<Reply>, ApiError> {
        *self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint);
        if !self.app.in_progress.kept.may_have(&self.owner, &self.key) {
            return Ok(None);
        }
        let row = sqlx::query(
            "SELECT fingerprint, status, sealed_body FROM idempotency WHERE owner = ?1 AND key = ?2 AND created_at > ?3",
        )
        .bind(&self.owner)
        .bind(&self.key)
        .bind(oldest(self.app.clock.now()))
        .fetch_optional(self.app.store.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        if row.try_get::<&[u8], _>(0)? != fingerprint {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "this Idempotency-Key was used with another request",
            ));
        }
        let status = u16::try_from(row.try_get::<i64, _>(1)?)
            .ok()
            .and_then(|s| StatusCode::from_u16(s).ok())
            .ok_or_else(|| ApiError::internal("a kept answer has no status"))?;
        let body = self
            .app
            .seal
            .unseal(row.try_get(2)?)
            .ok_or_else(|| ApiError::internal("a kept answer was sealed with another key"))?;
        Ok(Some(Reply::replayed(status, body.into())))
    }

    /// Keeps `reply` as the first answer, among the changes that it tells of.
    pub(crate) fn keep(&self, changes: &mut Changes, reply: &Reply) -> Result<(), ApiError> {
        let fingerprint = *self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fingerprint) = fingerprint else {
            return Err(ApiError::internal(
                "an answer was to be kept before its request was known",
            ));
        };
        self.app.in_progress.kept.add(&self.owner, &self.key);
        let now = self.app.clock.now();
        changes.add("DELETE FROM idempotency WHERE created_at <= ?", [Value::Text(&oldest(now))]);
        changes.add(
            "INSERT INTO idempotency (owner, key, fingerprint, status, sealed_body, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                Value::Text(&self.owner),
                Value::Text(&self.key),
                Value::Blob(&fingerprint),
                Value::Number(i64::from(reply.status.as_u16())),
                Value::Blob(&self.app.seal.seal(&reply.body)),
                Value::Text(&clock::text(now)),
            ],
        );
        Ok(())
    }
}

fn oldest(now: Timestamp) -> String {
    clock::text(now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_an_answer_is_never_taken_for_a_new_one() {
        let kept = Kept::default();
        // They were not read yet.
        assert!(kept.may_have("org/usr", "key"));
        *kept.hashes.lock().expect("nobody broke") = Some(HashSet::new());
        assert!(!kept.may_have("org/usr", "key"));
        kept.add("org/usr", "key");
        assert!(kept.may_have("org/usr", "key") && !kept.may_have("org/other", "key"));
        for n in 0..MOST_KNOWN {
            kept.add("org/usr", &n.to_string());
        }
        // Too many to be known.
        assert!(kept.may_have("org/usr", "key") && kept.may_have("org/other", "new"));
        assert!(kept.hashes.lock().expect("nobody broke").is_none());
    }
}

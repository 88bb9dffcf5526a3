//! What a key was used for, counted in memory and written down once a second and at shutdown: a crash loses at most the
//! last second's counts, and no request waits for a write.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use super::KeyRing;
use crate::{clock, error::ApiError, store::Store};

/// Counts not yet written, by day and endpoint.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pending: Mutex<Pending>,
    /// Unix seconds of the last use that the audit log tells of; 0: none.
    audited: AtomicI64,
}

#[derive(Debug, Default)]
struct Pending {
    /// The Unix day that the counts belong to.
    day: i64,
    last_used: Option<Timestamp>,
    counts: HashMap<Arc<str>, Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    requests: i64,
    failed: i64,
    duration_us: i64,
}

const DAY_S: i64 = 86_400;

/// How often the use of a key is told in the audit log.
const AUDIT_EVERY_S: i64 = 3_600;

impl Usage {
    /// Whether a use at `now` is to be told in the audit log: the first since the start, then one an hour.
    pub(crate) fn is_to_be_audited(&self, now: Timestamp) -> bool {
        let now = now.as_second();
        let last = self.audited.load(Ordering::Relaxed);
        (last == 0 || (now - last).abs() >= AUDIT_EVERY_S)
            && self
                .audited
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Forgets what the audit log was told, because it was emptied.
    pub(crate) fn reset(&self) {
        self.audited.store(0, Ordering::Relaxed);
        self.take();
    }

    /// Counts one answered request.
    pub(crate) fn count(&self, endpoint: &Arc<str>, failed: bool, took: Duration, now: Timestamp) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // Counts of a day that ended within the last second go to the new one: a day is precise enough.
        pending.day = now.as_second().div_euclid(DAY_S);
        pending.last_used = Some(now);
        let add = |counts: &mut Counts| {
            counts.requests += 1;
            counts.failed += i64::from(failed);
            counts.duration_us += i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        };
        match pending.counts.get_mut(&**endpoint) {
            Some(counts) => add(counts),
            None => add(pending.counts.entry(Arc::clone(endpoint)).or_default()),
        }
    }

    fn take(&self) -> Pending {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyRing {
    /// Writes every pending count down.
    pub(crate) async fn flush_usage(&self, store: &Store) -> Result<(), ApiError> {
        let pending: Vec<_> = self
            .all()
            .into_iter()
            .map(|key| (Arc::clone(&key.id), key.usage.take()))
            .filter(|(_, pending)| !pending.counts.is_empty())
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        for (key, pending) in pending {
            let day = Timestamp::from_second(pending.day * DAY_S)
                .map_or_else(|_| String::new(), |t| t.strftime("%F").to_string());
            let mut requests = 0;
            for (endpoint, counts) in pending.counts {
                requests += counts.requests;
                sqlx::query(
                    "INSERT INTO key_usage (key_id, day, endpoint, requests, failed, duration_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET requests = requests + ?4, failed = failed + ?5, duration_us = duration_us + ?6",
                )
                .bind(&*key)
                .bind(&day)
                .bind(&*endpoint)
                .bind(counts.requests)
                .bind(counts.failed)
                .bind(counts.duration_us)
                .execute(tx.sql())
                .await?;
            }
            sqlx::query(
                "UPDATE api_keys SET doc = json_set(doc, '$.usage_count', (doc ->> 'usage_count') + ?2, '$.last_used_at', ?3) WHERE id = ?1",
            )
            .bind(&*key)
            .bind(requests)
            .bind(pending.last_used.map(clock::text))
            .execute(tx.sql())
            .await?;
        }
        tx.touch(&crate::resources::api_keys::TABLE);
        tx.commit().await?;
        Ok(())
    }
}

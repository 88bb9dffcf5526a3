//! Who works on which upload in this process. One at a time; the next one ends the one before, whose connection may be
//! dead, and waits for it to put down what it has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::{StatusCode, header};
use storycore_sha256_pair::Sha256;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

/// How often, and how many times, the one who works is asked to end: 0.9 s in all.
const ASK: Duration = Duration::from_millis(100);
const TIMES: u32 = 9;

/// Every upload that someone worked on since the start.
#[derive(Debug, Default)]
pub(crate) struct Active(Mutex<HashMap<String, Arc<Slot>>>);

#[derive(Debug, Default)]
struct Slot {
    work: Arc<tokio::sync::Mutex<Work>>,
    end: Mutex<CancellationToken>,
}

/// What is kept from one chunk to the next.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The hash of the upload's bytes so far. Absent after a restart: then the whole file is hashed at the end.
    pub(super) hash: Option<Sha256>,
}

/// An upload that nobody else works on.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) work: OwnedMutexGuard<Work>,
    /// Set when another wants it.
    pub(super) end: CancellationToken,
}

impl Active {
    /// Takes an upload over within a second, or says that it is busy.
    pub(super) async fn hold(&self, id: &str) -> Result<Held, ApiError> {
        let slot = Arc::clone(self.lock().entry(id.to_owned()).or_default());
        for _ in 0..TIMES {
            slot.end.lock().unwrap_or_else(PoisonError::into_inner).cancel();
            let work = Arc::clone(&slot.work).lock_owned();
            if let Ok(work) = tokio::time::timeout(ASK, work).await {
                let end = CancellationToken::new();
                *slot.end.lock().unwrap_or_else(PoisonError::into_inner) = end.clone();
                return Ok(Held { work, end });
            }
        }
        Err(busy("the upload is being finished"))
    }

    /// Ends who works on an upload that is no more.
    pub(crate) fn end(&self, id: &str) {
        if let Some(slot) = self.lock().remove(id) {
            slot.end.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        }
    }

    /// Whether someone works on it right now.
    pub(super) fn is_held(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|slot| slot.work.try_lock().is_err())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to try again.
pub(super) fn busy(message: &str) -> ApiError {
    ApiError::new(StatusCode::LOCKED, "upload_locked", message).with(header::RETRY_AFTER, "1")
}

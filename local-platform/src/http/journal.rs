//! The journal of what arrived, for `GET /_local/requests`: the last requests as they came, credentials replaced by a
//! fingerprint that tells two of them apart.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock;

/// Requests kept; older ones are forgotten.
const KEPT: usize = 2_000;
/// Bytes of a body kept.
const BODY_KEPT: usize = 16 * 1024;

/// One request that arrived.
#[derive(Debug)]
pub(crate) struct Entry {
    at: Timestamp,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: OnceLock<Bytes>,
    status: OnceLock<StatusCode>,
}

impl Entry {
    /// Keeps the body, where it was read as a whole.
    pub(crate) fn body(&self, body: &Bytes) {
        let _ = self.body.set(body.slice(..body.len().min(BODY_KEPT)));
    }

    /// Keeps the status it was answered with.
    pub(crate) fn status(&self, status: StatusCode) {
        let _ = self.status.set(status);
    }

    fn json(&self) -> Value {
        let headers: serde_json::Map<_, _> = self
            .headers
            .keys()
            .map(|name| {
                let values: Vec<_> = self
                    .headers
                    .get_all(name)
                    .iter()
                    .map(|value| {
                        if *name == header::AUTHORIZATION || *name == header::COOKIE {
                            let hash =
                                crate::keys::hash(&String::from_utf8_lossy(value.as_bytes()));
                            format!("[credential {}]", hex::encode(&hash[..4]))
                        } else {
                            String::from_utf8_lossy(value.as_bytes()).into_owned()
                        }
                    })
                    .collect();
                (name.as_str().to_owned(), Value::from(values.join(", ")))
            })
            .collect();
        json!({
            "at": clock::text(self.at),
            "at_ms": self.at.as_millisecond(),
            "method": self.method.as_str(),
            "path": self.uri.path(),
            "query": self.uri.query(),
            "headers": headers,
            "body": self.body.get().map(|b| String::from_utf8_lossy(b)),
            "status": self.status.get().map(StatusCode::as_u16),
        })
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<VecDeque<Arc<Entry>>>,
}

impl Journal {
    /// Notes a request at the machine's own time, which a moved clock does not bend.
    pub(crate) fn note(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            at: Timestamp::now(),
            method: method.clone(),
            uri: uri.clone(),
            headers: headers.clone(),
            body: OnceLock::new(),
            status: OnceLock::new(),
        });
        let mut entries = self.lock();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(Arc::clone(&entry));
        entry
    }

    pub(crate) fn list(&self) -> Vec<Value> {
        let entries: Vec<_> = self.lock().iter().map(Arc::clone).collect();
        entries.iter().map(|e| e.json()).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

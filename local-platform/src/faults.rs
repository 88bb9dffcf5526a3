//! Faults on demand: which requests are to go wrong, and how. Planted through `POST /_local/faults`, applied in
//! `http::edge`.

use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// A fault as it is planted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The method it waits for; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// The path as sent, `*` standing for any text.
    pub(crate) path: String,
    /// The first matching request that it hits, counted from 1.
    #[serde(default = "one")]
    pub(crate) nth: u64,
    /// How many requests it hits in a row; 0: every one from then on.
    #[serde(default = "one")]
    pub(crate) times: u64,
    /// What happens to them.
    pub(crate) action: Action,
    /// Headers that the answer carries, beside or in place of its own.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub(crate) headers: std::collections::BTreeMap<String, String>,
}

fn one() -> u64 {
    1
}

/// What happens to a request; several may be given, and `delay_ms` comes first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Action {
    /// Answer with this status in place of handling it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The body of that answer; absent: the error that the contract gives the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Wait so many milliseconds first, or until the faults are cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay_ms: Option<u64>,
    /// Close the connection without handling the request.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) drop_before: bool,
    /// With `drop_before`, `stall` or `reset`: only after so many bytes of the request's body, which is handled up to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after_bytes: Option<u64>,
    /// Handle it, then close the connection without an answer.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) drop_after: bool,
    /// Handle it, then close the connection in the middle of the answer's body.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) truncate: bool,
    /// Handle it, then fall silent in the middle of the answer's body.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) stall: bool,
    /// Handle it, then answer with half of its JSON as if it were whole.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) bad_json: bool,
    /// Reset the connection (TCP RST) without handling the request.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) reset: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Fault {
    /// What is wrong with it, by field, if anything is.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let a = &self.action;
        if !self.path.starts_with('/') && !self.path.starts_with('*') {
            return Some(("path", "must begin with / or *"));
        }
        if self.method.as_ref().is_some_and(|m| Method::from_bytes(m.as_bytes()).is_err()) {
            return Some(("method", "is no HTTP method"));
        }
        if self.nth == 0 {
            return Some(("nth", "counts from 1"));
        }
        if a.status.is_some_and(|s| !(200..=599).contains(&s)) {
            return Some(("action.status", "must be from 200 to 599"));
        }
        if a.body.is_some() && a.status.is_none() {
            return Some(("action.body", "needs action.status"));
        }
        let flags = [a.drop_before, a.drop_after, a.truncate, a.stall, a.bad_json, a.reset];
        if a.status.is_none()
            && a.delay_ms.is_none()
            && self.headers.is_empty()
            && !flags.contains(&true)
        {
            return Some(("action", "says nothing to do"));
        }
        if a.after_bytes.is_some() && !(a.drop_before || a.stall || a.reset) {
            return Some(("action.after_bytes", "needs drop_before, stall or reset"));
        }
        for (name, value) in &self.headers {
            if axum::http::HeaderName::try_from(name).is_err()
                || axum::http::HeaderValue::try_from(value).is_err()
            {
                return Some(("headers", "holds something that is no header"));
            }
        }
        None
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(method.as_str()))
            && glob(&self.path, path)
    }
}

/// Whether `text` is what `pattern` describes, `*` standing for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The planted faults and how often each was met.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planted: Mutex<Vec<Planted>>,
}

#[derive(Debug)]
struct Planted {
    fault: Fault,
    met: u64,
    /// Told to the requests that it holds.
    cleared: CancellationToken,
}

impl Faults {
    pub(crate) fn plant(&self, fault: Fault) {
        self.lock().push(Planted { fault, met: 0, cleared: CancellationToken::new() });
    }

    /// Takes all of them away, and lets go of the requests that they hold.
    pub(crate) fn clear(&self) {
        self.lock().drain(..).for_each(|planted| planted.cleared.cancel());
    }

    /// Takes all of them away. What they hold stays held: nothing of what went before is to be handled in what begins anew.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().iter().map(|p| p.fault.clone()).collect()
    }

    /// Counts a request against every fault and gives the first that hits it, with what tells that it was cleared.
    pub(crate) fn hit(&self, method: &Method, path: &str) -> Option<(Fault, CancellationToken)> {
        let mut planted = self.lock();
        let mut hit = None;
        for planted in planted.iter_mut().filter(|p| p.fault.matches(method, path)) {
            planted.met += 1;
            let Fault { nth, times, .. } = planted.fault;
            let due = planted.met >= nth && (times == 0 || planted.met < nth.saturating_add(times));
            if due && hit.is_none() {
                hit = Some((planted.fault.clone(), planted.cleared.clone()));
            }
        }
        hit
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Planted>> {
        self.planted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("/api/projects/*", "/api/projects/prj_1"));
        assert!(glob("*", "/anything"));
        assert!(glob("/api/*/events", "/api/jobs/job_1/events"));
        assert!(!glob("/api/projects", "/api/projects/prj_1"));
        assert!(!glob("/api/*/events", "/api/jobs/job_1"));
    }

    #[test]
    fn a_fault_hits_from_the_nth_request_so_many_times() {
        let faults = Faults::default();
        let fault: Fault = serde_json::from_value(serde_json::json!(
            {"method": "get", "path": "/a", "nth": 2, "times": 2, "action": {"status": 503}}
        ))
        .unwrap();
        faults.plant(fault);
        let hits: Vec<_> = (0..5).map(|_| faults.hit(&Method::GET, "/a").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.hit(&Method::POST, "/a").is_none());
    }
}

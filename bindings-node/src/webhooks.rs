//! Webhooks as they arrive: verified and signed at once, on JavaScript's own thread, since that takes microseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use napi_derive::napi;
use storycore::{
    Error, Platform,
    webhooks::{MemoryStore, ReplayGuard, Taken, Webhook, sign},
};

use crate::{failure::Failure, fields::Fields};

fn thrown(error: Error) -> napi::Error {
    Failure::from(error).thrown()
}

/// A moment that JavaScript gives in milliseconds.
fn moment(ms: f64) -> napi::Result<SystemTime> {
    let since = Duration::try_from_secs_f64(ms / 1000.0).ok();
    let moment = since.and_then(|since| UNIX_EPOCH.checked_add(since));
    moment.ok_or_else(|| Failure::config("the time is no time that can be").thrown())
}

/// A verifier.
#[napi]
pub struct NativeWebhook(Webhook);

#[napi]
impl NativeWebhook {
    /// With `{secrets, platform?, tolerance?, requireStandard?}`.
    #[napi(constructor)]
    pub fn new(settings: String) -> napi::Result<Self> {
        let read = || -> Result<Webhook, Failure> {
            let mut given = Fields::parse("the webhook's options", &settings)?;
            let secrets: Vec<String> = given.need("secrets")?;
            let mut webhook = Webhook::with_secrets(secrets.iter().map(String::as_str))?;
            if let Some(name) = given.take::<String>("platform")? {
                webhook = webhook.platform(&Platform::by_name(&name)?);
            }
            if let Some(time) = given.time("tolerance")? {
                webhook = webhook.tolerance(time);
            }
            if given.take("requireStandard")?.unwrap_or(false) {
                webhook = webhook.require_standard();
            }
            given.end()?;
            Ok(webhook)
        };
        Ok(Self(read().map_err(|failure| failure.thrown())?))
    }

    /// Verifies a delivery, and that it is an event. `headers` are names and values in turn; `now` is in milliseconds, the
    /// system's time without it.
    #[napi]
    pub fn verify(&self, body: &[u8], headers: Vec<String>, now: Option<f64>) -> napi::Result<()> {
        let headers: Vec<(&str, &str)> =
            headers.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        let event = match now {
            None => self.0.verify(body, &headers),
            Some(now) => {
                let now = moment(now)?;
                self.0.clone().clock(move || now).verify(body, &headers)
            }
        };
        event.map_err(thrown)?.payload().map(drop).map_err(thrown)
    }
}

/// Names and values in turn.
fn pairs(headers: &http::HeaderMap) -> Vec<String> {
    let texts = headers.iter().map(|(name, value)| {
        [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()]
    });
    texts.flatten().collect()
}

/// The headers of a Standard Webhooks delivery, for tests.
#[napi]
pub fn sign_standard(
    secret: String,
    id: String,
    at: f64,
    body: &[u8],
) -> napi::Result<Vec<String>> {
    let signed = sign::standard(&secret, &id, moment(at)?, body).map_err(thrown)?;
    Ok(pairs(&signed))
}

/// The headers of a Standard Webhooks delivery signed with an ed25519 key of 32 bytes (`v1a`), for tests.
#[napi]
pub fn sign_public(key: &[u8], id: String, at: f64, body: &[u8]) -> napi::Result<Vec<String>> {
    let key = <&[u8; 32]>::try_from(key)
        .map_err(|_| Failure::config("an ed25519 key has 32 bytes").thrown())?;
    Ok(pairs(&sign::standard_public(key, &id, moment(at)?, body).map_err(thrown)?))
}

/// The header of a platform's own signature, for tests.
#[napi]
pub fn sign_own(platform: String, secret: String, body: &[u8]) -> napi::Result<Vec<String>> {
    let platform = Platform::by_name(&platform).map_err(thrown)?;
    Ok(pairs(&sign::own(&platform, &secret, body).map_err(thrown)?))
}

/// Takes each id once, in this process's memory.
#[napi]
pub struct NativeReplayStore(ReplayGuard<MemoryStore>);

#[napi]
impl NativeReplayStore {
    /// Times are in milliseconds.
    #[napi(constructor)]
    pub fn new(
        most: Option<u32>,
        processing: Option<f64>,
        keep: Option<f64>,
    ) -> napi::Result<Self> {
        let store = most.map_or_else(MemoryStore::default, |most| MemoryStore::new(most as usize));
        let mut guard = ReplayGuard::new(store);
        let time = |ms: f64| {
            let time = Duration::try_from_secs_f64(ms / 1000.0);
            time.map_err(|_| Failure::config("a time must be a number of milliseconds").thrown())
        };
        if let Some(ms) = processing {
            guard = guard.processing(time(ms)?);
        }
        if let Some(ms) = keep {
            guard = guard.keep(time(ms)?);
        }
        Ok(Self(guard))
    }

    /// `first`, `processing` or `done`.
    #[napi]
    pub fn take(&self, id: String) -> napi::Result<&'static str> {
        Ok(match at_once(self.0.take(&id))? {
            Taken::First => "first",
            Taken::Processing => "processing",
            Taken::Done => "done",
        })
    }

    /// The work is done.
    #[napi]
    pub fn done(&self, id: String) -> napi::Result<()> {
        at_once(self.0.done(&id))
    }

    /// The work failed.
    #[napi]
    pub fn release(&self, id: String) -> napi::Result<()> {
        at_once(self.0.release(&id))
    }
}

/// Memory is not waited for.
fn at_once<T>(work: impl Future<Output = Result<T, Error>>) -> napi::Result<T> {
    match work.now_or_never() {
        Some(outcome) => outcome.map_err(thrown),
        None => Err(Failure::inside().thrown()),
    }
}

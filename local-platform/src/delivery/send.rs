//! One attempt: connecting, sending, and reading no more of the answer than is kept. What follows from the outcome is
//! decided in `worker`.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, StatusCode};
use url::Url;

use super::resolve::{Resolver, Unreachable};

/// How much of an answer's body is kept.
const KEPT: usize = 4096;

/// Sends deliveries.
pub(crate) struct Sender {
    pub(crate) resolver: Resolver,
    /// Made when first needed: reading the system's certificates takes a while.
    client: OnceLock<reqwest::Client>,
}

/// How an attempt ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<StatusCode>,
    /// What was read of the answer's body.
    pub(crate) body: Option<String>,
    /// Why it is no success.
    pub(crate) error: Option<String>,
    pub(crate) took: Duration,
    /// Whether another attempt may go better.
    pub(crate) retryable: bool,
}

impl Outcome {
    /// Of an attempt that was not made, and would not be another time.
    pub(super) fn refused(why: String) -> Self {
        Self { status: None, body: None, error: Some(why), took: Duration::ZERO, retryable: false }
    }
}

impl Sender {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, client: OnceLock::new() }
    }

    /// Posts `body` to `url`, once.
    pub(crate) async fn send(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: Duration,
    ) -> Outcome {
        let started = Instant::now();
        let mut outcome = match self.exchange(url, headers, body, limit).await {
            Ok(outcome) => outcome,
            Err((error, retryable)) => {
                Outcome { status: None, body: None, error: Some(error), took: limit, retryable }
            }
        };
        outcome.took = started.elapsed();
        outcome
    }

    async fn exchange(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<Outcome, (String, bool)> {
        let url = Url::parse(url).map_err(|error| (format!("the URL is wrong: {error}"), false))?;
        // Names are checked by the resolver; an address in the URL never gets there.
        if let Some(why) = self.resolver.refused(&url) {
            return Err((why, false));
        }
        let deadline = tokio::time::Instant::now() + limit;
        let request = self.client()?.post(url).headers(headers).body(body).send();
        let answered = tokio::time::timeout_at(deadline, request).await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(describe(&error)),
            Err(_) => return Err((format!("no answer within {} s", limit.as_secs()), true)),
        };
        let status = response.status();
        let mut kept = Vec::new();
        // A body that stalls or breaks does not change what its status said.
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                let room = KEPT - kept.len();
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if kept.len() == KEPT {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout_at(deadline, read).await;
        let error = match status.as_u16() {
            200..=299 => None,
            300..=399 => {
                Some(format!("the receiver answered {status}; redirects are not followed"))
            }
            _ => Some(format!("the receiver answered {status}")),
        };
        Ok(Outcome {
            status: Some(status),
            body: Some(text(kept)),
            error,
            took: Duration::ZERO,
            retryable: status.is_server_error(),
        })
    }

    fn client(&self) -> Result<&reqwest::Client, (String, bool)> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = build(self.resolver.clone()).map_err(|error| {
            tracing::error!(%error, "no client for webhooks could be made");
            ("the server cannot send: see its log".to_owned(), true)
        })?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// A client that goes nowhere but to the address it is given: no proxy, no redirects, no retries of its own.
fn build(resolver: Resolver) -> Result<reqwest::Client, Box<dyn Error>> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls()?)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .dns_resolver(resolver)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(4)
        .build()
        .map_err(Into::into)
}

/// The system's roots, or the bundled ones where it has none.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    Ok(match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(_) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            config.with_root_certificates(roots).with_no_client_auth()
        }
    })
}

/// What went wrong, without the URL, and whether it may go better.
fn describe(error: &reqwest::Error) -> (String, bool) {
    let mut source: &dyn Error = error;
    while let Some(inner) = source.source() {
        source = inner;
        if let Some(unreachable) = source.downcast_ref::<Unreachable>() {
            return (unreachable.to_string(), !matches!(unreachable, Unreachable::Refused(_)));
        }
    }
    let what = if error.is_connect() { "could not connect" } else { "the connection broke" };
    (format!("{what}: {source}"), true)
}

/// The text of a body's beginning: a character that the cut goes through is left out.
fn text(bytes: Vec<u8>) -> String {
    let whole = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() && bytes.len() == KEPT => {
            &bytes[..error.valid_up_to()]
        }
        _ => &bytes,
    };
    String::from_utf8_lossy(whole).into_owned()
}

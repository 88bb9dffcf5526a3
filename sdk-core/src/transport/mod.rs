//! From a request to an answer: credential, pacing, breaker, attempts, time. Each is a part with a file of its own; this one
//! puts them together around the connections.

mod attempt;
pub(crate) mod backoff;
mod body;
mod breaker;
mod budget;
mod connections;
mod connector;
mod credentials;
mod destination;
mod failure;
mod headers;
mod http1;
mod http2;
mod jwt;
mod pacing;
mod policy;
mod pool;
mod proxy;
mod read;
pub(crate) mod redact;
mod redirects;
mod request;
mod response;
pub(crate) mod retry_after;
mod retry_loop;
mod sockets;
mod tls;
mod token;
mod uri;
mod watch;

use std::{ops::Deref, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Uri};
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

pub(crate) use body::SendBody;
pub(crate) use breaker::Breaker;
pub use breaker::CircuitBreaker;
pub(crate) use budget::RetryBudget;
pub(crate) use connections::{ConnectOptions, Connections};
pub(crate) use credentials::{Credential, bearer};
pub use jwt::JwtCredential;
pub(crate) use pacing::Pacer;
pub(crate) use redact::Redactor;
pub(crate) use redirects::is_loopback;
pub(crate) use request::{Body, Made, Request, below};
pub(crate) use response::Response;
pub use sockets::SocketWatch;
pub(crate) use tls::TlsOptions;
pub(crate) use uri::Origin;

use crate::{
    error::Error,
    options::{CallOptions, RawResponse},
    platform::Platform,
    process::PerProcess,
    transport::retry_loop::{Limits, World},
};

/// What a client decided for all of its calls.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) max_retry_after: Duration,
    pub(crate) headers: HeaderMap,
    pub(crate) insecure: bool,
}

/// The transport of one client and host.
#[derive(Debug)]
pub(crate) struct Transport {
    http: Connections,
    shared: Arc<Shared>,
    /// What each call copies. Every transport has its own: to count in one place how many calls have it, the threads of several
    /// would wait for each other.
    origin: Origin,
    headers: headers::Standing,
    counted: watch::Counted,
}

/// What a transport shares with one that has connections of its own.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) origin: Origin,
    pub(crate) platform: Platform,
    pub(crate) integration: Arc<str>,
    pub(crate) settings: Settings,
    pub(crate) credential: Credential,
    pub(crate) budget: RetryBudget,
    pub(crate) breaker: Option<PerProcess<Breaker>>,
    pub(crate) pacer: Option<PerProcess<Pacer>>,
    pub(crate) redactor: Redactor,
}

/// What one call is bounded by, where it differs from the client's own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
}

/// The clock, randomness and sleep of a real call.
struct RealWorld(Instant);

impl World for RealWorld {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn random(&self) -> f64 {
        rand::random()
    }
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// What is made of a successful answer, inside the attempt: what breaks there is tried again.
trait Finish: Sync {
    type Out: Send;
    fn finish(
        &self,
        transport: &Transport,
        request: &Request,
        response: Response,
    ) -> impl Future<Output = Result<Self::Out, Error>> + Send;
}

/// The whole answer.
struct Whole;

impl Finish for Whole {
    type Out = RawResponse;
    fn finish(
        &self,
        _: &Transport,
        _: &Request,
        response: Response,
    ) -> impl Future<Output = Result<RawResponse, Error>> + Send {
        read::read_whole(response)
    }
}

/// The answer with its body still to come, redirects followed.
struct Open;

impl Finish for Open {
    type Out = Response;
    async fn finish(
        &self,
        transport: &Transport,
        request: &Request,
        response: Response,
    ) -> Result<Response, Error> {
        if response.status().is_redirection() {
            let from = transport.url(&request.path);
            // On the heap: large and rare.
            return Box::pin(transport.follow_redirects(response, from, &request.headers)).await;
        }
        Ok(response)
    }
}

/// What stays the same over the attempts of a call.
struct Call<'a> {
    request: &'a Request,
    options: &'a CallOptions,
    uri: Uri,
    names: watch::Names,
    idempotency_key: Option<HeaderValue>,
    attempt_timeout: Duration,
}

impl Shared {
    fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref().map(|breaker| breaker.get(Breaker::anew))
    }

    fn pacer(&self) -> Option<&Pacer> {
        self.pacer.as_ref().map(|pacer| pacer.get(Pacer::anew))
    }
}

impl Deref for Transport {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Transport {
    pub(crate) fn new(http: Connections, shared: Arc<Shared>) -> Self {
        let origin = shared.origin.apart();
        let headers = headers::Standing::of(&shared);
        Self { http, shared, origin, headers, counted: watch::Counted::default() }
    }

    /// Whether trailers of a request reach the server.
    pub(crate) fn sends_trailers(&self) -> bool {
        self.http.sends_trailers()
    }

    /// Whether a request would be written at once, as far as is known: nothing is opened or renewed before it, nor held back.
    pub(crate) fn goes_at_once(&self) -> bool {
        self.credential.is_at_hand()
            && self.pacer().is_none_or(Pacer::is_free)
            && self.http.is_open_to(&self.origin)
    }

    /// The same transport over connections of its own, which `watch` is told of.
    pub(crate) fn apart(&self, watch: Option<Arc<dyn SocketWatch>>) -> Self {
        Self::new(self.http.apart(watch), Arc::clone(&self.shared))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn send(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> impl Future<Output = Result<RawResponse, Error>> {
        self.send_within(request, options, Bounds::default())
    }

    /// Sends a request within bounds of its own and reads the whole answer.
    pub(crate) fn send_within(
        &self,
        request: &Request,
        options: &CallOptions,
        bounds: Bounds,
    ) -> impl Future<Output = Result<RawResponse, Error>> {
        self.call(request, options, bounds, &Whole)
    }

    /// Sends a request and gives the answer once its headers are there; its body is the caller's to read.
    pub(crate) fn open(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> impl Future<Output = Result<Response, Error>> {
        self.call(request, options, Bounds::default(), &Open)
    }

    async fn call<T>(
        &self,
        request: &Request,
        options: &CallOptions,
        bounds: Bounds,
        finish: &impl Finish<Out = T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let world = RealWorld(started);
        let call = self.prepare(request, options, bounds)?;
        let repeatable = request.can_be_sent_again()
            && (request.method != Method::POST || call.idempotency_key.is_some())
            && request.method != Method::PATCH;
        let limits = Limits {
            max_retries: if request.can_be_sent_again() {
                options.max_retries.unwrap_or(self.settings.max_retries)
            } else {
                0
            },
            deadline: options.timeout.or(bounds.timeout).unwrap_or(self.settings.timeout),
            max_retry_after: self.settings.max_retry_after,
            repeatable,
        };
        let span = tracing::info_span!(
            "storycore.call",
            "http.request.method" = %request.method,
            "url.template" = request.template,
            "server.address" = self.origin.host(),
            "error.type" = tracing::field::Empty,
        );
        let call_ref = &call;
        // Made before what is to stand in it, whose kilobytes would wait elsewhere meanwhile, and be copied.
        let within = span.clone();
        let outcome = retry_loop::run(limits, &self.budget, &world, |number, left| {
            let span = tracing::debug_span!(
                "storycore.attempt",
                number = number + 1,
                "http.response.status_code" = tracing::field::Empty,
            );
            async move {
                if left.is_zero() {
                    return Err(retry_loop::out_of_time(limits.deadline));
                }
                self.attempt(call_ref, number, left, finish).await
            }
            .instrument(span)
        })
        .instrument(within)
        .await;
        if let Err(error) = &outcome {
            span.record("error.type", error.kind().as_str());
        }
        let outcome = outcome.map_err(|error| {
            error.with(|e| {
                if let Some(key) = &call.idempotency_key {
                    e.idempotency_key = key.to_str().ok().map(str::to_owned);
                }
            })
        });
        let error = outcome.as_ref().err();
        self.counted.count(&self.integration, request.template, started.elapsed(), error);
        outcome
    }

    fn prepare<'a>(
        &self,
        request: &'a Request,
        options: &'a CallOptions,
        bounds: Bounds,
    ) -> Result<Call<'a>, Error> {
        let uri = self.origin.uri(&request.path, &request.query)?;
        let idempotency_key = (request.method == Method::POST)
            .then(|| options.idempotency_key.clone().unwrap_or_else(watch::uuid));
        Ok(Call {
            request,
            options,
            uri,
            names: watch::Names::new(),
            idempotency_key,
            attempt_timeout: bounds.attempt_timeout.unwrap_or(self.settings.attempt_timeout),
        })
    }

    /// A path below the base URL.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.origin.url(path)
    }

    /// Blanks the secrets in what a platform sent back.
    fn redacted(&self, error: Error) -> Error {
        error.blanked(&self.redactor)
    }
}

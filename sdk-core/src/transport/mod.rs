//! From a request to an answer: credential, pacing, breaker, attempts, time. Each is a part with a file of its own; this one
//! puts them together around the connections.

pub(crate) mod backoff;
mod body;
mod breaker;
mod budget;
mod connections;
mod connector;
mod credentials;
mod failure;
mod pacing;
mod policy;
mod proxy;
pub(crate) mod redact;
mod redirects;
mod request;
mod response;
pub(crate) mod retry_after;
mod retry_loop;
mod tls;
mod uri;
mod watch;

use std::{
    ops::Deref,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use tracing::Instrument as _;
use url::Url;

pub(crate) use body::SendBody;
pub(crate) use breaker::Breaker;
pub use breaker::CircuitBreaker;
pub(crate) use budget::RetryBudget;
pub(crate) use connections::{ConnectOptions, Connections};
pub use credentials::JwtCredential;
pub(crate) use credentials::{Credential, bearer};
pub(crate) use pacing::{Pacer, Turn};
pub(crate) use redact::Redactor;
pub(crate) use redirects::is_loopback;
pub(crate) use request::{Body, Made, Request, below};
pub(crate) use response::Response;
pub(crate) use tls::TlsOptions;
pub(crate) use uri::Origin;

use crate::{
    decode,
    error::{Error, ErrorKind, MAX_ERROR_BODY, Sent},
    oauth::{OAuthCredential, TokenSet},
    options::{CallOptions, RawResponse},
    platform::{Platform, Resource},
    transport::retry_loop::{Limits, World},
};

/// The largest answer that is read as a whole.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// How long the body of an error is waited for, whose status is there: that is worth more than its words.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

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
    pub(crate) http: Connections,
    pub(crate) shared: Arc<Shared>,
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
    pub(crate) breaker: Option<Breaker>,
    pub(crate) pacer: Option<Pacer>,
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
    async fn finish(
        &self,
        _: &Transport,
        _: &Request,
        response: Response,
    ) -> Result<RawResponse, Error> {
        read_whole(response).await
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
            return transport
                .follow(response, transport.url(&request.path), &request.headers)
                .await;
        }
        Ok(response)
    }
}

/// What stays the same over the attempts of a call.
struct Call<'a> {
    request: &'a Request,
    options: &'a CallOptions,
    uri: Uri,
    client_request_id: HeaderValue,
    idempotency_key: Option<HeaderValue>,
    traceparent: HeaderValue,
    attempt_timeout: Duration,
}

impl Deref for Transport {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Transport {
    /// The same transport over connections of its own.
    pub(crate) fn apart(&self) -> Self {
        Self { http: self.http.apart(), shared: Arc::clone(&self.shared) }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<RawResponse, Error> {
        self.send_within(request, options, Bounds::default()).await
    }

    /// Sends a request within bounds of its own and reads the whole answer.
    pub(crate) async fn send_within(
        &self,
        request: &Request,
        options: &CallOptions,
        bounds: Bounds,
    ) -> Result<RawResponse, Error> {
        self.call(request, options, bounds, &Whole).await
    }

    /// Sends a request and gives the answer once its headers are there; its body is the caller's to read.
    pub(crate) async fn open(
        &self,
        request: &Request,
        options: &CallOptions,
    ) -> Result<Response, Error> {
        self.call(request, options, Bounds::default(), &Open).await
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
        .instrument(span.clone())
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
        watch::count(
            &self.integration,
            request.template,
            started.elapsed(),
            outcome.as_ref().err(),
        );
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
            client_request_id: watch::uuid(),
            idempotency_key,
            traceparent: watch::traceparent(),
            attempt_timeout: bounds.attempt_timeout.unwrap_or(self.settings.attempt_timeout),
        })
    }

    /// A path below the base URL.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.origin.url(path)
    }

    /// One attempt: a place in flight, the credential, the request, and once more with a renewed credential.
    async fn attempt<T>(
        &self,
        call: &Call<'_>,
        number: u32,
        left: Duration,
        finish: &impl Finish<Out = T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let permit = match &self.breaker {
            Some(breaker) => Some(breaker.enter(started)?),
            None => None,
        };
        let _turn = match &self.pacer {
            Some(pacer) => Some(self.pace(pacer, left).await?),
            None => None,
        };
        let left = left.saturating_sub(started.elapsed());
        let bound = call.attempt_timeout.min(left);
        let exchange = self.exchange(call, number, finish);
        let outcome = match tokio::time::timeout(bound, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(Error::new(ErrorKind::Timeout, format!("no complete answer within {bound:?}"))
                    .with(|e| e.sent = Some(Sent::Maybe)))
            }
        };
        if let Some(permit) = permit {
            permit.done(outcome.as_ref().err().is_none_or(watch::is_healthy), Instant::now());
        }
        outcome
    }

    /// Waits for a place in flight and for the rate limit's period, or tells at once that it will not come in time.
    async fn pace<'a>(&self, pacer: &'a Pacer, left: Duration) -> Result<Turn<'a>, Error> {
        /// Longer than anyone waits; a limit beyond the clock's end is none.
        const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);
        let deadline = tokio::time::Instant::now() + left.min(FAR);
        match tokio::time::timeout_at(deadline, pacer.turn(deadline)).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(wait)) => Err(Error::new(
                ErrorKind::RateLimited,
                "the rate limit is used up for longer than this call may take",
            )
            .with(|e| {
                e.retry_after = Some(wait);
                e.retryable = true;
            })),
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                "no place among the calls in flight came free in time",
            )),
        }
    }

    async fn exchange<T>(
        &self,
        call: &Call<'_>,
        number: u32,
        finish: &impl Finish<Out = T>,
    ) -> Result<T, Error> {
        let mut refused = None;
        loop {
            let credential = self.credential(refused.as_ref()).await?;
            let response = self.request_once(call, number, credential.as_ref()).await?;
            if let Some(pacer) = &self.pacer {
                pacer.learn(response.headers());
            }
            let replaced = response.status().as_u16() == 401
                && refused.is_none()
                && self.credential.can_be_renewed()
                && call.request.can_be_sent_again();
            if replaced {
                refused = credential;
                continue;
            }
            let status = response.status();
            tracing::Span::current().record("http.response.status_code", status.as_u16());
            if status.is_success() || (call.request.follows_redirects && status.is_redirection()) {
                return finish
                    .finish(self, call.request, response)
                    .await
                    .map_err(|e| self.redacted(e));
            }
            let error = read_error(response, call.options).await;
            return Err(self.redacted(error));
        }
    }

    /// The credential to send; `refused` was not taken.
    async fn credential(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        match &self.credential {
            Credential::None => Ok(None),
            Credential::ApiKey(header) => Ok(Some(header.clone())),
            Credential::Renewed(renewed) => {
                renewed.token(refused, |oauth| self.fetch_tokens(oauth)).await.map(Some)
            }
        }
    }

    async fn fetch_tokens(&self, oauth: OAuthCredential) -> Result<TokenSet, Error> {
        match oauth.take_initial() {
            Some(tokens) => Ok(tokens),
            None => self.token(&oauth.form()?).await,
        }
    }

    /// Asks the token endpoint. It has no retries of its own: a refresh token is good for one use, and the call that
    /// needs the token is tried again where that is safe.
    pub(crate) async fn token(&self, form: &[(&'static str, String)]) -> Result<TokenSet, Error> {
        let time = self.settings.attempt_timeout;
        tokio::time::timeout(time, self.ask_for_token(form)).await.unwrap_or_else(|_| {
            let message = format!("the token endpoint did not answer within {time:?}");
            Err(Error::new(ErrorKind::Timeout, message).with(|e| e.sent = Some(Sent::Maybe)))
        })
    }

    async fn ask_for_token(&self, form: &[(&'static str, String)]) -> Result<TokenSet, Error> {
        let url = self.url(self.platform.path(Resource::OAuthToken)?);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = http::Request::new(SendBody::Whole(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri::of(&url)?;
        let headers = request.headers_mut();
        headers.extend(self.settings.headers.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        let response = self.http.execute(request).await?;
        if !response.status().is_success() {
            let error = self.redacted(read_error(response, &CallOptions::default()).await);
            // A refused grant is a refused credential, whatever status tells it (RFC 6749 has 400).
            return Err(match error.code() {
                Some("invalid_grant" | "invalid_client" | "unauthorized_client") => {
                    Error::new(ErrorKind::Authentication, error.message().to_owned()).with(|e| {
                        e.status = error.status();
                        e.code = error.code().map(str::to_owned);
                        e.request_id = error.request_id().map(str::to_owned);
                    })
                }
                _ => error,
            });
        }
        decode::whole(&read_whole(response).await?.body)
    }

    async fn request_once(
        &self,
        call: &Call<'_>,
        number: u32,
        credential: Option<&HeaderValue>,
    ) -> Result<Response, Error> {
        let made = call.request.body.make()?;
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("traceparent"), call.traceparent.clone());
        for (name, value) in [&self.settings.headers, &call.request.headers, &call.options.headers]
            .into_iter()
            .flatten()
        {
            headers.insert(name.clone(), value.clone());
        }
        headers
            .insert(HeaderName::from_static("x-client-request-id"), call.client_request_id.clone());
        headers.insert(HeaderName::from_static("x-client-attempt"), HeaderValue::from(number + 1));
        if let Some(key) = &call.idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), key.clone());
        }
        if let Some(credential) = credential {
            headers.insert(header::AUTHORIZATION, credential.clone());
        }
        let mut body = SendBody::Empty;
        if let Some(made) = made {
            let content_type = HeaderValue::try_from(made.content_type)
                .map_err(|_| Error::config("the body's media type is no header value"))?;
            headers.insert(header::CONTENT_TYPE, content_type);
            if let Some(length) = made.length {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            body = made.body;
        }
        let mut request = http::Request::new(body);
        *request.method_mut() = call.request.method.clone();
        *request.uri_mut() = call.uri.clone();
        *request.headers_mut() = headers;
        self.http.execute(request).await
    }

    /// Follows a redirect of a download from `current`; the credential goes along within one origin.
    async fn follow(
        &self,
        mut response: Response,
        mut current: Url,
        headers: &HeaderMap,
    ) -> Result<Response, Error> {
        let mut keep = true;
        let mut hops = 0;
        while response.status().is_redirection()
            && response.headers().contains_key(header::LOCATION)
        {
            let location =
                response.headers()[header::LOCATION].to_str().unwrap_or_default().to_owned();
            let hop = redirects::follow(&current, &location, hops, self.settings.insecure)?;
            hops += 1;
            keep &= hop.same_origin;
            current = hop.url;
            let mut request = http::Request::new(SendBody::Empty);
            *request.uri_mut() = uri::of(&current)?;
            request.headers_mut().extend(headers.clone());
            if keep && let Some(credential) = self.credential(None).await? {
                request.headers_mut().insert(header::AUTHORIZATION, credential);
            }
            let sent =
                tokio::time::timeout(self.settings.attempt_timeout, self.http.execute(request));
            response = sent.await.map_err(|_| {
                Error::new(ErrorKind::Timeout, "a redirect of the download did not answer in time")
            })??;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read_error(response, &CallOptions::default()).await)
    }

    /// Blanks the secrets in what a platform sent back.
    fn redacted(&self, error: Error) -> Error {
        error.blanked(&self.redactor)
    }
}

/// Reads an answer to its end.
async fn read_whole(mut response: Response) -> Result<RawResponse, Error> {
    let status = response.status().as_u16();
    let headers = response.take_headers();
    let request_id = failure::request_id(&headers);
    let known = |error: Error| {
        error.with(|e| {
            e.status = e.status.or(Some(status));
            e.request_id.clone_from(&request_id);
        })
    };
    let body = read_at_most(response, MAX_BODY).await;
    let (body, complete) = body.map_err(|e| e.with(|e| e.request_id.clone_from(&request_id)))?;
    if !complete {
        return Err(known(Error::new(ErrorKind::Decode, "the answer has more than 64 MiB")));
    }
    Ok(RawResponse { status, headers, request_id, body })
}

/// Reads an error's answer, a bounded part of it.
async fn read_error(response: Response, options: &CallOptions) -> Error {
    let (status, headers) = (response.status(), response.headers().clone());
    // What breaks off, or never ends, is still an answer with a status.
    let body =
        match tokio::time::timeout(ERROR_BODY_TIME, read_at_most(response, MAX_ERROR_BODY)).await {
            Ok(Ok((body, _))) => body,
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
    if let Some(capture) = &options.capture {
        capture.set(RawResponse {
            status: status.as_u16(),
            request_id: failure::request_id(&headers),
            headers: headers.clone(),
            body: body.clone(),
        });
    }
    failure::of_answer(status, &headers, &body)
}

/// At most `most` bytes of a body, and whether that is all of it.
async fn read_at_most(mut response: Response, most: usize) -> Result<(Bytes, bool), Error> {
    let Some(first) = response.chunk().await? else {
        return Ok((Bytes::new(), true));
    };
    // Most answers are one piece, which need not be copied.
    let second = if response.has_ended() { None } else { response.chunk().await? };
    let Some(second) = second else {
        return Ok(if first.len() > most { (first.slice(..most), false) } else { (first, true) });
    };
    let mut body = BytesMut::with_capacity(first.len() + second.len());
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        let room = most.saturating_sub(body.len());
        if piece.len() > room {
            body.extend_from_slice(&piece[..room]);
            return Ok((body.freeze(), false));
        }
        body.extend_from_slice(&piece);
        next = response.chunk().await?;
    }
    Ok((body.freeze(), true))
}

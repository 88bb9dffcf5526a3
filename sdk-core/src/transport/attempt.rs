//! One attempt of a call: a place in flight, the credential, the request and its answer, and once more with a renewed
//! credential. What is tried again after it, and when, is `retry_loop.rs`'s.

use std::time::Duration;

use http::{HeaderName, HeaderValue, header};
use tokio::time::Instant;

use super::{
    Call, Finish, Transport,
    body::SendBody,
    credentials::Credential,
    headers,
    pacing::{Pacer, Turn},
    pool::Lane,
    read::read_error,
    watch,
};
use crate::error::{Error, ErrorKind, Sent};

impl Transport {
    /// One attempt: a place in flight, the credential, the request, and once more with a renewed credential.
    pub(super) async fn attempt<T>(
        &self,
        call: &Call<'_>,
        number: u32,
        left: Duration,
        finish: &impl Finish<Out = T>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let permit = match self.breaker() {
            Some(breaker) => Some(breaker.enter(started)?),
            None => None,
        };
        let _turn = match self.pacer() {
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
        let deadline = Instant::now() + left.min(FAR);
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
        let (mut refused, mut replayed) = (None, false);
        loop {
            let (response, credential) = {
                let credential = match &self.credential {
                    Credential::Renewed(_) => self.credential(refused.as_ref()).await?,
                    // It stands among the headers of each call.
                    Credential::None | Credential::ApiKey(_) => None,
                };
                let mut request = self.request(call, number, credential.as_ref())?;
                (self.http.execute(&mut request).await?, credential)
            };
            if let Some(pacer) = self.pacer() {
                pacer.learn(response.headers());
            }
            let replaced = response.status().as_u16() == 401
                && !replayed
                && self.credential.can_be_renewed()
                && call.request.can_be_sent_again();
            if replaced {
                replayed = true;
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
    pub(super) async fn credential(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        match &self.credential {
            Credential::None => Ok(None),
            Credential::ApiKey(header) => Ok(Some(header.clone())),
            Credential::Renewed(renewed) => {
                if let Some(token) = renewed.usable(refused) {
                    return Ok(Some(token));
                }
                let fetch = |oauth| {
                    let transport = self.apart(None);
                    async move { transport.fetch_tokens(oauth).await }
                };
                // On the heap: the largest part of a call's state, and rare.
                Box::pin(renewed.token(refused, fetch)).await.map(Some)
            }
        }
    }

    fn request(
        &self,
        call: &Call<'_>,
        number: u32,
        credential: Option<&HeaderValue>,
    ) -> Result<http::Request<SendBody>, Error> {
        let made = call.request.body.make()?;
        let mut headers =
            self.headers.with(&call.names, [&call.request.headers, &call.options.headers]);
        // `const`: a name is checked, byte by byte, where it is made.
        if number > 0 {
            headers.insert(headers::ATTEMPT, HeaderValue::from(number + 1));
        }
        if let Some(key) = &call.idempotency_key {
            headers.insert(const { HeaderName::from_static("idempotency-key") }, key.clone());
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
        if call.request.follows_redirects {
            request.extensions_mut().insert(Lane::Bulk);
        }
        Ok(request)
    }
}

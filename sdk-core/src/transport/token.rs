//! The token endpoint: asking for an access token, first and again. Which token a request carries is `credentials.rs`'s.

use http::{HeaderValue, Method, header};

use super::{
    Transport,
    body::SendBody,
    read::{read_error, read_whole},
    uri,
};
use crate::{
    decode,
    error::{Error, ErrorKind, Sent},
    oauth::{OAuthCredential, TokenSet},
    options::CallOptions,
    platform::Resource,
};

impl Transport {
    pub(super) async fn fetch_tokens(&self, oauth: OAuthCredential) -> Result<TokenSet, Error> {
        self.token(&oauth.form()?).await
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
        let response = self.http.execute(&mut request).await?;
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
}

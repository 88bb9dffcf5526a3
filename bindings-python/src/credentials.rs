//! Credentials that a client renews by itself, signing in, and the circuit breaker: settings with more than one part.

use std::{sync::Arc, time::Duration};

use pyo3::prelude::*;
use storycore::{Secret, oauth};

use crate::{
    bridge::{Give, Handle},
    convert::{Arg, given},
    errors,
    resources::Resources,
};

/// A key whose text signs JWTs, which the client makes and renews.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct JwtCredential(pub(crate) storycore::JwtCredential);

#[pymethods]
impl JwtCredential {
    #[new]
    #[pyo3(signature = (secret, subject, permissions, *, key_id=None, lifetime=Arg::default(Duration::from_secs(3600))))]
    fn new(
        secret: Arg<String>,
        subject: Arg<String>,
        permissions: Arg<Vec<String>>,
        key_id: Option<Arg<String>>,
        lifetime: Arg<Duration>,
    ) -> PyResult<Self> {
        const THIS: &str = "JwtCredential";
        let mut jwt = storycore::JwtCredential::new(
            secret.of(THIS, "secret")?,
            subject.of(THIS, "subject")?,
            permissions.of(THIS, "permissions")?,
        );
        jwt.key_id = given(key_id, THIS, "key_id")?;
        jwt.lifetime = lifetime.of(THIS, "lifetime")?;
        Ok(Self(jwt))
    }

    fn __repr__(&self) -> String {
        format!("JwtCredential(subject={:?})", self.0.subject)
    }
}

/// What a token endpoint gives.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct TokenSet(oauth::TokenSet);

#[pymethods]
impl TokenSet {
    /// Tokens that were stored.
    #[new]
    #[pyo3(signature = (access_token, *, refresh_token=None, expires_in=None, scope=None))]
    fn new(
        access_token: String,
        refresh_token: Option<String>,
        expires_in: Option<u64>,
        scope: Option<String>,
    ) -> Self {
        let refresh_token = refresh_token.map(Secret::from);
        let access_token = access_token.into();
        Self(oauth::TokenSet { access_token, refresh_token, expires_in, scope })
    }

    /// What opens the platform.
    #[getter]
    fn access_token(&self) -> &str {
        self.0.access_token.expose()
    }

    /// What gets the next access token; good for one use.
    #[getter]
    fn refresh_token(&self) -> Option<&str> {
        self.0.refresh_token.as_ref().map(Secret::expose)
    }

    /// Seconds that the access token holds.
    #[getter]
    fn expires_in(&self) -> Option<u64> {
        self.0.expires_in
    }

    /// What it is good for, where that is not what was asked for.
    #[getter]
    fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    fn __repr__(&self) -> String {
        format!("TokenSet(expires_in={:?})", self.0.expires_in)
    }
}

impl Give for oauth::TokenSet {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, TokenSet(*self))?.into_any())
    }
}

/// OAuth tokens that the client gets and renews.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct OAuthCredential(pub(crate) oauth::OAuthCredential);

#[pymethods]
impl OAuthCredential {
    /// The program's own access, by its id and secret.
    #[staticmethod]
    #[pyo3(signature = (client_id, client_secret, scopes=Vec::new(), *, on_tokens=None))]
    fn client_credentials(
        client_id: String,
        client_secret: String,
        scopes: Vec<String>,
        on_tokens: Option<Py<PyAny>>,
    ) -> Self {
        let credential =
            oauth::OAuthCredential::client_credentials(client_id, client_secret, scopes);
        Self(telling(credential, on_tokens))
    }

    /// A user's access, by tokens that an `Authorization` gave. `on_tokens` is told of every new set, so that it can be
    /// stored: a refresh token is good for one use.
    #[staticmethod]
    #[pyo3(signature = (client_id, tokens, *, client_secret=None, on_tokens=None))]
    fn tokens(
        client_id: String,
        tokens: &Bound<'_, TokenSet>,
        client_secret: Option<String>,
        on_tokens: Option<Py<PyAny>>,
    ) -> Self {
        let mut credential = oauth::OAuthCredential::tokens(client_id, tokens.get().0.clone());
        if let Some(secret) = client_secret {
            credential = credential.client_secret(secret);
        }
        Self(telling(credential, on_tokens))
    }

    fn __repr__(&self) -> &'static str {
        "OAuthCredential()"
    }
}

fn telling(
    credential: oauth::OAuthCredential,
    on_tokens: Option<Py<PyAny>>,
) -> oauth::OAuthCredential {
    let Some(function) = on_tokens else { return credential };
    credential.on_tokens(move |tokens| {
        let tokens = TokenSet(tokens.clone());
        Python::attach(|py| {
            // The call that needed the tokens goes on: they are good, stored or not.
            if let Err(error) = function.call1(py, (tokens,)) {
                error.write_unraisable(py, Some(function.bind(py)));
            }
        });
    })
}

/// A sign-in under way: authorization code with PKCE.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Authorization(Arc<oauth::Authorization>);

#[pymethods]
impl Authorization {
    /// A sign-in of `client_id` that comes back to `redirect_uri`.
    #[new]
    #[pyo3(signature = (client_id, redirect_uri, scopes=Vec::new()))]
    fn new(client_id: String, redirect_uri: String, scopes: Vec<String>) -> Self {
        Self(Arc::new(oauth::Authorization::new(client_id, redirect_uri, scopes)))
    }

    /// The page that the user is to open.
    fn url(&self, client: &Bound<'_, Resources>) -> PyResult<String> {
        let url = self.0.url(client.get().0.client());
        url.map_err(|error| errors::raised(client.py(), error))
    }

    /// Exchanges the code that came back to the redirect URI, with the `state` that came with it, for a `TokenSet`.
    fn exchange(
        &self,
        py: Python<'_>,
        client: &Bound<'_, Resources>,
        code: String,
        state: String,
    ) -> PyResult<Py<PyAny>> {
        let this = Arc::clone(&self.0);
        let handle: &Arc<Handle> = &client.get().0;
        handle.run(py, move |client| async move { this.exchange(&client, &code, &state).await })
    }

    fn __repr__(&self) -> &'static str {
        "Authorization()"
    }
}

/// Fails at once after so many failures in a row, and tries again after a while.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct CircuitBreaker(pub(crate) storycore::CircuitBreaker);

#[pymethods]
impl CircuitBreaker {
    #[new]
    #[pyo3(signature = (failure_threshold=Arg::default(5), recovery_timeout=Arg::default(Duration::from_secs(60))))]
    fn new(failure_threshold: Arg<u32>, recovery_timeout: Arg<Duration>) -> PyResult<Self> {
        const THIS: &str = "CircuitBreaker";
        Ok(Self(storycore::CircuitBreaker {
            failure_threshold: failure_threshold.of(THIS, "failure_threshold")?,
            recovery_timeout: recovery_timeout.of(THIS, "recovery_timeout")?,
        }))
    }

    fn __repr__(&self) -> String {
        let (failures, time) = (self.0.failure_threshold, self.0.recovery_timeout.as_secs_f64());
        format!("CircuitBreaker(failure_threshold={failures}, recovery_timeout={time})")
    }
}

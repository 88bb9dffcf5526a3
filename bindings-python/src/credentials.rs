//! Credentials that a client renews by itself, and the circuit breaker: settings with more than one part.

use std::time::Duration;

use pyo3::prelude::*;
use storycore::oauth;

use crate::convert::Arg;

/// A key whose text signs JWTs, which the client makes and renews.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct JwtCredential(pub(crate) storycore::JwtCredential);

#[pymethods]
impl JwtCredential {
    #[new]
    #[pyo3(signature = (secret, subject, permissions, *, key_id=None, lifetime=Arg(Duration::from_secs(3600))))]
    fn new(
        secret: String,
        subject: String,
        permissions: Vec<String>,
        key_id: Option<String>,
        lifetime: Arg<Duration>,
    ) -> Self {
        let mut jwt = storycore::JwtCredential::new(secret, subject, permissions);
        jwt.key_id = key_id;
        jwt.lifetime = lifetime.0;
        Self(jwt)
    }

    fn __repr__(&self) -> String {
        format!("JwtCredential(subject={:?})", self.0.subject)
    }
}

/// OAuth tokens that the client gets and renews.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct OAuthCredential(pub(crate) oauth::OAuthCredential);

#[pymethods]
impl OAuthCredential {
    /// Tokens of a program that signs in by itself.
    #[staticmethod]
    #[pyo3(signature = (client_id, client_secret, scopes=Vec::new()))]
    fn client_credentials(client_id: String, client_secret: String, scopes: Vec<String>) -> Self {
        Self(oauth::OAuthCredential::client_credentials(client_id, client_secret, scopes))
    }

    fn __repr__(&self) -> &'static str {
        "OAuthCredential()"
    }
}

/// Fails at once after so many failures in a row, and tries again after a while.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct CircuitBreaker(pub(crate) storycore::CircuitBreaker);

#[pymethods]
impl CircuitBreaker {
    #[new]
    #[pyo3(signature = (failure_threshold=5, recovery_timeout=Arg(Duration::from_secs(60))))]
    fn new(failure_threshold: u32, recovery_timeout: Arg<Duration>) -> Self {
        Self(storycore::CircuitBreaker { failure_threshold, recovery_timeout: recovery_timeout.0 })
    }

    fn __repr__(&self) -> String {
        let (failures, time) = (self.0.failure_threshold, self.0.recovery_timeout.as_secs_f64());
        format!("CircuitBreaker(failure_threshold={failures}, recovery_timeout={time})")
    }
}

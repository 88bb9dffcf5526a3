//! One key as requests see it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Access, RateWindow, Usage};

/// SHA-256 of a key's text: all that is kept of it.
pub(crate) type Hash = [u8; 32];

pub(crate) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// The text of a key that signs JWTs.
pub(crate) struct SigningText(zeroize::Zeroizing<Vec<u8>>);

impl SigningText {
    pub(crate) fn new(text: Vec<u8>) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SigningText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key as requests see it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: Arc<str>,
    pub(crate) organization_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
    pub(crate) access: Access,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    /// Its text, where it may sign JWTs.
    pub(crate) signing: Option<SigningText>,
    /// Shared by every version of this key, so that an update loses no count.
    pub(crate) rate: Arc<RateWindow>,
    pub(crate) usage: Arc<Usage>,
}

/// The fields of a key's document that decide about requests.
#[derive(Debug, Deserialize)]
pub(crate) struct KeyDocument {
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    pub(crate) rate_limit: u32,
    #[serde(default)]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) revoked_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) allow_jwt: bool,
}

impl Key {
    /// Why the key does not open anything at `now`, if it does not.
    pub(crate) fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked_at.is_some_and(|at| at <= now) {
            Some("this API key was revoked")
        } else if self.expires_at.is_some_and(|at| at <= now) {
            Some("this API key has expired")
        } else {
            None
        }
    }
}

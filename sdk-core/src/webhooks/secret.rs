//! A webhook's secret as keys: its text for the platform's own signature, the bytes behind `whsec_` for Standard Webhooks.
//! The key schedules are made once and kept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use crate::error::Error;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// What verifies a signature.
#[derive(Clone)]
pub(crate) enum Key {
    /// A shared secret.
    Shared {
        /// Keyed with the secret's text.
        own: HmacSha256,
        /// Keyed with the bytes that the text stands for.
        standard: HmacSha256,
    },
    /// A public key of ed25519 (`whpk_…`), for `v1a`.
    Public(VerifyingKey),
}

impl Key {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::config(format!("the webhook secret {what}"));
        if text.is_empty() || text.trim() != text {
            return Err(wrong("is empty or has spaces around it"));
        }
        if let Some(public) = text.strip_prefix("whpk_") {
            let bytes: [u8; 32] = STANDARD
                .decode(public)
                .ok()
                .and_then(|b| b.try_into().ok())
                .ok_or_else(|| wrong("is no ed25519 key: whpk_ and base64 of 32 bytes"))?;
            let key = VerifyingKey::from_bytes(&bytes).map_err(|_| wrong("is no ed25519 key"))?;
            return Ok(Self::Public(key));
        }
        // A key that anybody can guess would verify anything: an empty one, a word, or what a hidden secret prints as.
        if !text.starts_with(PREFIX) && (text.len() < SHORTEST || text == crate::secret::HIDDEN) {
            return Err(wrong("is none: it has at least 8 characters"));
        }
        Ok(Self::Shared { own: keyed(text.as_bytes()), standard: keyed(&standard_bytes(text)?) })
    }
}

const PREFIX: &str = "whsec_";
/// The fewest characters of a secret that is not of Standard Webhooks' form.
const SHORTEST: usize = 8;

/// The key of Standard Webhooks: what the base64 behind `whsec_` stands for, 24 to 64 bytes by their specification; a
/// secret of another form is its own text.
pub(crate) fn standard_bytes(text: &str) -> Result<Vec<u8>, Error> {
    let Some(encoded) = text.strip_prefix(PREFIX) else { return Ok(text.as_bytes().to_vec()) };
    match STANDARD.decode(encoded) {
        Ok(key) if (24..=64).contains(&key.len()) => Ok(key),
        _ => Err(Error::config(
            "the webhook secret is none: behind whsec_ stands the base64 of 24 to 64 bytes",
        )),
    }
}

pub(crate) fn keyed(bytes: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(bytes).expect("HMAC takes a key of any length")
}

/// A new secret: `whsec_` and base64 of 32 random bytes.
#[must_use]
pub fn new_secret() -> crate::Secret {
    crate::Secret::new(format!("whsec_{}", STANDARD.encode(crate::random::bytes::<32>())))
}

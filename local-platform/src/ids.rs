//! Ids and secrets: a prefix that says what a thing is, and randomness.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;

/// `len` bytes from the system's generator, seeded per thread.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A new id such as `prj_9f86d081884c7d65`: 96 random bits behind the prefix.
pub(crate) fn new(prefix: &str) -> String {
    format!("{prefix}_{}", hex::encode(random::<12>()))
}

/// A new secret: 32 random bytes in URL-safe base64 behind the prefix.
pub(crate) fn secret(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>()))
}

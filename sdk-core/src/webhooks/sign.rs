//! Signing as the platform does, for tests of whoever receives webhooks.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::Mac as _;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::secret::{keyed, standard_bytes};
use crate::{error::Error, platform::Platform};

/// The headers of a Standard Webhooks delivery (`v1`).
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for an id that cannot be a header, or a secret that is none.
pub fn standard(secret: &str, id: &str, at: SystemTime, body: &[u8]) -> Result<HeaderMap, Error> {
    let seconds = unix(at);
    let mut mac = keyed(&standard_bytes(secret)?);
    for part in [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body] {
        mac.update(part);
    }
    headers(id, seconds, &format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// The headers of a Standard Webhooks delivery signed with an ed25519 key (`v1a`).
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for an id that cannot be a header.
pub fn standard_public(
    key: &[u8; 32],
    id: &str,
    at: SystemTime,
    body: &[u8],
) -> Result<HeaderMap, Error> {
    let seconds = unix(at);
    let message = [id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body].concat();
    let signature = SigningKey::from_bytes(key).sign(&message);
    headers(id, seconds, &format!("v1a,{}", STANDARD.encode(signature.to_bytes())))
}

/// The header of a platform's own signature.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a platform that signs nothing.
pub fn own(platform: &Platform, secret: &str, body: &[u8]) -> Result<HeaderMap, Error> {
    let scheme = platform
        .signature_scheme()
        .ok_or_else(|| Error::unsupported(platform.name(), "webhook signatures"))?;
    let mut mac = keyed(secret.as_bytes());
    mac.update(body);
    let value = format!("{}{}", scheme.prefix, hex::encode(mac.finalize().into_bytes()));
    let name = HeaderName::from_bytes(scheme.header.as_bytes())
        .map_err(|_| Error::config("the platform's signature header is no header"))?;
    let mut headers = HeaderMap::new();
    headers.insert(name, value_of(&value)?);
    Ok(headers)
}

fn headers(id: &str, seconds: u64, signature: &str) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", value_of(id)?);
    headers.insert("webhook-timestamp", HeaderValue::from(seconds));
    headers.insert("webhook-signature", value_of(signature)?);
    Ok(headers)
}

fn value_of(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| Error::config("the webhook's id is no header value"))
}

fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

//! The headers of a delivery: what it is, and its signatures of both kinds. Sending it is in `send`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;

use super::secret::Secret;
use crate::http::dialect::Dialect;

/// Who sends, as receivers see it in their logs.
const USER_AGENT: &str = concat!("StoryCore-Webhooks/", env!("CARGO_PKG_VERSION"));

/// What is signed.
pub(crate) struct Message<'a> {
    /// The event's id, the same at every attempt: what a receiver knows a repetition by.
    pub(crate) event_id: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) delivery_id: &'a str,
    pub(crate) body: &'a [u8],
}

/// The headers of one attempt at `now`. `secrets` begins with the current one, which alone makes the platform's own
/// signature: that header has room for one. The Standard Webhooks header has one of each.
pub(crate) fn headers(
    message: &Message<'_>,
    dialect: &Dialect,
    secrets: &[Secret],
    now: Timestamp,
) -> HeaderMap {
    let timestamp = now.as_second();
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("ids, names and signatures are ASCII");
        headers.insert(HeaderName::from_static(name), value);
    };
    if let Some(current) = secrets.first() {
        let signature = hex::encode(mac(current.text().as_bytes(), &[message.body]));
        put(dialect.signature_header, &format!("{}{signature}", dialect.signature_prefix));
    }
    put(dialect.event_header, message.event_type);
    put(dialect.delivery_header, message.delivery_id);
    put("webhook-id", message.event_id);
    put("webhook-timestamp", &timestamp.to_string());
    put("webhook-signature", &standard(message, secrets, timestamp));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// `v1,<base64>` of each secret, over `id.timestamp.body`.
fn standard(message: &Message<'_>, secrets: &[Secret], timestamp: i64) -> String {
    let head = format!("{}.{timestamp}.", message.event_id);
    let signatures = secrets.iter().map(|secret| {
        let mac = mac(&secret.standard_key(), &[head.as_bytes(), message.body]);
        format!("v1,{}", STANDARD.encode(mac))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

//! A JWT that the client signs itself. When the next one is made is `credentials.rs`'s.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::secret::Secret;

/// A JWT that the client signs with the text of an API key made with `allow_jwt`, and renews by itself.
#[derive(Debug, Clone)]
pub struct JwtCredential {
    /// The key's text.
    pub secret: Secret,
    /// The key's id, sent as `kid`. Without one the platform tries the user's keys.
    pub key_id: Option<String>,
    /// The user's id (`sub`).
    pub subject: String,
    /// What it may do: `read`, `write`, `admin`.
    pub permissions: Vec<String>,
    /// How long one holds. Default 1 h.
    pub lifetime: Duration,
}

impl JwtCredential {
    /// A JWT for `subject` that holds for an hour.
    pub fn new<P: Into<String>>(
        secret: impl Into<Secret>,
        subject: impl Into<String>,
        permissions: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            secret: secret.into(),
            key_id: None,
            subject: subject.into(),
            permissions: permissions.into_iter().map(Into::into).collect(),
            lifetime: Duration::from_secs(3600),
        }
    }

    /// The JWT as it is at `now`.
    pub(super) fn sign(&self, now: SystemTime) -> Secret {
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let claims = json!({
            "sub": self.subject, "iat": issued, "exp": issued.saturating_add(self.lifetime.as_secs()),
            "permissions": self.permissions,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(signed.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Secret::new(format!("{signed}.{signature}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_has_the_claims_and_the_key_id() {
        let mut jwt = JwtCredential::new("the-key", "usr_1", ["read"]);
        jwt.key_id = Some("key_1".into());
        let token = jwt.sign(UNIX_EPOCH + Duration::from_secs(100));
        let parts: Vec<_> = token.expose().split('.').collect();
        let read = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(read(parts[0]), json!({"alg": "HS256", "typ": "JWT", "kid": "key_1"}));
        assert_eq!(
            read(parts[1]),
            json!({"sub": "usr_1", "iat": 100, "exp": 3700, "permissions": ["read"]})
        );
        assert!(!format!("{jwt:?}").contains("the-key"));
    }
}

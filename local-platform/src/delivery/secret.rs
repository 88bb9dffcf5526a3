//! A webhook's secret: what may be one, and the two keys that it stands for. Signing with them is in `sign`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::ids;

/// What Standard Webhooks puts before a secret.
const PREFIX: &str = "whsec_";

/// The text of a secret, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one: `whsec_` and 32 random bytes in base64.
    pub(crate) fn generate() -> Self {
        Self(format!("{PREFIX}{}", STANDARD.encode(ids::random::<32>())))
    }

    /// A secret that the caller brought, or what it would have to be.
    pub(crate) fn given(text: String) -> Result<Self, &'static str> {
        if let Some(encoded) = text.strip_prefix(PREFIX) {
            // The bounds are those of the Standard Webhooks specification.
            return match STANDARD.decode(encoded) {
                Ok(key) if (24..=64).contains(&key.len()) => Ok(Self(text)),
                _ => Err("must have the base64 of 24 to 64 bytes behind whsec_"),
            };
        }
        if (8..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err("must have 8 to 256 visible ASCII characters, or be whsec_ and base64")
        }
    }

    /// A secret as it was kept.
    pub(crate) fn kept(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok().map(Self)
    }

    /// The secret itself; also the key of the platform's own signature.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The key of the Standard Webhooks signature: the bytes that the base64 behind `whsec_` stands for, or the text's
    /// own bytes where the secret has another form.
    pub(crate) fn standard_key(&self) -> Vec<u8> {
        self.0
            .strip_prefix(PREFIX)
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .unwrap_or_else(|| self.0.clone().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_whsec_and_base64_or_a_plain_word() {
        let good = format!("whsec_{}", STANDARD.encode([7; 24]));
        assert_eq!(Secret::given(good).unwrap().standard_key(), [7; 24]);
        assert_eq!(
            Secret::given("a-word-of-mine".into()).unwrap().standard_key(),
            b"a-word-of-mine"
        );
        assert_eq!(Secret::generate().standard_key().len(), 32);
        assert_ne!(Secret::generate(), Secret::generate());
        for bad in [
            "",
            "short",
            "whsec_",
            "whsec_not base64",
            "whsec_AAAA",
            "with a space",
            "é-is-not-ascii",
        ] {
            assert!(Secret::given(bad.into()).is_err(), "{bad}");
        }
        assert!(Secret::given("x".repeat(257)).is_err());
        assert!(!format!("{:?}", Secret::generate()).contains("whsec_"));
    }
}

//! Comparing signatures in a time that tells nothing of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use subtle::ConstantTimeEq as _;

/// What a signature of Standard Webhooks must be.
pub(super) enum Expected<'a> {
    /// This text in base64.
    Text([u8; TEXT]),
    /// Made by this key's owner for this message.
    By(&'a VerifyingKey, Vec<u8>),
}

/// 32 bytes in base64.
const TEXT: usize = 44;

impl Expected<'_> {
    /// To write one's own takes half the time of reading the other's, and there is one way alone to write it.
    pub(super) fn text(mac: &[u8; 32]) -> Self {
        let mut text = [0; TEXT];
        let written = STANDARD.encode_slice(mac, &mut text);
        debug_assert_eq!(written, Ok(TEXT), "base64 of 32 bytes has a fixed length");
        Self::Text(text)
    }

    pub(super) fn is(&self, given: &[u8]) -> bool {
        match self {
            Self::Text(text) => same(text, given),
            Self::By(public, message) => {
                let mut decoded = [0; 66];
                let Ok(length) = STANDARD.decode_slice(given, &mut decoded) else { return false };
                let signature = Signature::from_slice(&decoded[..length]);
                signature.is_ok_and(|signature| public.verify(message, &signature).is_ok())
            }
        }
    }
}

/// Compares in the same time wherever the two differ, by words: bytes one by one would take as long as a block of the hash.
pub(super) fn same<const N: usize>(expected: &[u8; N], given: &[u8]) -> bool {
    let Ok(given) = <&[u8; N]>::try_from(given) else { return false };
    let words = |bytes: &'_ [u8; N]| -> Words {
        let mut words = Words::default();
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(whole);
        }
        words
    };
    const { assert!(N <= 64, "eight words hold all of it") };
    let (expected, given) = (words(expected), words(given));
    let differences = expected.iter().zip(&given).fold(0, |all, (a, b)| all | (a ^ b));
    differences.ct_eq(&0).into()
}

type Words = [u64; 8];

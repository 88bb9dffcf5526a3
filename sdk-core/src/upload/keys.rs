//! The idempotency keys of an upload's requests. Each is new, unless the caller gave one: then those of the parts follow from it
//! and from the content, so that the same call finds its own parts again, and one with other bytes never those.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

/// What the keys of one upload are made of.
pub(crate) struct Keys {
    own: Option<Own>,
}

struct Own {
    key: String,
    content: [u8; 32],
}

impl Keys {
    /// Keys that nobody had before.
    pub(crate) fn new() -> Self {
        Self { own: None }
    }

    /// Those that follow from the caller's `key` and the SHA-256 of what is uploaded. Nothing else tells a file, since it may be
    /// called for again elsewhere, and a copy has another inode and time.
    pub(crate) fn of(key: &str, content: [u8; 32]) -> Self {
        Self { own: Some(Own { key: key.to_owned(), content }) }
    }

    /// For the part that has these bytes.
    pub(crate) fn part(&self, range: &Range<u64>) -> String {
        let Some(Own { key, content }) = &self.own else { return new() };
        let mut hash = Sha256::new();
        hash.update(content);
        hash.update(range.start.to_be_bytes());
        hash.update(range.end.to_be_bytes());
        hash.update(key);
        hex::encode(hash.finalize())
    }

    /// For the joining.
    pub(crate) fn joining(&self) -> String {
        self.own.as_ref().map_or_else(new, |own| own.key.clone())
    }
}

/// A key that nobody had before.
pub(crate) fn new() -> String {
    crate::random::uuid().to_string()
}

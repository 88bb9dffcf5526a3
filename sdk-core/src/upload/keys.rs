//! The idempotency keys of an upload's requests. Each is new, unless the caller gave one: then those of the parts follow from it
//! and from the content, so that the same call finds its own parts again, and one with other bytes never those.

use std::{ops::Range, path::PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    UploadSource,
    fingerprint::{Fingerprint, Stamp},
    place::broke,
    source::cannot_read,
};
use crate::{beside, error::Error};

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

    /// Those that follow from the caller's `key`. What tells a file is its fingerprint: no byte of it is read before it is sent.
    pub(crate) async fn of(
        key: &str,
        source: &UploadSource,
        size: u64,
        file: Option<(PathBuf, Stamp)>,
    ) -> Result<Self, Error> {
        let content = match file {
            Some((path, stamp)) => {
                let reading = beside::blocking(move || {
                    Fingerprint::read(&path).map_err(|e| cannot_read(&path, e))
                });
                let Fingerprint { head, tail, .. } = reading.await.map_err(broke)??;
                let mut hash = Sha256::new();
                for number in [stamp.size.cast_signed(), stamp.mtime, stamp.inode] {
                    hash.update(number.to_be_bytes());
                }
                hash.update(head);
                hash.update(tail);
                hash.finalize().into()
            }
            None => source
                .sha256(0..size, None)
                .await
                .map_err(|e| Error::upload(e.to_string()).with_source(e))?,
        };
        Ok(Self { own: Some(Own { key: key.to_owned(), content }) })
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

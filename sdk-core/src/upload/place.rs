//! The place of one upload in the journal: which line is this file's, on this platform, under this description. Two that are
//! told apart here are two uploads.

use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    UploadSource,
    fingerprint::Fingerprint,
    journal::{Book, Journal, Written},
    lock::Lock,
    source::cannot_read,
};
use crate::error::Error;

/// An upload's place in the journal, held for this process.
pub(crate) struct Place {
    pub(crate) book: Book,
    pub(crate) identity: String,
    pub(crate) path: PathBuf,
    /// The file as it is now.
    pub(crate) file: Fingerprint,
    origin: String,
    _lock: Lock,
}

/// What came of asking for a place.
pub(crate) enum Taken {
    Place(Box<Place>),
    /// There is no journal, or the source is nothing that could be read again.
    Nowhere,
    /// Another process or task works on this very upload.
    ByAnother,
}

impl Place {
    /// Takes the place of `source`, uploaded to `origin` and described so.
    pub(crate) async fn take(
        journal: &Journal,
        source: &UploadSource,
        origin: &Url,
        described: &str,
    ) -> Result<Taken, Error> {
        let UploadSource::Path(path) = source else { return Ok(Taken::Nowhere) };
        let Some(book) = Book::open(journal).await? else { return Ok(Taken::Nowhere) };
        let full = tokio::fs::canonicalize(path).await.map_err(|e| cannot_read(path, e))?;
        let mut hash = Sha256::new();
        for text in [origin.as_str(), &full.to_string_lossy(), described] {
            hash.update(text);
            hash.update([0]);
        }
        let identity = hex::encode(hash.finalize());
        let Some(lock) = book.lock(&identity).await? else { return Ok(Taken::ByAnother) };
        let file = Fingerprint::read(full.clone()).await.map_err(|e| cannot_read(path, e))?;
        let origin = origin.as_str().to_owned();
        let place = Self { book, identity, path: full, file, origin, _lock: lock };
        Ok(Taken::Place(Box::new(place)))
    }

    /// What an earlier process wrote down here.
    pub(crate) async fn find(&self) -> Result<Option<Written>, Error> {
        self.book.find(&self.identity).await
    }

    /// Writes a new upload down.
    pub(crate) async fn begin(&self, upload: Written, expires: Option<i64>) -> Result<(), Error> {
        self.book.begin(&self.identity, &self.origin, &self.path, upload, expires).await
    }
}

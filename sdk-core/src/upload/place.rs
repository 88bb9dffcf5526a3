//! The place of one upload in the journal: which line is this file's, on this platform, with this account, under this
//! description. Two that are told apart here are two uploads.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    UploadSource,
    fingerprint::Fingerprint,
    journal::{Book, Journal, Written},
    lock::Lock,
    multipart::FEW,
    opened::{Waited, Waiting},
    source::{cannot_read, stamp, whole},
};
use crate::{beside, client::Client, error::Error, secret::Secret, transport::Credential};

/// An upload's place in the journal, held for this process.
pub(crate) struct Place {
    pub(crate) book: Book,
    pub(crate) identity: String,
    /// The identity that it has whatever the account.
    pub(crate) any_account: String,
    pub(crate) path: PathBuf,
    /// The file as it is now.
    pub(crate) file: Fingerprint,
    origin: String,
    /// A small file's bytes and their SHA-256: they had to be read anyway.
    pub(crate) small: Option<(Bytes, [u8; 32])>,
    /// What an earlier process wrote down here.
    pub(crate) known: Option<Written>,
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
    /// Takes the place of `source`, uploaded to `origin` with this account and described so, and does `more` with it: all of it in
    /// one go on a thread that may block, since for a small file the ways there and back are most of what it costs.
    pub(crate) async fn take<T: Send + 'static>(
        journal: &Journal,
        source: &UploadSource,
        (origin, account): (&Url, Secret),
        described: &str,
        more: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<(Taken, Option<T>), Error> {
        let UploadSource::Path(path) = source else { return Ok((Taken::Nowhere, None)) };
        if *journal == Journal::Off {
            return Ok((Taken::Nowhere, None));
        }
        let (journal, path) = (journal.clone(), path.clone());
        let (origin, described) = (origin.as_str().to_owned(), described.to_owned());
        let waiting = Waiting::default();
        let waited = waiting.waited();
        let taking = beside::blocking(move || {
            let taken = Self::at_once((&journal, &waited), &path, origin, &account, &described)?;
            let done = match &taken {
                Taken::Place(place) => Some(more(place)?),
                _ => None,
            };
            Ok((taken, done))
        });
        let taken = taking.await.map_err(broke)?;
        drop(waiting);
        taken
    }

    fn at_once(
        (journal, waited): (&Journal, &Waited),
        path: &Path,
        origin: String,
        account: &Secret,
        described: &str,
    ) -> Result<Taken, Error> {
        let Some(book) = Book::open(journal, waited)? else { return Ok(Taken::Nowhere) };
        let full = std::fs::canonicalize(path).map_err(|e| cannot_read(path, e))?;
        let mut hash = Sha256::new();
        // The path's own bytes: names that are no UTF-8 are told apart, too.
        let full_bytes = full.as_os_str().as_encoded_bytes();
        for text in [origin.as_bytes(), full_bytes, described.as_bytes()] {
            hash.update(text);
            hash.update([0]);
        }
        let any_account = hex::encode(hash.clone().finalize());
        // Together with all else, so that no hash of a credential stands alone.
        hash.update(account.expose());
        let identity = hex::encode(hash.finalize());
        let lock = match book.lock(&identity)? {
            Some(Some(lock)) => lock,
            Some(None) => return Ok(Taken::ByAnother),
            None => return Ok(Taken::Nowhere),
        };
        // A pipe in its place would be read without end.
        let stamp = stamp(&full)?;
        // What cannot be read at once is read again where it is told what is wrong.
        let bytes = (stamp.size <= FEW).then(|| whole(&full, stamp.size).ok()).flatten();
        let (file, small) = match bytes {
            Some(bytes) => {
                let (file, sha256) = Fingerprint::of(stamp, &bytes);
                (file, Some((bytes, sha256)))
            }
            None => (Fingerprint::read(&full).map_err(|e| cannot_read(path, e))?, None),
        };
        let known = book.find(&identity)?;
        let path = full;
        let place =
            Self { book, identity, any_account, path, file, small, origin, known, _lock: lock };
        Ok(Taken::Place(Box::new(place)))
    }

    /// Writes a new upload down.
    pub(crate) async fn begin(&self, upload: Written, expires: Option<i64>) -> Result<(), Error> {
        let (book, path) = (self.book.clone(), self.path.clone());
        let (identity, any, origin) =
            (self.identity.clone(), self.any_account.clone(), self.origin.clone());
        let writing = move || book.begin((&identity, &any), &origin, &path, &upload, expires);
        beside::blocking(writing).await.map_err(broke)?
    }

    /// The same on this thread, which it may block.
    pub(crate) fn begin_now(&self, upload: &Written, expires: Option<i64>) -> Result<(), Error> {
        let identities = (&*self.identity, &*self.any_account);
        self.book.begin(identities, &self.origin, &self.path, upload, expires)
    }
}

pub(crate) fn broke(error: tokio::task::JoinError) -> Error {
    Error::upload("the upload journal broke").with_source(error)
}

/// Whose uploads a client makes, as far as it can tell: its credential or, where it has none, what else the caller has it send. It
/// is mixed into hashes and stands nowhere itself.
pub(crate) fn account(client: &Client) -> Secret {
    let transport = client.transport();
    if !matches!(transport.credential, Credential::None) {
        return transport.credential.account();
    }
    let mut headers = transport.settings.headers.clone();
    headers.extend(client.options.headers.clone());
    headers.remove(header::USER_AGENT);
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    let mut lines: Vec<_> = headers.iter().map(line).collect();
    // A dictionary of some languages has another order in each process.
    lines.sort_unstable();
    Secret::new(lines.concat())
}

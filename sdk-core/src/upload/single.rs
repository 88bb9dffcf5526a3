//! A small file in one multipart request, under a key that is written down before: called again after a crash, the platform
//! gives the asset that it had made, and makes no second one.

use std::{sync::Arc, time::SystemTime};

use http::HeaderValue;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Settings, UploadSource, Uploaded,
    adopt::other_key,
    context::describe,
    control::{Wanted, until},
    fingerprint::Fingerprint,
    join::cancelled,
    journal::Written,
    multipart,
    outcome::{asset, compare, is_of, was_cancelled},
    place::{self, Place, Taken},
    progress::Tally,
    source::Way,
};
use crate::{
    client::Client,
    error::Error,
    models::{Asset, UploadOptions},
    platform::Resource,
};

/// How long platforms keep the answer to a key, in seconds.
const KEPT: i64 = 24 * 60 * 60;

/// The SHA-256 of what was sent.
type Sent = [u8; 32];

/// What is uploaded.
pub(crate) struct Single<'a> {
    pub(crate) client: &'a Client,
    pub(crate) source: UploadSource,
    pub(crate) options: &'a UploadOptions,
    pub(crate) settings: &'a Settings,
    pub(crate) tally: &'a Arc<Tally>,
    /// Its bytes are in memory already, and whoever gave them has shares for them.
    pub(crate) is_held: bool,
}

impl Single<'_> {
    /// Uploads it, unless it is cancelled before the answer is there.
    pub(crate) async fn run(&self) -> Result<Uploaded, Error> {
        let mut wanted = self.settings.control.watch();
        while until(&mut wanted, |wanted| wanted != Wanted::Pause).await == Wanted::Run {
            let Ok(_share) = cancelled(&mut wanted, self.share()).await else { break };
            if *wanted.borrow() == Wanted::Pause {
                // It was waited for, and is of use to others now.
                continue;
            }
            let uploading = cancelled(&mut wanted, self.upload()).await;
            return uploading.map_err(|_| was_cancelled())?;
        }
        Err(was_cancelled())
    }

    /// What it needs beside others, once that is free. A stream's bytes have theirs.
    async fn share(&self) -> Option<OwnedSemaphorePermit> {
        match &self.settings.shares {
            Some(shares) if !self.is_held => Some(shares.request().await),
            _ => None,
        }
    }

    async fn upload(&self) -> Result<Uploaded, Error> {
        let path = format!("{}/upload", self.client.platform().path(Resource::Assets)?);
        let own = self.client.options().idempotency_key.as_ref();
        if let Some(key) = own.and_then(|key| key.to_str().ok()) {
            // Whoever gives a key remembers it, too.
            let (asset, sha256) = self.send(&path, (&self.source, None), key).await?;
            compare(self.client, &asset, &sha256).await?;
            return Ok(self.uploaded(asset, Vec::new()));
        }
        let origin = self.client.url(&path);
        let described = describe(&self.source, self.options);
        let fresh = fresh();
        // Where nothing of it is known the new upload is written down in the same go.
        let begin = move |place: &Place| {
            if let Some(known) = place.known.as_ref().filter(|known| known.file.may_be(&place.file))
            {
                return Ok((known.clone(), true));
            }
            // After its key's rotation the account's earlier request is found under that request's key.
            let other = other_key(place)?;
            let is_known = other.is_some();
            let last_key = other.unwrap_or(fresh.last_key);
            let written = Written { file: place.file.clone(), last_key, ..fresh };
            place.begin_now(&written, Some(expiry()))?;
            Ok((written, is_known))
        };
        let journal = &self.settings.journal;
        let account = place::account(self.client);
        let (taken, begun) =
            Place::take(journal, &self.source, (&origin, account), &described, begin).await?;
        // Two at a time are two uploads: there are no parts that they could mix.
        let mut place = match taken {
            Taken::Place(place) => Some(*place),
            Taken::Nowhere | Taken::ByAnother => None,
        };
        let small = place.as_mut().and_then(|place| place.small.take());
        let (source, known) = match small {
            Some((bytes, sha256)) => {
                (UploadSource::bytes(self.source.file_name(), bytes), Some(sha256))
            }
            None => {
                let known = match &self.source {
                    UploadSource::Bytes { bytes, .. } => {
                        let all = 0..bytes.len() as u64;
                        let hash = self.source.sha256(all, None).await;
                        Some(hash.map_err(|e| Error::upload(e.to_string()).with_source(e))?)
                    }
                    _ => None,
                };
                (self.source.clone(), known)
            }
        };
        let mut next = begun;
        let mut restarts = Vec::new();
        loop {
            let (written, is_known) = match next.take() {
                Some(begun) => begun,
                None => (begin_anew(place.as_ref()).await?, false),
            };
            match self.once(&path, (&source, known), &written.last_key, is_known).await {
                Ok(Some((asset, sha256))) => {
                    let compared = compare(self.client, &asset, &sha256).await;
                    forget(place.as_ref(), &written).await;
                    compared?;
                    return Ok(self.uploaded(asset, restarts));
                }
                Ok(None) => {
                    let what = "what the platform has of the earlier upload is not this file: it was begun anew";
                    tracing::warn!("{what}");
                    restarts.push(what.to_owned());
                    self.tally.lost();
                }
                Err(error) => {
                    // A refusal leaves nothing there; but it is of the request that it answers. An earlier one under this key
                    // may have arrived, and then the key alone leads to its asset.
                    if !is_known && error.attempts() <= 1 && is_refused(&error) {
                        forget(place.as_ref(), &written).await;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// One call under this key. Nothing, when it is an earlier one's and what it made is gone or was of other bytes.
    async fn once(
        &self,
        path: &str,
        source: (&UploadSource, Option<Sent>),
        key: &str,
        is_known: bool,
    ) -> Result<Option<(Asset, Sent)>, Error> {
        let (made, sha256) = match self.send(path, source, key).await {
            Err(error) if is_known && error.code() == Some("idempotency_mismatch") => {
                return Ok(None);
            }
            outcome => outcome?,
        };
        if !is_known {
            return Ok(Some((made, sha256)));
        }
        let size = made.size.unwrap_or_default();
        match asset(self.client, "", Some(made.id), size, &sha256).await {
            Ok(asset) if is_of(&asset, &sha256) => Ok(Some((asset, sha256))),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.status(), Some(404 | 410)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn send(
        &self,
        path: &str,
        (source, known): (&UploadSource, Option<Sent>),
        key: &str,
    ) -> Result<(Asset, Sent), Error> {
        let mut options = self.client.options().clone();
        options.idempotency_key = HeaderValue::try_from(key).ok();
        let (source, fields) = (source.clone(), self.options.clone());
        let way = if self.settings.shares.is_some() { Way::Beside } else { Way::Whole };
        multipart::upload(
            self.client,
            &options,
            path.to_owned(),
            key,
            (source, way, known),
            fields,
            self.tally,
        )
        .await
    }

    fn uploaded(&self, asset: Asset, restarts: Vec<String>) -> Uploaded {
        Uploaded { asset, sent: self.tally.wire(), failures: self.tally.failures(), restarts }
    }
}

/// A new upload, of no file yet.
fn fresh() -> Written {
    let uuid = || crate::random::uuid().to_string();
    let (id, last_key) = (uuid(), uuid());
    Written { id, last_key, is_joining: false, file: Fingerprint::none(0), parts: Vec::new() }
}

/// Until when the platform keeps the answer to a key that is used now, in Unix seconds.
fn expiry() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs().cast_signed()) + KEPT
}

async fn begin_anew(place: Option<&Place>) -> Result<Written, Error> {
    let mut written = fresh();
    if let Some(place) = place {
        written.file = place.file.clone();
        place.begin(written.clone(), Some(expiry())).await?;
    }
    Ok(written)
}

async fn forget(place: Option<&Place>, written: &Written) {
    if let Some(place) = place {
        place.book.forget(&written.id).await;
    }
}

/// Whether the platform said that it does not take the file. The statuses left out may stand for a request that is still done.
fn is_refused(error: &Error) -> bool {
    error.status().is_some_and(|s| (400..500).contains(&s) && !matches!(s, 408 | 409 | 429))
}

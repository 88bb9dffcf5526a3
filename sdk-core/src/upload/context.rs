//! What all parts of an upload share: the platform and what it can do, the counters, what was begun anew, the file and whether
//! it is still the same.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    Settings, UploadSource,
    buffers::Buffers,
    ending::Ending,
    feed::Feeds,
    fingerprint::Stamp,
    ledger::Ledger,
    multipart::by_extension,
    plan::ChunkSize,
    progress::Tally,
    share::Shares,
    source::{Near, cannot_read},
    tus::{Abilities, Wire, metadata},
    whole::Whole,
};
use crate::{client::Client, error::Error, models::UploadOptions};

/// What is uploaded over tus, where to, and how.
pub(crate) struct Setup<'a> {
    pub(crate) client: &'a Client,
    pub(crate) path: String,
    pub(crate) source: UploadSource,
    pub(crate) options: &'a UploadOptions,
    pub(crate) settings: &'a Settings,
    pub(crate) tally: Arc<Tally>,
    pub(crate) ending: &'a Ending,
    pub(crate) abilities: Abilities,
}

/// What all parts of an upload share.
pub(crate) struct Context<'a> {
    pub(crate) wire: Wire<'a>,
    pub(crate) abilities: Abilities,
    pub(crate) tally: Arc<Tally>,
    pub(crate) sizes: Mutex<ChunkSize>,
    pub(crate) congested: AtomicBool,
    pub(crate) failures: AtomicU32,
    /// Until when the platform keeps the part that it answered for last, in Unix seconds.
    pub(crate) kept_until: AtomicI64,
    /// What was begun anew, in words.
    pub(crate) restarts: Mutex<Vec<String>>,
    /// What bounds it once it is cancelled.
    pub(crate) ending: &'a Ending,
    pub(crate) ledger: Option<Ledger>,
    /// The file and what it was at the beginning.
    pub(crate) file: Option<(PathBuf, Stamp)>,
    pub(crate) checksums: bool,
    /// Their checksums come after the chunks' bytes.
    pub(crate) trailers: AtomicBool,
    /// What a file is read into, chunk after chunk.
    pub(crate) buffers: Buffers,
    /// What goes on being read and hashed between two chunks, for a platform on this machine.
    pub(crate) feeds: Feeds,
    /// Other uploads run beside this one, and memory is for all of them.
    pub(crate) shares: Option<Shares>,
    /// The hash of it all, as far as it is known.
    pub(crate) whole: Whole,
    pub(crate) metadata: String,
    /// Failures in a row, without a byte between them, that are survived.
    pub(crate) retries: u32,
    pub(crate) stall: Duration,
    pub(crate) max_retry_after: Duration,
}

impl<'a> Setup<'a> {
    /// For one go at the upload, written down in `ledger`, of a file that was so at the beginning.
    pub(crate) fn context(
        &self,
        ledger: Option<Ledger>,
        file: Option<(PathBuf, Stamp)>,
    ) -> Context<'a> {
        Context {
            wire: Wire::new(self.client, self.path.clone()),
            abilities: self.abilities.clone(),
            tally: Arc::clone(&self.tally),
            sizes: Mutex::new(ChunkSize::new(self.settings.chunk_size)),
            congested: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            kept_until: AtomicI64::new(0),
            restarts: Mutex::new(Vec::new()),
            ending: self.ending,
            ledger,
            file,
            checksums: self.abilities.sha256 && self.settings.checksums,
            trailers: AtomicBool::new(false),
            buffers: Buffers::default(),
            feeds: Feeds::default(),
            shares: self.settings.shares.clone(),
            whole: Whole::default(),
            metadata: self.described(),
            retries: self.settings.retries,
            stall: self.settings.stall_timeout,
            max_retry_after: self.client.transport().settings.max_retry_after,
        }
    }

    /// What is told of the file beside its bytes.
    pub(crate) fn described(&self) -> String {
        describe(&self.source, self.options)
    }
}

/// What is told of a file beside its bytes, as tus has it.
pub(crate) fn describe(source: &UploadSource, options: &UploadOptions) -> String {
    let name = source.file_name();
    let content_type = options.content_type.as_deref().unwrap_or_else(|| by_extension(&name));
    metadata([
        ("filename", Some(&*name)),
        ("filetype", Some(content_type)),
        ("type", Some(&*options.kind)),
        ("name", options.name.as_deref()),
        ("description", options.description.as_deref()),
        ("project_id", options.project_id.as_deref()),
    ])
}

impl Context<'_> {
    /// Whether a chunk's checksum comes after its bytes.
    pub(crate) fn trails(&self) -> bool {
        self.checksums && self.trailers.load(Relaxed)
    }

    /// What the file is read into. Where memory is shared, buffers go with the share for which they were made.
    pub(crate) fn buffers(&self) -> Buffers {
        if self.shares.is_some() { Buffers::default() } else { self.buffers.clone() }
    }

    /// How the file is read for a platform on this machine.
    pub(crate) fn near(&self) -> Near {
        Near { buffers: self.buffers(), shares: self.shares.is_some() }
    }

    /// Whether the hash of each chunk is of use to anybody.
    pub(crate) fn hashes(&self) -> bool {
        self.checksums || self.ledger.is_some()
    }

    /// What a chunk should have.
    pub(crate) fn chunk_size(&self) -> u64 {
        self.sizes().bytes()
    }

    pub(crate) fn sizes(&self) -> MutexGuard<'_, ChunkSize> {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what was begun anew.
    pub(crate) fn restarted(&self, what: String) {
        tracing::warn!("{what}");
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// What was begun anew so far; it is forgotten here.
    pub(crate) fn take_restarts(&self) -> Vec<String> {
        std::mem::take(&mut *self.restarts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file can be looked at, whatever it is by now.
    pub(crate) fn is_there(&self) -> bool {
        self.file.as_ref().is_some_and(|(path, _)| Stamp::read(path).is_ok())
    }

    /// The file is still the one that the upload began with.
    pub(crate) fn unchanged(&self) -> Result<(), Error> {
        let Some((path, stamp)) = &self.file else { return Ok(()) };
        match Stamp::read(path) {
            Ok(now) if now == *stamp => Ok(()),
            Ok(_) => Err(changed(path)),
            Err(error) => Err(cannot_read(path, error)),
        }
    }

    /// Whether the file has another time and the bytes that were sent, `size` of them.
    pub(crate) async fn is_only_touched(&self, source: &UploadSource, size: u64) -> bool {
        let Some((path, before)) = &self.file else { return false };
        let is_still = |stamp: Stamp| stamp.size == before.size && stamp.inode == before.inode;
        let Ok(stamp) = Stamp::read(path) else { return false };
        if !self.hashes() || !is_still(stamp) {
            return false;
        }
        let (Ok(sent), Ok(read)) =
            (self.whole.of(source, size).await, source.sha256(0..size, None).await)
        else {
            return false;
        };
        sent == read && Stamp::read(path).is_ok_and(|now| now == stamp)
    }
}

/// A file is not what it was when its size was read.
pub(crate) fn changed(path: &Path) -> Error {
    Error::upload(format!(
        "{} changed while it was uploaded: upload it again once it is complete",
        path.display()
    ))
}

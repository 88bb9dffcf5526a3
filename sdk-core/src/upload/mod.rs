//! Sending files so that they cannot be lost: one streamed request for small ones, tus 1.0.0 with parallel parts, checksums
//! and a resume journal for the rest. This file is what a caller sees of it: an [`Upload`] and its knobs.

mod adopt;
mod ahead;
mod all;
mod begin;
mod buffers;
mod clean;
mod context;
mod control;
mod controller;
mod duty;
mod ending;
mod engine;
mod feed;
mod fingerprint;
mod in_turns;
mod join;
mod journal;
mod judge;
mod kept;
mod keys;
mod knobs;
mod ledger;
pub(crate) mod lock;
pub(crate) mod multipart;
mod opened;
mod outcome;
mod part;
mod place;
mod plan;
mod prepared;
mod progress;
pub(crate) mod raw;
mod recover;
mod session;
mod settings;
mod share;
mod single;
pub(crate) mod source;
mod step;
mod stream;
pub(crate) mod thread;
mod trailing;
mod tus;
mod whole;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

pub use all::{UploadAll, UploadAllProgress, UploadedFile};
pub use control::UploadControl;
pub use journal::Journal;
#[doc(hidden)]
pub use knobs::Knobs;
pub use progress::Progress;
pub use source::{UploadSource, UploadStream};

use self::{
    context::Setup,
    ending::Ending,
    join::{briefly, cancelled},
    outcome::{advised, was_cancelled},
    progress::{Tally, told},
    session::Job,
    settings::{MOST_STREAMS, Settings},
    share::Shares,
    single::Single,
    stream::{Pieces, StreamJob},
    tus::{Abilities, Wire},
};
use crate::{
    client::Client,
    error::{Error, ErrorKind},
    models::{Asset, UploadOptions},
    platform::Resource,
    transport::is_loopback,
};

/// An upload that is set up and not yet begun. [`send`](Self::send) does it; every knob has a default that suits.
///
/// ```no_run
/// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
/// use storycore::models::UploadOptions;
/// let uploaded = client
///     .media()
///     .prepare_upload("film.mp4", UploadOptions::new("video"))
///     .max_streams(8)
///     .on_progress(|p| println!("{} of {}", p.acknowledged, p.total))
///     .send()
///     .await?;
/// println!("{}", uploaded.asset.id);
/// # Ok(()) }
/// ```
#[must_use = "an upload does nothing until send() is awaited"]
pub struct Upload {
    client: Client,
    source: UploadSource,
    options: UploadOptions,
    settings: Settings,
}

/// A finished upload.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Uploaded {
    /// The asset, its bytes compared with the file's.
    pub asset: Asset,
    /// Bytes of the file that went out, also those that went twice; fewer than the file has when an earlier upload was
    /// continued.
    pub sent: u64,
    /// Requests that failed and were made good. To be told that the joining of the parts is under way is no failure.
    pub failures: u32,
    /// What had to be begun anew, and why, in words: the platform no longer had it, or the file was another one.
    pub restarts: Vec<String>,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("source", &self.source)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Upload {
    pub(crate) fn new(client: Client, source: UploadSource, mut options: UploadOptions) -> Self {
        if options.kind.is_empty() {
            UploadOptions::kind_of(&source.file_name()).clone_into(&mut options.kind);
        }
        let settings = Settings {
            chunk_size: None,
            max_streams: MOST_STREAMS,
            streams_chosen: false,
            shares: None,
            multipart_below: plan::MULTIPART_BELOW,
            checksums: true,
            retries: 8,
            stall_timeout: Duration::from_secs(30),
            journal: Journal::default(),
            control: UploadControl::new(),
            on_progress: None,
        };
        Self { client, source, options, settings }
    }

    /// The bytes of a chunk, from 1. Default: 5 to 64 MiB, so that each takes 2 to 8 s.
    pub fn chunk_size(mut self, bytes: u64) -> Self {
        self.settings.chunk_size = Some(bytes);
        self
    }

    /// The most requests side by side, from 1 to 16. Default 16: it begins with 4 and adds while that brings more; but for files
    /// from 128 MiB on to a platform on this very machine (loopback, answered within 20 ms) the default is one. Client and
    /// platform share the processor there, so that more bring nothing, and parts have to be read and hashed once more when they
    /// are joined.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.settings.streams_chosen = true;
        self.settings.max_streams = streams.clamp(1, MOST_STREAMS);
        self
    }

    /// One of so many at a time, which have `shares` in common.
    fn sharing(mut self, beside: usize, shares: &Shares) -> Self {
        self.settings.max_streams = (MOST_STREAMS / beside.max(1)).max(1);
        self.settings.shares = (beside > 1).then(|| shares.clone());
        self
    }

    /// Files of fewer bytes go as one multipart request, which cannot be continued. Default 16 MiB.
    pub fn multipart_below(mut self, bytes: u64) -> Self {
        self.settings.multipart_below = bytes;
        self
    }

    /// Whether the SHA-256 of each chunk is sent, where the platform takes it. The whole file is compared in any case.
    /// Default on.
    pub fn chunk_checksums(mut self, send: bool) -> Self {
        self.settings.checksums = send;
        self
    }

    /// Failures in a row, without a byte arriving between them, that are survived. Default 8; 0 means none.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// A request of which no byte moves for so long is given up and continued by another. Default 30 s.
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.settings.stall_timeout = time;
        self
    }

    /// Where the upload is written down, so that the same file continues after a crash. Default: the user's own journal.
    /// Bytes and streams are in none.
    pub fn journal(mut self, journal: Journal) -> Self {
        self.settings.journal = journal;
        self
    }

    /// The handle that pauses, resumes and cancels it.
    pub fn control(mut self, control: &UploadControl) -> Self {
        self.settings.control = control.clone();
        self
    }

    /// Tells of the progress, at most ten times a second and once at the end.
    pub fn on_progress(mut self, on_progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.settings.on_progress = Some(Arc::new(on_progress));
        self
    }

    /// Uploads. Dropping the future stops every request; the same upload called again goes on from where it was.
    ///
    /// # Errors
    /// `upload` when the file cannot be read, is a film, sound or picture without a byte, changed meanwhile, is being
    /// uploaded by another process, or arrived changed; `invalid_request` when it is too large or a field is wrong;
    /// `cancelled` when it was; and as every call. Whatever error it is, the same upload called again goes on from what the
    /// platform has.
    pub async fn send(self) -> Result<Uploaded, Error> {
        self.send_counted(&Arc::new(Tally::default())).await
    }

    async fn send_counted(self, tally: &Arc<Tally>) -> Result<Uploaded, Error> {
        let on_progress = self.settings.on_progress.clone();
        let uploading = Box::pin(told(tally, on_progress.as_ref(), self.choose(tally)));
        self.client.options().bound("the upload", self.advice(), uploading).await
    }

    /// What to do about an error that may pass.
    fn advice(&self) -> &'static str {
        match self.source {
            UploadSource::Stream(_) => "; open the stream anew and upload it again",
            UploadSource::Bytes { .. } => "; upload the same bytes again",
            UploadSource::Path(_) => "; upload the same file again",
        }
    }

    /// Multipart or tus, by size and by what the platform has.
    async fn choose(&self, tally: &Arc<Tally>) -> Result<Uploaded, Error> {
        let ending = Ending::new(&self.settings.control);
        self.either(tally, &ending).await.map_err(|error| advised(error, self.advice()))
    }

    async fn either(&self, tally: &Arc<Tally>, ending: &Ending) -> Result<Uploaded, Error> {
        let platform = self.client.platform();
        let uploads = platform.path(Resource::Uploads).ok().map(str::to_owned);
        let below = match platform.path(Resource::Assets) {
            Ok(_) => self.settings.multipart_below,
            Err(_) if uploads.is_some() => 0,
            Err(error) => return Err(error),
        };
        if let UploadSource::Stream(stream) = &self.source {
            return self.stream(stream, (uploads, below), tally, ending).await;
        }
        // Once, before anything is asked: what is sent, and of how many bytes, is this file, or an error.
        let (size, stamp) = match &self.source {
            UploadSource::Path(path) => {
                let stamp = source::stamp(path)?;
                (stamp.size, Some((path.clone(), stamp)))
            }
            source => (source.size()?, None),
        };
        self.check_there_is_something(size == 0)?;
        let Some(path) = uploads.filter(|_| size >= below) else {
            return self.multipart(self.source.clone(), tally, false).await;
        };
        let (wire, asked) = (Wire::new(&self.client, path.clone()), Instant::now());
        let Some(abilities) = self.abilities(&wire, ending).await? else {
            return self.multipart(self.source.clone(), tally, false).await;
        };
        let is_loopback = is_loopback(&self.client.url(&path));
        let mut answered = asked.elapsed();
        if self.settings.is_late(size, is_loopback, answered) {
            // A tunnel is late again; a platform on this machine that was busy for a moment is not.
            let asked = Instant::now();
            if self.abilities(&wire, ending).await.is_ok() {
                answered = asked.elapsed();
            }
        }
        // Under a key of the caller's own the same call has the same parts, however soon it is answered.
        let has_key = self.client.options().idempotency_key.is_some();
        let decisive = if has_key { Duration::ZERO } else { answered };
        let streams = self.settings.streams(size, is_loopback, decisive);
        let is_near = self.settings.is_near(size, is_loopback, answered);
        let setup = self.setup(path, abilities, tally, ending);
        let is_near =
            is_near && setup.abilities.trailers && self.client.transport().sends_trailers();
        let job = Job { setup, size, streams, is_near, stamp };
        // On the heap and without its type: a future of its size, in those of its callers, fills a thread's stack, and the
        // compiler that lays theirs out comes to the end of its depth.
        job.run().boxed().await
    }

    async fn stream(
        &self,
        stream: &UploadStream,
        (uploads, below): (Option<String>, u64),
        tally: &Arc<Tally>,
        ending: &Ending,
    ) -> Result<Uploaded, Error> {
        let mut pieces = Pieces::new(stream.take()?);
        let mut wanted = self.settings.control.watch();
        let mut share = match &self.settings.shares {
            Some(shares) => {
                let taking = cancelled(&mut wanted, shares.stream()).await;
                Some(taking.map_err(|_| was_cancelled())?)
            }
            None => None,
        };
        // Never more in memory than the default bound.
        let first = usize::try_from(below.min(plan::MULTIPART_BELOW)).unwrap_or(usize::MAX).max(1);
        let first =
            cancelled(&mut wanted, pieces.next(first)).await.map_err(|_| was_cancelled())??;
        self.check_there_is_something(first.is_empty())?;
        if (first.len() as u64) < below.min(plan::MULTIPART_BELOW) {
            if let Some(share) = &mut share {
                share::ended(share, first.len());
            }
            let whole = UploadSource::bytes(self.source.file_name(), first);
            return self.multipart(whole, tally, true).await;
        }
        let unsupported = || {
            Error::new(
                ErrorKind::Unsupported,
                "the platform has no resumable uploads, which a long stream of unknown length needs: write it to a file and upload that",
            )
        };
        let path = uploads.ok_or_else(unsupported)?;
        let abilities = self.abilities(&Wire::new(&self.client, path.clone()), ending).await?;
        let setup = self.setup(path, abilities.ok_or_else(unsupported)?, tally, ending);
        StreamJob(setup).run(first, pieces).boxed().await
    }

    /// What the platform can do. One that is cancelled does not wait for long: what an earlier call left can be taken back only
    /// when that is known.
    async fn abilities(
        &self,
        wire: &Wire<'_>,
        ending: &Ending,
    ) -> Result<Option<Abilities>, Error> {
        let mut wanted = self.settings.control.watch();
        let asking = briefly(&mut wanted, ending, wire.abilities()).await;
        asking.map_err(|_| was_cancelled())?
    }

    fn setup<'a>(
        &'a self,
        path: String,
        abilities: Abilities,
        tally: &Arc<Tally>,
        ending: &'a Ending,
    ) -> Setup<'a> {
        Setup {
            client: &self.client,
            path,
            source: self.source.clone(),
            options: &self.options,
            settings: &self.settings,
            tally: Arc::clone(tally),
            ending,
            abilities,
        }
    }

    /// A film without a byte is a mistake of whoever wrote it, and would be told long after, by a job that fails.
    fn check_there_is_something(&self, is_empty: bool) -> Result<(), Error> {
        let kind = self.options.kind.as_str();
        if is_empty && ["video", "audio", "image"].contains(&kind) {
            let name = self.source.file_name();
            return Err(Error::upload(format!("{name} has no bytes: it is no {kind}")));
        }
        Ok(())
    }

    async fn multipart(
        &self,
        source: UploadSource,
        tally: &Arc<Tally>,
        is_held: bool,
    ) -> Result<Uploaded, Error> {
        let (client, options, settings) = (&self.client, &self.options, &self.settings);
        Single { client, source, options, settings, tally, is_held }.run().boxed().await
    }
}

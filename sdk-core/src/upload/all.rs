//! Many uploads side by side: a bounded number at a time, each with a result of its own, so that one that fails stops no
//! other. They share what one upload may have of requests and memory.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http::HeaderValue;

use super::{
    Progress, Upload, UploadSource, Uploaded,
    progress::{Tally, Teller},
    settings::MOST_STREAMS,
    share::Shares,
};
use crate::{beside, client::Client, error::Error, models::UploadOptions};

/// As many small files as a platform answers side by side; more brought nothing.
const AT_ONCE: usize = 16;

/// Characters of an idempotency key.
const MOST_OF_A_KEY: usize = 255;

/// Uploads of many files, made by [`media().upload_all`](crate::resources::Assets::upload_all). [`next`](Self::next) gives
/// the result of each file as it ends.
///
/// Nothing is sent before the first `next`, and only while somebody waits in one; dropping it stops every request.
#[must_use = "nothing is uploaded until next() is awaited"]
pub struct UploadAll {
    client: Client,
    options: UploadOptions,
    waiting: VecDeque<(usize, UploadSource)>,
    running: FuturesUnordered<BoxFuture<'static, UploadedFile>>,
    at_once: usize,
    shares: Shares,
    each: Box<dyn Fn(Upload) -> Upload + Send + Sync>,
    content_types: Vec<Option<String>>,
    tally: Arc<Tally>,
    /// Bytes of each, as far as they could be told at the beginning.
    sizes: Vec<u64>,
    counts: Arc<Counts>,
    teller: Option<Teller>,
    state: State,
}

/// Files that ended.
#[derive(Debug, Default)]
struct Counts {
    total: usize,
    done: AtomicUsize,
    failed: AtomicUsize,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    New,
    Running,
    Over,
}

/// How one file of several ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct UploadedFile {
    /// Its place among those that were given, from 0.
    pub index: usize,
    /// What was uploaded, to be tried again where it failed. A stream can be read once only.
    pub source: UploadSource,
    /// What came of it.
    pub result: Result<Uploaded, Error>,
}

/// How far many uploads are.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct UploadAllProgress {
    /// Files in all.
    pub files: usize,
    /// Files that are there.
    pub files_done: usize,
    /// Files that failed.
    pub files_failed: usize,
    /// The bytes of all files together. Its total has of a stream of unknown length what was read of it so far, and nothing of
    /// files that cannot be read.
    pub bytes: Progress,
}

impl std::fmt::Debug for UploadAll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadAll")
            .field("options", &self.options)
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl UploadAll {
    pub(crate) fn new(client: Client, sources: Vec<UploadSource>, options: UploadOptions) -> Self {
        let counts = Counts { total: sources.len(), ..Counts::default() };
        Self {
            client,
            options,
            waiting: sources.into_iter().enumerate().collect(),
            running: FuturesUnordered::new(),
            at_once: AT_ONCE,
            shares: Shares::default(),
            each: Box::new(|upload| upload),
            content_types: Vec::new(),
            tally: Arc::new(Tally::default()),
            sizes: Vec::new(),
            counts: Arc::new(counts),
            teller: None,
            state: State::New,
        }
    }

    /// The most files at a time, from 1. Default 16. However many there are, and whatever [`each`](Self::each) gives them, 16
    /// requests with bytes are under way at a time, and 64 MiB are in memory. A stream of unknown length that is longer than
    /// 8 MiB counts for eight of them: two of these go up at a time, and others wait.
    pub fn at_once(mut self, files: usize) -> Self {
        self.at_once = files.max(1);
        self
    }

    /// Sets each upload up: its chunks, its journal, the control that pauses or cancels all of them.
    ///
    /// ```no_run
    /// # fn run(client: storycore::Client, files: Vec<std::path::PathBuf>) {
    /// use storycore::{models::UploadOptions, upload::{Journal, UploadControl}};
    /// let control = UploadControl::new();
    /// let steered = control.clone();
    /// let uploads = client
    ///     .media()
    ///     .upload_all(files, UploadOptions::new("video"))
    ///     .each(move |upload| upload.control(&steered).journal(Journal::Off));
    /// # }
    /// ```
    pub fn each(mut self, set_up: impl Fn(Upload) -> Upload + Send + Sync + 'static) -> Self {
        self.each = Box::new(set_up);
        self
    }

    /// The media types of single files, in their order, where the options name none for all. For bindings, some of whose sources
    /// know their own.
    #[doc(hidden)]
    pub fn content_types(mut self, types: Vec<Option<String>>) -> Self {
        self.content_types = types;
        self
    }

    /// Tells of the progress over all files, at most ten times a second and once at the end.
    pub fn on_progress(
        mut self,
        on_progress: impl Fn(UploadAllProgress) + Send + Sync + 'static,
    ) -> Self {
        let counts = Arc::clone(&self.counts);
        self.teller = Some(Teller::new(Arc::new(move |bytes| {
            on_progress(UploadAllProgress {
                files: counts.total,
                files_done: counts.done.load(Relaxed),
                files_failed: counts.failed.load(Relaxed),
                bytes,
            });
        })));
        self
    }

    /// The next file that ended, well or not; nothing when all have.
    pub async fn next(&mut self) -> Option<UploadedFile> {
        if self.state == State::New {
            self.measure().await;
            self.state = State::Running;
        }
        self.fill();
        let ended = match &mut self.teller {
            Some(teller) => teller.during(&self.tally, self.running.next()).await,
            None => self.running.next().await,
        };
        match &ended {
            Some(UploadedFile { result: Ok(_), .. }) => self.counts.done.fetch_add(1, Relaxed),
            Some(_) => self.counts.failed.fetch_add(1, Relaxed),
            None => 0,
        };
        if ended.is_none() && self.state == State::Running {
            self.state = State::Over;
            if let Some(teller) = &mut self.teller {
                teller.end(&self.tally);
            }
        }
        ended
    }

    /// All of them to their ends, in the order in which they were given.
    pub async fn collect(mut self) -> Vec<UploadedFile> {
        let mut all = Vec::with_capacity(self.waiting.len());
        while let Some(file) = self.next().await {
            all.push(file);
        }
        all.sort_by_key(|file| file.index);
        all
    }

    /// How many bytes there are. Not `&self`: what runs need not be shared, so that the whole can be moved to a thread.
    async fn measure(&mut self) {
        let paths: Vec<_> = self.waiting.iter().map(|(_, source)| source.clone()).collect();
        let measured = beside::blocking(move || {
            let size = |source: &UploadSource| match source {
                UploadSource::Path(path) => path.metadata().map_or(0, |data| data.len()),
                UploadSource::Bytes { bytes, .. } => bytes.len() as u64,
                UploadSource::Stream(_) => 0,
            };
            paths.iter().map(size).collect::<Vec<u64>>()
        });
        self.sizes = measured.await.unwrap_or_default();
        self.tally.set_total(self.sizes.iter().sum());
    }

    /// Begins as many as may run.
    fn fill(&mut self) {
        let beside = self.at_once.min(self.counts.total.max(1)).min(MOST_STREAMS);
        while self.running.len() < self.at_once {
            let Some((index, source)) = self.waiting.pop_front() else { return };
            let client = self.client_of(index);
            let mut options = self.options.clone();
            if let (None, Some(own)) = (&options.content_type, self.content_types.get_mut(index)) {
                options.content_type = own.take();
            }
            let upload = Upload::new(client, source.clone(), options);
            let upload = (self.each)(upload.sharing(beside, &self.shares));
            let measured = self.sizes.get(index).copied().unwrap_or_default();
            let tally = Arc::new(Tally::among(&self.tally, measured));
            self.running.push(
                async move {
                    let result = upload.send_counted(&tally).await;
                    UploadedFile { index, source, result }
                }
                .boxed(),
            );
        }
    }

    /// The client, its caller's idempotency key made one for each file.
    fn client_of(&self, index: usize) -> Client {
        let mut options = self.client.options().clone();
        options.idempotency_key = options.idempotency_key.and_then(|key| {
            let (key, end) = (key.as_bytes(), format!("-{index}"));
            let room = key.len().min(MOST_OF_A_KEY - end.len());
            HeaderValue::from_bytes(&[&key[..room], end.as_bytes()].concat()).ok()
        });
        self.client.with_exactly(options)
    }
}

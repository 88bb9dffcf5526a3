//! A download that is not whole yet: a hidden file beside its target, and a list of its segments that are there, so that
//! what a crash left is taken up. One thread writes, another hashes what is complete from the beginning on.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::{
    beside,
    models::Asset,
    upload::{
        lock::is_at,
        source,
        thread::{self, Running},
    },
};

/// What is written down as there, or is not there at all.
pub(super) const SEGMENT: u64 = 8 * 1024 * 1024;
/// Bytes of the target's name that its part's has: file systems take names of 255.
const MOST_OF_A_NAME: usize = 200;
/// Pieces that wait for the disk.
const WAITING: usize = 16;

/// A file that is not whole yet.
#[derive(Debug)]
pub(super) struct Part {
    left: Arc<Left>,
    there: BTreeSet<u64>,
    etag: Option<HeaderValue>,
}

/// The file, locked by this process, and its list. Whoever is the last to have it, the download or the thread that writes for it,
/// removes what is not worth keeping: a download that was dropped does not wait for its thread, which may still write.
#[derive(Debug)]
struct Left {
    path: PathBuf,
    /// The `ETag` and the segments; none where nothing says that the content will be the same next time.
    list: Option<PathBuf>,
    file: File,
    keep: AtomicBool,
    is_placed: AtomicBool,
}

impl Part {
    /// What an earlier download left of this very content, or a new file.
    pub(super) async fn open(to: &Path, asset: &Asset) -> io::Result<Self> {
        let mut name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        while name.len() > MOST_OF_A_NAME {
            name.pop();
        }
        let content = asset.sha256.as_ref().zip(asset.size).map(|(sha256, size)| {
            let text = format!("{}\0{}\0{size}", asset.id, sha256.to_ascii_lowercase());
            hex::encode(&Sha256::digest(text)[..8])
        });
        let to = to.to_owned();
        blocking(move || {
            if let Some(content) = content {
                let path = to.with_file_name(format!(".{name}.{content}.part"));
                if let Some(part) = Self::known(path)? {
                    return Ok(part);
                }
            }
            let own = crate::random::uuid().simple();
            let path = to.with_file_name(format!(".{name}.{own}.part"));
            let left = Left::new(File::create_new(&path)?, path, None);
            Ok(Self { left, there: BTreeSet::new(), etag: None })
        })
        .await
    }

    /// The file with this name, unless another process is at it.
    fn known(path: PathBuf) -> io::Result<Option<Self>> {
        let options = File::options().read(true).write(true).create(true).truncate(false).clone();
        let file = options.open(&path)?;
        // One that its owner moved to its place just now is a whole file of somebody's.
        if file.try_lock().is_err() || !is_at(&file, &path) {
            return Ok(None);
        }
        let list = path.with_extension("segments");
        let mut text = String::new();
        if let Ok(mut file) = File::open(&list) {
            // What is no text is no list.
            let _ = file.read_to_string(&mut text);
        }
        let mut lines = text.lines();
        let etag = lines.next().and_then(|line| HeaderValue::try_from(line).ok());
        let length = file.metadata()?.len();
        let there = match etag {
            Some(_) => lines.filter_map(|line| line.parse().ok()).collect(),
            None => BTreeSet::new(),
        };
        let there = there.into_iter().filter(|n| n * SEGMENT < length).collect();
        Ok(Some(Self { left: Left::new(file, path, Some(list)), there, etag }))
    }

    /// Whether something of it was there before.
    pub(super) fn is_continued(&self) -> bool {
        !self.there.is_empty()
    }

    /// The `ETag` of what is there.
    pub(super) fn etag(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|_| self.is_continued())
    }

    /// What is missing of `size` bytes, in as few ranges as there can be.
    pub(super) fn missing(&self, size: u64) -> Vec<Range<u64>> {
        let mut missing: Vec<Range<u64>> = Vec::new();
        for number in (0..size.div_ceil(SEGMENT)).filter(|n| !self.there.contains(n)) {
            let range = number * SEGMENT..((number + 1) * SEGMENT).min(size);
            match missing.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => missing.push(range),
            }
        }
        missing
    }

    /// Begins to write.
    pub(super) fn writer(&mut self, size: Option<u64>) -> io::Result<Writer> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (front, fronts) = std::sync::mpsc::channel();
        let mut writing = Writing {
            left: Arc::clone(&self.left),
            lines: None,
            size,
            there: self.there.clone(),
            filling: HashMap::new(),
            front,
            end: 0,
        };
        // From here on something may be worth keeping.
        self.left.keep.store(self.left.list.is_some(), Relaxed);
        let path = self.left.path.clone();
        let task = thread::run(move || writing.run(receiver));
        let hash = thread::run(move || hash(&path, &fronts));
        Ok(Writer { sender, task, hash })
    }

    /// Whether a later download would find something of it.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.left.is_worth_keeping()
    }

    /// Nothing of it is of use.
    pub(super) fn discard(&mut self) {
        self.left.keep.store(false, Relaxed);
    }

    /// Makes it last, and gives it its name.
    pub(super) async fn place(self, to: &Path) -> io::Result<()> {
        let (left, to) = (self.left, to.to_owned());
        blocking(move || {
            left.file.sync_all()?;
            std::fs::rename(&left.path, to)?;
            left.is_placed.store(true, Relaxed);
            if let Some(list) = &left.list {
                let _ = std::fs::remove_file(list);
            }
            Ok(())
        })
        .await
    }
}

impl Left {
    fn new(file: File, path: PathBuf, list: Option<PathBuf>) -> Arc<Self> {
        let (keep, is_placed) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { path, list, file, keep, is_placed })
    }

    fn is_worth_keeping(&self) -> bool {
        let list = self.list.as_ref().filter(|_| self.keep.load(Relaxed));
        let text = list.and_then(|list| std::fs::read_to_string(list).ok());
        text.is_some_and(|text| text.lines().nth(1).is_some())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if self.is_placed.load(Relaxed) || self.is_worth_keeping() {
            return;
        }
        // The file last: once it is gone another download has its name, and that one's list is not ours to remove.
        for path in self.list.iter().chain([&self.path]) {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Where the pieces go.
#[derive(Debug)]
pub(super) struct Writer {
    sender: mpsc::Sender<Arrived>,
    task: Running<io::Result<()>>,
    hash: Running<io::Result<String>>,
}

/// What arrived.
#[derive(Debug)]
pub(super) enum Arrived {
    /// The content's strong `ETag`.
    Etag(HeaderValue),
    /// Bytes, and where they belong.
    Piece(u64, Bytes),
}

impl Writer {
    pub(super) fn sender(&self) -> mpsc::Sender<Arrived> {
        self.sender.clone()
    }

    /// Waits until all is written; gives the SHA-256 of the file from its beginning to its end.
    pub(super) async fn end(self) -> io::Result<String> {
        drop(self.sender);
        let written = self.task.await?;
        let hash = self.hash.await?;
        written?;
        hash
    }
}

/// The writing thread's own.
struct Writing {
    left: Arc<Left>,
    lines: Option<File>,
    size: Option<u64>,
    there: BTreeSet<u64>,
    /// Bytes of the segments that have begun.
    filling: HashMap<u64, u64>,
    /// Tells the hash how far the file is complete from its beginning on.
    front: std::sync::mpsc::Sender<u64>,
    end: u64,
}

impl Writing {
    fn run(&mut self, mut arrived: mpsc::Receiver<Arrived>) -> io::Result<()> {
        let (mut position, left) = (None, Arc::clone(&self.left));
        let mut file = &left.file;
        self.tell_front();
        while let Some(next) = arrived.blocking_recv() {
            let (at, piece) = match next {
                Arrived::Etag(etag) => {
                    self.begin_list(&etag)?;
                    continue;
                }
                Arrived::Piece(at, piece) => (at, piece),
            };
            if position != Some(at) {
                file.seek(SeekFrom::Start(at))?;
            }
            file.write_all(&piece)?;
            let past = at + piece.len() as u64;
            position = Some(past);
            self.end = self.end.max(past);
            self.count(at..past)?;
        }
        if self.size.is_none() {
            // What follows the last segment.
            let _ = self.front.send(self.end);
        }
        Ok(())
    }

    fn begin_list(&mut self, etag: &HeaderValue) -> io::Result<()> {
        let (Some(path), None) = (&self.left.list, &self.lines) else { return Ok(()) };
        let mut file = File::options().append(true).create(true).open(path)?;
        if self.there.is_empty() {
            file.set_len(0)?;
            file.write_all(&[etag.as_bytes(), b"\n"].concat())?;
        }
        self.lines = Some(file);
        Ok(())
    }

    fn count(&mut self, range: Range<u64>) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let number = at / SEGMENT;
            let past = ((number + 1) * SEGMENT).min(range.end);
            let filled = self.filling.entry(number).or_default();
            *filled += past - at;
            let last = self.size.map_or(SEGMENT, |size| (size - number * SEGMENT).min(SEGMENT));
            if *filled == last {
                self.filling.remove(&number);
                self.there.insert(number);
                // Written down after its bytes, so that a crash in between costs a segment and no more.
                if let Some(lines) = &mut self.lines {
                    writeln!(lines, "{number}")?;
                }
                self.tell_front();
            }
            at = past;
        }
        Ok(())
    }

    fn tell_front(&self) {
        let front = (0..).find(|n| !self.there.contains(n)).unwrap_or_default() * SEGMENT;
        // The hash ends by itself only when it cannot read; its own error tells.
        let _ = self.front.send(self.size.map_or(front, |size| front.min(size)));
    }
}

/// The SHA-256 of a file that grows.
fn hash(path: &Path, fronts: &std::sync::mpsc::Receiver<u64>) -> io::Result<String> {
    let (mut hash, mut done) = (Sha256::new(), 0);
    while let Ok(front) = fronts.recv() {
        if front > done {
            source::read(path, done..front, source::Way::Part(Default::default()), |piece| {
                hash.update(&piece);
                true
            })?;
            done = front;
        }
    }
    Ok(hex::encode(hash.finalize()))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    beside::blocking(work).await.map_err(io::Error::other)?
}

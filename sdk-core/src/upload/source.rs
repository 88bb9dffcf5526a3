//! Where an upload's bytes come from, and the thread that reads them ahead: pieces of 256 KiB to 1 MiB through a channel,
//! so that memory stays flat and the disk is never waited for by the network's task (measured: an async file gets a
//! tenth of it).

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use tokio::sync::mpsc;

use super::{
    buffers::Buffers,
    fingerprint::Stamp,
    in_turns, thread,
    whole::{Along, Hashing},
};
use crate::{beside, error::Error};

const PIECE: usize = 256 * 1024;
/// Pieces between a thread and whom it serves.
pub(crate) const AHEAD: usize = 4;
/// A file that is alone in its request and no smaller is read by two threads.
const LARGE: u64 = 64 * 1024 * 1024;

/// What is uploaded. Its `Debug` shows no bytes.
#[derive(Clone)]
pub enum UploadSource {
    /// A file on this machine.
    Path(PathBuf),
    /// Bytes, under a file's name.
    Bytes {
        /// The name that the platform is told.
        file_name: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// Pieces that come one after another, their number unknown. They can be read once: an upload of them survives broken
    /// connections, and no crash of this process.
    Stream(UploadStream),
}

/// A stream of unknown length, under a file's name.
#[derive(Clone)]
pub struct UploadStream {
    file_name: String,
    pieces: Arc<Mutex<Option<BoxStream<'static, io::Result<Bytes>>>>>,
}

impl UploadStream {
    /// The same stream under another name.
    #[must_use]
    pub fn named(self, file_name: impl Into<String>) -> Self {
        Self { file_name: file_name.into(), ..self }
    }

    /// The stream itself, once.
    pub(crate) fn take(&self) -> Result<BoxStream<'static, io::Result<Bytes>>, Error> {
        self.pieces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| Error::upload("a stream can be uploaded once only"))
    }
}

impl std::fmt::Debug for UploadStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadStream").field("file_name", &self.file_name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for UploadSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Bytes { file_name, bytes } => f
                .debug_struct("Bytes")
                .field("file_name", file_name)
                .field("bytes", &format_args!("{} bytes", bytes.len()))
                .finish(),
            Self::Stream(stream) => f.debug_tuple("Stream").field(stream).finish(),
        }
    }
}

impl UploadSource {
    /// Bytes under a file's name.
    pub fn bytes(file_name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::Bytes { file_name: file_name.into(), bytes: bytes.into() }
    }

    /// A stream of unknown length, under a file's name.
    pub fn stream(
        file_name: impl Into<String>,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let pieces = Arc::new(Mutex::new(Some(pieces.boxed())));
        Self::Stream(UploadStream { file_name: file_name.into(), pieces })
    }

    /// The name that the platform is told.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::Path(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Bytes { file_name, .. } => file_name.clone(),
            Self::Stream(stream) => stream.file_name.clone(),
        }
    }

    /// The error of one that could not be read to its end.
    pub(crate) fn unreadable(&self, error: io::Error) -> Error {
        Error::upload(format!("{} cannot be read: {error}", self.file_name())).with_source(error)
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> Result<u64, Error> {
        match self {
            Self::Bytes { bytes, .. } => Ok(bytes.len() as u64),
            Self::Stream(_) => Err(Error::upload("the length of a stream is not known")),
            Self::Path(path) => Ok(stamp(path)?.size),
        }
    }

    /// The bytes of `range`, in pieces; exactly those or an error.
    pub(crate) fn pieces(
        &self,
        range: Range<u64>,
        way: Way,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let size = range.end.saturating_sub(range.start);
        if let (Self::Path(path), Way::Whole, LARGE..) = (self, &way, size) {
            return in_turns::pieces(path, size, way.piece(size)).left_stream();
        }
        let (sender, receiver) = mpsc::channel(way.ahead());
        match self {
            Self::Bytes { bytes, .. } => {
                let _ = sender.try_send(Ok(bytes.slice(within(bytes, &range))));
            }
            Self::Path(path) => {
                let (path, told) = (path.clone(), sender.clone());
                let waits = range.end - range.start > (way.ahead() * PIECE) as u64;
                let reading = move || {
                    let pass = |piece: Bytes| sender.blocking_send(Ok(piece)).is_ok();
                    if let Err(error) = read(&path, range, way, pass) {
                        let _ = sender.blocking_send(Err(error));
                    }
                };
                if !waits {
                    beside::blocking_alone(reading);
                } else if let Some(error) = thread::run(reading).failed() {
                    let _ = told.try_send(Err(error));
                }
            }
            Self::Stream(_) => {
                let _ = sender.try_send(Err(io::Error::other("a stream has no ranges")));
            }
        }
        let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((piece, receiver))
        });
        pieces.right_stream()
    }

    /// Shows `range` piece by piece while `pass` wants more. It may block.
    pub(crate) fn show(
        &self,
        range: Range<u64>,
        way: Way,
        mut pass: impl FnMut(Bytes) -> bool,
    ) -> io::Result<()> {
        match self {
            Self::Bytes { bytes, .. } => {
                pass(bytes.slice(within(bytes, &range)));
                Ok(())
            }
            Self::Path(path) => read(path, range, way, pass),
            Self::Stream(_) => Err(io::Error::other("a stream has no ranges")),
        }
    }

    /// The SHA-256 of `range`, and that of the whole upload along with it. Dropping the future stops the reading.
    pub(crate) async fn sha256(
        &self,
        range: Range<u64>,
        along: Option<Along>,
    ) -> io::Result<[u8; 32]> {
        self.sha256_in(range, along, Buffers::default()).await
    }

    /// The same, read into `buffers`.
    pub(crate) async fn sha256_in(
        &self,
        range: Range<u64>,
        along: Option<Along>,
        buffers: Buffers,
    ) -> io::Result<[u8; 32]> {
        let (alive, dropped) = tokio::sync::oneshot::channel::<()>();
        let source = self.clone();
        let hashing = beside::blocking(move || {
            let mut hash = Hashing::new(along.as_ref());
            source.show(range, Way::Part(buffers), |shown| {
                // Bytes are shown in one piece.
                shown.chunks(PIECE).all(|piece| {
                    hash.update(piece);
                    !alive.is_closed()
                })
            })?;
            Ok(hash.finish())
        });
        let outcome = hashing.await.map_err(io::Error::other)?;
        drop(dropped);
        outcome
    }
}

fn within(bytes: &Bytes, range: &Range<u64>) -> Range<usize> {
    let end = bytes.len();
    let at = |n: u64| usize::try_from(n).unwrap_or(end).min(end);
    at(range.start)..at(range.end)
}

/// What the file system says of a file.
pub(crate) fn stamp(path: &Path) -> Result<Stamp, Error> {
    // Not by way of another thread, which costs a small file more than all else that is done with it here.
    let data = path.metadata().map_err(|e| cannot_read(path, e))?;
    if data.is_file() {
        Ok(Stamp::of(&data))
    } else {
        Err(Error::upload(format!("{} is no file", path.display())))
    }
}

/// All of a file that has so many bytes. It may block.
pub(crate) fn whole(path: &Path, size: u64) -> io::Result<Bytes> {
    let mut all = Bytes::new();
    read(path, 0..size, Way::Whole, |piece| {
        all = if all.is_empty() { piece } else { [&all[..], &piece].concat().into() };
        true
    })?;
    Ok(all)
}

/// Shows `range` of a file piece by piece while `pass` wants more.
pub(crate) fn read(
    path: &Path,
    range: Range<u64>,
    way: Way,
    mut pass: impl FnMut(Bytes) -> bool,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(range.start))?;
    let mut left = range.end - range.start;
    let (piece, is_whole) = (way.piece(left), matches!(way, Way::Whole | Way::Beside));
    let buffers = match way {
        Way::Near(near) => near.buffers,
        Way::Part(buffers) => buffers,
        Way::Whole | Way::Beside => Buffers::default(),
    };
    while left > 0 {
        let most = usize::try_from(left).map_or(piece, |left| left.min(piece));
        let mut buffer = buffers.take(piece);
        match file.read(&mut buffer.room()[..most]) {
            Ok(0) => return Err(changed(path)),
            // A signal came while a network's or a user's own file system was read.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(length) => {
                left -= length as u64;
                if !pass(buffers.filled(buffer, length)) {
                    return Ok(());
                }
                thread::let_others();
            }
        }
    }
    if is_whole && file.read(&mut [0])? > 0 { Err(changed(path)) } else { Ok(()) }
}

/// The error of a file that has not as many bytes as it had.
pub(crate) fn changed(path: &Path) -> io::Error {
    let what = format!("{} changed while it was read", path.display());
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

/// How a range of a file is read.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// All of it for one request: nothing may follow.
    Whole,
    /// The same, and others are read at the same time.
    Beside,
    /// A part of it, beside others, with the same buffers.
    Part(Buffers),
    /// One chunk after another for a platform on this machine, with the same buffers.
    Near(Near),
}

/// How a file is read for a platform on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    /// What the bytes are read into, chunk after chunk.
    pub(crate) buffers: Buffers,
    /// Other uploads run beside it: up to 16 of them have to do with 64 MiB in all.
    pub(crate) shares: bool,
}

impl Near {
    fn piece(&self) -> usize {
        if self.shares { PIECE } else { 2 * PIECE }
    }

    /// How many pieces wait for the network, and as many for whoever hashes them.
    pub(crate) fn ahead(&self) -> usize {
        if self.shares { AHEAD } else { 4 * AHEAD }
    }
}

impl Way {
    /// How much is read at a time. A file that goes in one request has no others beside it, so that its pieces may be larger,
    /// which saves wake-ups.
    fn piece(&self, length: u64) -> usize {
        let most = match self {
            Self::Whole => 4 * PIECE,
            Self::Beside | Self::Part(_) => PIECE,
            Self::Near(near) => return near.piece(),
        };
        let share = usize::try_from(length / 32).unwrap_or(most).clamp(PIECE, most);
        usize::try_from(length).map_or(share, |length| length.min(share))
    }

    /// How many pieces wait for the network.
    fn ahead(&self) -> usize {
        match self {
            Self::Near(near) => near.ahead(),
            Self::Whole | Self::Beside => AHEAD,
            // Up to 16 of them: what more they hold is waiting memory, while the others' pieces keep the network busy.
            Self::Part(_) => AHEAD / 2,
        }
    }
}

pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Error {
    if path.as_os_str().is_empty() {
        return Error::upload("the path of what is to be uploaded is empty").with_source(error);
    }
    Error::upload(format!("{} cannot be read: {error}", path.display())).with_source(error)
}

impl From<&str> for UploadSource {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for UploadSource {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for UploadSource {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for UploadSource {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&Path> for UploadSource {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

//! A large file that goes in one request, read by two threads in turn: one alone needs longer to copy it out of the system's
//! cache than the network's task needs to hand it to a server on this machine.

use std::{fs::File, io, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;

use super::{buffers::Buffers, source::changed, thread};

/// Pieces of each that wait for the network: on a busy machine it may not run for some milliseconds, in which a fast network sends
/// as many MiB.
const AHEAD: usize = 4;

/// What both read. Clones are the same file.
#[derive(Clone)]
struct Course {
    path: Arc<Path>,
    /// Opened once: by its name two may find two files.
    file: Arc<File>,
    size: u64,
    piece: usize,
    buffers: Buffers,
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// All `size` bytes of a file, in pieces of `piece`: exactly those and nothing after them, or an error.
pub(crate) fn pieces(
    path: &Path,
    size: u64,
    piece: usize,
) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let ((even, first), (odd, second)) = (mpsc::channel(AHEAD), mpsc::channel(AHEAD));
    let (path, told) = (Arc::from(path), even.clone());
    let reading = move || {
        let file = match File::open(&path) {
            Ok(file) => Arc::new(file),
            Err(error) => return tell(&even, error),
        };
        let course = Course { path, file, size, piece, buffers: Buffers::default() };
        let (other, told) = (course.clone(), odd.clone());
        if let Some(error) = thread::run(move || other.read(1, &odd)).failed() {
            tell(&told, error);
        }
        // What it holds would keep the stream waiting for a thread that broke.
        drop(told);
        course.read(0, &even);
    };
    if let Some(error) = thread::run(reading).failed() {
        tell(&told, error);
    }
    stream::unfold(Some((first, second)), |ends| async {
        let (mut next, after) = ends?;
        let piece = next.recv().await?;
        let ends = piece.is_ok().then_some((after, next));
        Some((piece, ends))
    })
}

fn tell(pieces: &Pieces, error: io::Error) {
    // Nothing was sent before, and nobody may wait for it.
    let _ = pieces.try_send(Err(error));
}

impl Course {
    /// Reads every other piece, from this one on.
    fn read(&self, from: u64, pieces: &Pieces) {
        let mut start = from * self.piece as u64;
        while start < self.size {
            let piece = self.piece_at(start);
            let is_last = piece.is_err();
            if pieces.blocking_send(piece).is_err() || is_last {
                return;
            }
            thread::let_others();
            start += 2 * self.piece as u64;
        }
    }

    fn piece_at(&self, start: u64) -> io::Result<Bytes> {
        let left = self.size - start;
        let length = usize::try_from(left).map_or(self.piece, |left| left.min(self.piece));
        let mut buffer = self.buffers.take(self.piece);
        let room = &mut buffer.room()[..length];
        let mut filled = 0;
        while filled < length {
            match self.read_at(&mut room[filled..], start + filled as u64)? {
                0 => return Err(changed(&self.path)),
                read => filled += read,
            }
        }
        if left == length as u64 && self.read_at(&mut [0], self.size)? > 0 {
            return Err(changed(&self.path));
        }
        Ok(self.buffers.filled(buffer, length))
    }

    fn read_at(&self, room: &mut [u8], from: u64) -> io::Result<usize> {
        loop {
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&*self.file, room, from);
            #[cfg(windows)]
            let read = std::os::windows::fs::FileExt::seek_read(&*self.file, room, from);
            match read {
                // A signal came while a network's or a user's own file system was read.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    /// What comes of a file with so many bytes that is taken to have `size`: the bytes until an error, and its kind.
    async fn read(bytes: &[u8], size: u64) -> (Vec<u8>, Option<io::ErrorKind>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let (mut all, mut failed) = (Vec::new(), None);
        let mut pieces = std::pin::pin!(pieces(file.path(), size, 1000));
        while let Some(piece) = pieces.next().await {
            assert_eq!(failed, None, "nothing comes after an error");
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => failed = Some(error.kind()),
            }
        }
        (all, failed)
    }

    #[tokio::test]
    async fn a_file_comes_in_its_own_order_however_many_pieces_it_has() {
        for size in [1, 999, 1000, 1001, 2000, 2500, 20_000, 20_001, 50_999] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            assert_eq!(read(&bytes, size).await, (bytes, None), "{size} bytes");
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_or_longer_is_an_error_before_its_last_piece() {
        for (size, is) in [(20_000, 19_999), (20_000, 9500), (19_000, 19_001), (1000, 0)] {
            let bytes: Vec<u8> = (0..is).map(|n| (n % 251) as u8).collect();
            let (came, failed) = read(&bytes, size).await;
            assert_eq!(failed, Some(io::ErrorKind::UnexpectedEof), "{is} bytes of {size}");
            assert!((came.len() as u64) < size && bytes.starts_with(&came), "{is} bytes of {size}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut pieces = std::pin::pin!(pieces(&folder.path().join("film.bin"), 5000, 1000));
        let error = pieces.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(pieces.next().await.is_none());
    }
}

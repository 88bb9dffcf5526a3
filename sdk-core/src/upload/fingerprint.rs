//! Whether a file is still the one that an upload began with: cheap to ask before every chunk, and by content after a crash.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

use sha2::{Digest as _, Sha256};
use storycore_sha256_pair::Sha256 as Pair;

/// How much of each end is hashed.
const END: u64 = 64 * 1024;

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    /// Nanoseconds since 1970, wrapping: only compared.
    pub(crate) mtime: i64,
    /// Zero where there is none.
    pub(crate) inode: i64,
}

impl Stamp {
    pub(crate) fn of(data: &Metadata) -> Self {
        let since = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(data).cast_signed();
        #[cfg(not(unix))]
        let inode = 0;
        Self { size: data.len(), mtime: since.map_or(0, |since| since.as_nanos() as i64), inode }
    }

    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|data| Self::of(&data))
    }
}

/// A file as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) stamp: Stamp,
    pub(crate) head: [u8; 32],
    pub(crate) tail: [u8; 32],
}

impl Fingerprint {
    /// It may block.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let stamp = Stamp::read(path)?;
        let mut file = File::open(path)?;
        let mut hash = |from: u64| -> io::Result<[u8; 32]> {
            file.seek(SeekFrom::Start(from))?;
            let mut end = Vec::with_capacity(END as usize);
            file.by_ref().take(END).read_to_end(&mut end)?;
            Ok(Sha256::digest(&end).into())
        };
        Ok(Self { stamp, head: hash(0)?, tail: hash(stamp.size.saturating_sub(END))? })
    }

    /// That of a file whose bytes these are, and their SHA-256: in one reading, where it can be.
    pub(crate) fn of(stamp: Stamp, bytes: &[u8]) -> (Self, [u8; 32]) {
        let end = bytes.len().min(END as usize);
        let from = bytes.len() - end;
        let (mut whole, mut tail) = (Pair::new(), Pair::new());
        whole.update(&bytes[..from.min(end)]);
        if from < end {
            whole.update_both(&mut tail, &bytes[from..end]);
        }
        let head = whole.clone().finish();
        if end < from {
            whole.update(&bytes[end..from]);
        }
        whole.update_both(&mut tail, &bytes[from.max(end)..]);
        (Self { stamp, head, tail: tail.finish() }, whole.finish())
    }

    /// Of what is no file, and is in no journal.
    pub(crate) fn none(size: u64) -> Self {
        Self { stamp: Stamp { size, mtime: 0, inode: 0 }, head: [0; 32], tail: [0; 32] }
    }

    /// Whether it may be the same file. Its times may differ, as a copy's do: what the platform has is compared by content.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        self.stamp.size == other.stamp.size && self.head == other.head && self.tail == other.tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_same_fingerprint_however_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.bin");
        let end = END as usize;
        for size in
            [0, 1, 63, end - 1, end, end + 1, 100 * 1024, 2 * end - 1, 2 * end, 3 * end + 17]
        {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let read = Fingerprint::read(&path).unwrap();
            let (made, sha256) = Fingerprint::of(read.stamp, &bytes);
            assert_eq!(made, read, "{size} bytes");
            assert_eq!(sha256, <[u8; 32]>::from(Sha256::digest(&bytes)), "{size} bytes");
        }
    }
}

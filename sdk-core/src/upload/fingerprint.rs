//! Whether a file is still the one that an upload began with: cheap to ask before every chunk, and by content after a crash.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

use sha2::{Digest as _, Sha256};

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
    fn of(data: &Metadata) -> Self {
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

    /// Of what is no file, and is in no journal.
    pub(crate) fn none(size: u64) -> Self {
        Self { stamp: Stamp { size, mtime: 0, inode: 0 }, head: [0; 32], tail: [0; 32] }
    }

    /// Whether it may be the same file. Its times may differ, as a copy's do: what the platform has is compared by content.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        self.stamp.size == other.stamp.size && self.head == other.head && self.tail == other.tail
    }
}

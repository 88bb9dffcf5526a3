//! A chunk that is appended to an upload's file: written and hashed block by block on two threads that may block, while the
//! next blocks fill. What the chunk's checksum means is its caller's business.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, Write as _},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use storycore_sha256_pair::Sha256;

use super::{
    block::{Block, Spare},
    blocking,
    lane::{Lane, Room},
};

/// The hash of a chunk, as it grows.
#[derive(Debug, Clone)]
pub(crate) enum Checksum {
    Sha256(Sha256),
    Sha1(Sha1),
    Crc32c(u32),
}

impl Checksum {
    /// The algorithm's hash of nothing, by its tus name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256(Sha256::new())),
            "sha1" => Some(Self::Sha1(Sha1::new())),
            "crc32c" => Some(Self::Crc32c(0)),
            _ => None,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Crc32c(sum) => *sum = crc32c::crc32c_append(*sum, bytes),
        }
    }

    /// The digest; of CRC-32C its four bytes, most significant first.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hash) => hash.finish().to_vec(),
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Crc32c(sum) => sum.to_be_bytes().to_vec(),
        }
    }
}

/// What is hashed of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Hashes {
    /// Of the whole upload up to here.
    pub(crate) whole: Option<Sha256>,
    /// Of this chunk.
    pub(crate) chunk: Option<Checksum>,
}

impl Hashes {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self { whole: Some(whole), chunk: Some(Checksum::Sha256(chunk)) } => {
                whole.update_both(chunk, bytes);
            }
            Self { whole, chunk } => {
                if let Some(whole) = whole {
                    whole.update(bytes);
                }
                if let Some(chunk) = chunk {
                    chunk.update(bytes);
                }
            }
        }
    }
}

/// A chunk on its way to the disk.
pub(crate) struct Appending {
    filling: Block,
    room: Room,
    writing: Lane<Writing>,
    /// Beside the writing: neither needs the other, and one after the other takes a third longer.
    hashing: Lane<Hashes>,
    is_broken: Arc<AtomicBool>,
}

struct Writing {
    file: File,
    error: Option<io::Error>,
    is_broken: Arc<AtomicBool>,
}

impl Appending {
    /// Goes on at `offset`, which must be the file's end.
    pub(super) async fn open(
        path: PathBuf,
        offset: u64,
        hashes: Hashes,
        spare: Spare,
    ) -> io::Result<Self> {
        blocking(move || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(io::SeekFrom::Start(offset))?;
            let is_broken = Arc::new(AtomicBool::new(false));
            let writing = Writing { file, error: None, is_broken: Arc::clone(&is_broken) };
            Ok(Self {
                filling: spare.block(),
                room: Room::new(spare),
                writing: Lane::new(writing),
                hashing: Lane::new(hashes),
                is_broken,
            })
        })
        .await
    }

    /// Takes in a piece.
    pub(crate) async fn write(&mut self, mut piece: Bytes) -> io::Result<()> {
        while !piece.is_empty() {
            if self.is_broken.load(Relaxed) {
                return self.written().await;
            }
            self.filling.take(&mut piece);
            if self.filling.is_full() {
                self.flush().await;
            }
        }
        Ok(())
    }

    /// Writes the last bytes. After an error the file ends with whatever was written before it.
    pub(crate) async fn finish(mut self) -> io::Result<Hashes> {
        if !self.is_broken.load(Relaxed) {
            self.flush().await;
        }
        self.written().await?;
        self.hashing.end().ok_or_else(|| io::Error::other("the hashing broke"))
    }

    async fn flush(&mut self) {
        let block = self.room.filled(&mut self.filling).await;
        self.hashing.push(Arc::clone(&block), Hashes::update);
        self.writing.push(block, Writing::write);
    }

    /// Whether everything was written, once it could be.
    async fn written(&mut self) -> io::Result<()> {
        self.room.is_empty().await;
        match self.writing.end() {
            Some(Writing { error: None, .. }) => Ok(()),
            Some(Writing { error: Some(error), .. }) => Err(error),
            None => Err(io::Error::other("an earlier write failed")),
        }
    }
}

impl Writing {
    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none()
            && let Err(error) = self.file.write_all(bytes)
        {
            self.error = Some(error);
            self.is_broken.store(true, Relaxed);
        }
    }
}

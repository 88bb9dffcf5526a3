//! A chunk that is appended to an upload's file: written and hashed block by block on two threads that may block, while the
//! next block fills. What the chunk's checksum means is its caller's business.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use storycore_sha256_pair::Sha256;
use tokio::task::JoinHandle;

use super::{block::Block, blocking};

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

    fn update(&mut self, bytes: &[u8]) {
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
    behind: Behind,
}

/// The block before the one that fills.
enum Behind {
    /// It is done with; its room may be filled again.
    Idle(File, Box<Hashes>, Block),
    /// Two threads read it.
    Busy(JoinHandle<io::Result<File>>, JoinHandle<Box<Hashes>>, Arc<Block>),
    /// A write failed; that was reported.
    Broken,
}

impl Appending {
    /// Goes on at `offset`, which must be the file's end.
    pub(crate) async fn open(path: PathBuf, offset: u64, hashes: Hashes) -> io::Result<Self> {
        blocking(move || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(io::SeekFrom::Start(offset))?;
            let behind = Behind::Idle(file, Box::new(hashes), Block::default());
            Ok(Self { filling: Block::default(), behind })
        })
        .await
    }

    /// Takes in a piece.
    pub(crate) async fn write(&mut self, mut piece: Bytes) -> io::Result<()> {
        while !piece.is_empty() {
            self.filling.take(&mut piece);
            if self.filling.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes the last bytes. After an error the file ends with whatever was written before it.
    pub(crate) async fn finish(mut self) -> io::Result<Hashes> {
        self.flush().await?;
        Ok(*self.idle().await?.1)
    }

    /// Has the filled block written and hashed, once the one before it is.
    async fn flush(&mut self) -> io::Result<()> {
        let (mut file, mut hashes, free) = self.idle().await?;
        let block = Arc::new(std::mem::replace(&mut self.filling, free));
        let (written, hashed) = (Arc::clone(&block), Arc::clone(&block));
        // Side by side: neither needs the other, and one after the other takes a third longer.
        let writing = tokio::task::spawn_blocking(move || {
            file.write_all(written.filled())?;
            Ok(file)
        });
        let hashing = tokio::task::spawn_blocking(move || {
            hashes.update(hashed.filled());
            hashes
        });
        self.behind = Behind::Busy(writing, hashing, block);
        Ok(())
    }

    /// What there is to work with, once the block before is done with.
    async fn idle(&mut self) -> io::Result<(File, Box<Hashes>, Block)> {
        match std::mem::replace(&mut self.behind, Behind::Broken) {
            Behind::Idle(file, hashes, block) => Ok((file, hashes, block)),
            Behind::Busy(writing, hashing, block) => {
                let (file, hashes) = tokio::join!(writing, hashing);
                let mut block = Arc::into_inner(block).unwrap_or_default();
                block.clear();
                Ok((file.map_err(io::Error::other)??, hashes.map_err(io::Error::other)?, block))
            }
            Behind::Broken => Err(io::Error::other("an earlier write failed")),
        }
    }
}

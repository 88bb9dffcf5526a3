//! A chunk that is appended to an upload's file: written and hashed block by block on a thread that may block, while the
//! next block fills. What the chunk's checksum means is its caller's business.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, Write as _},
    path::PathBuf,
};

use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
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
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha1(hash) => hash.finalize().to_vec(),
            Self::Crc32c(sum) => sum.to_be_bytes().to_vec(),
        }
    }
}

/// A chunk on its way to the disk.
pub(crate) struct Appending {
    filling: Block,
    disk: Option<JoinHandle<io::Result<Box<Writer>>>>,
    idle: Option<Box<Writer>>,
}

/// What writes, and what it knows when all is written.
pub(crate) struct Writer {
    file: File,
    /// Of the whole upload up to here.
    pub(crate) hash: Option<Sha256>,
    /// Of this chunk.
    pub(crate) checksum: Option<Checksum>,
    /// The block that was written, to be filled again.
    block: Block,
}

impl Appending {
    /// Goes on at `offset`, which must be the file's end.
    pub(crate) async fn open(
        path: PathBuf,
        offset: u64,
        hash: Option<Sha256>,
        checksum: Option<Checksum>,
    ) -> io::Result<Self> {
        blocking(move || {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(io::SeekFrom::Start(offset))?;
            let writer = Writer { file, hash, checksum, block: Block::default() };
            Ok(Self { filling: Block::default(), disk: None, idle: Some(Box::new(writer)) })
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
    pub(crate) async fn finish(mut self) -> io::Result<Writer> {
        self.flush().await?;
        Ok(*self.writer().await?)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let mut writer = self.writer().await?;
        std::mem::swap(&mut writer.block, &mut self.filling);
        self.disk = Some(tokio::task::spawn_blocking(move || {
            let Writer { file, hash, checksum, block } = &mut *writer;
            file.write_all(block.filled())?;
            if let Some(hash) = hash {
                hash.update(block.filled());
            }
            if let Some(checksum) = checksum {
                checksum.update(block.filled());
            }
            block.clear();
            Ok(writer)
        }));
        Ok(())
    }

    async fn writer(&mut self) -> io::Result<Box<Writer>> {
        if let Some(task) = self.disk.take() {
            return task.await.map_err(io::Error::other)?;
        }
        self.idle.take().ok_or_else(|| io::Error::other("an earlier write failed"))
    }
}

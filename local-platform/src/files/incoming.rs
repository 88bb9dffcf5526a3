//! A file that arrives in pieces: hashed and written on a thread that may block, one block at a time while the next one
//! fills, so that memory stays at two blocks a file and a slow sender holds no thread. A file of one block goes there once: it is
//! made, written and closed in one go.

use std::{
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;

use super::{
    Temporary,
    block::{Block, Spare},
    blocking,
};

/// Hashed by whoever receives it, and written when its asset is made: 256 KiB take 0.2 ms, a way to another thread and back a
/// quarter of that.
const SMALL: u64 = 256 * 1024;

/// A file that is being taken in; removed when dropped.
pub(crate) struct Incoming {
    filling: Block,
    disk: Disk,
    size: u64,
    durable: bool,
}

enum Disk {
    Idle(Box<Writer>),
    Writing(JoinHandle<io::Result<Box<Writer>>>),
    /// A write failed; that was reported.
    Broken,
}

struct Writer {
    /// Made with the first block, and closed before it is removed.
    file: Option<File>,
    /// Its own too: a write that was begun may make the file after whoever wanted it is gone.
    temporary: Arc<Temporary>,
    hash: Sha256,
    /// The block that was written, to be filled again.
    block: Block,
}

/// A whole file that has no asset yet; removed when dropped.
pub(crate) struct Received {
    pub(super) temporary: Arc<Temporary>,
    /// In bytes.
    pub(crate) size: u64,
    /// Hexadecimal.
    pub(crate) sha256: String,
    /// A small file that is in memory only, and whether it must outlive a power cut.
    unwritten: Option<(Box<Writer>, bool)>,
}

impl Received {
    pub(super) fn on_disk(temporary: Temporary, size: u64, sha256: String) -> Self {
        Self { temporary: Arc::new(temporary), size, sha256, unwritten: None }
    }

    /// A file that others may still hold.
    pub(super) fn joined(temporary: &Arc<Temporary>, size: u64, sha256: String) -> Self {
        Self { temporary: Arc::clone(temporary), size, sha256, unwritten: None }
    }

    /// Whether it is so small that it waits in memory for its asset.
    pub(super) fn is_small(&self) -> bool {
        self.unwritten.is_some()
    }

    /// The same on the disk, where a small one may not be yet.
    pub(crate) async fn written(mut self) -> io::Result<Self> {
        if self.unwritten.is_none() {
            return Ok(self);
        }
        blocking(move || self.write_down().map(|()| self)).await
    }

    /// The same on this thread, which it may block.
    pub(super) fn write_down(&mut self) -> io::Result<()> {
        if let Some((mut writer, durable)) = self.unwritten.take() {
            let file = writer.write()?;
            if durable {
                file.sync_all()?;
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.temporary.path()
    }

    pub(super) fn forget(self) {
        self.temporary.forget();
    }

    /// A file that something else wrote: hashed and made to last.
    pub(super) async fn made(path: PathBuf, durable: bool) -> io::Result<Self> {
        let temporary = Temporary::new(path);
        blocking(move || {
            let mut file = File::open(temporary.path())?;
            let mut hash = Sha256::new();
            let mut block = Block::default();
            let mut size = 0;
            while block.read(&mut file)? {
                hash.update(block.filled());
                size += block.filled().len() as u64;
            }
            if durable {
                file.sync_all()?;
            }
            let sha256 = hex::encode(hash.finalize());
            Ok(Self::on_disk(temporary, size, sha256))
        })
        .await
    }
}

impl Incoming {
    /// A new file, made when there is something to write.
    pub(super) fn new(path: PathBuf, durable: bool, spare: &Spare) -> Self {
        let writer = Writer {
            file: None,
            temporary: Arc::new(Temporary::new(path)),
            hash: Sha256::new(),
            block: spare.block(),
        };
        Self { filling: spare.block(), disk: Disk::Idle(Box::new(writer)), size: 0, durable }
    }

    /// How many bytes have been taken in.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes in a piece.
    pub(crate) async fn write(&mut self, mut piece: Bytes) -> io::Result<()> {
        self.size += piece.len() as u64;
        while !piece.is_empty() {
            self.filling.take(&mut piece);
            if self.filling.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Writes the last bytes. The file is on disk when this returns, but for one so small that it goes there with its asset.
    pub(crate) async fn finish(mut self) -> io::Result<Received> {
        let (mut writer, durable) = (self.next().await?, self.durable);
        let (temporary, size) = (Arc::clone(&writer.temporary), self.size);
        if size <= SMALL {
            writer.hash();
            let sha256 = hex::encode(writer.hash.clone().finalize());
            return Ok(Received { temporary, size, sha256, unwritten: Some((writer, durable)) });
        }
        let sha256 = blocking(move || {
            writer.hash();
            let file = writer.write()?;
            if durable {
                file.sync_all()?;
            }
            Ok(hex::encode(writer.hash.finalize()))
        })
        .await?;
        Ok(Received { temporary, size, sha256, unwritten: None })
    }

    /// Has the filled block written, once the one before it is.
    async fn flush(&mut self) -> io::Result<()> {
        let mut writer = self.next().await?;
        self.disk = Disk::Writing(tokio::task::spawn_blocking(move || {
            writer.hash();
            writer.write()?;
            Ok(writer)
        }));
        Ok(())
    }

    /// The writer, when it is done with its block, with the next one.
    async fn next(&mut self) -> io::Result<Box<Writer>> {
        let mut writer = self.writer().await?;
        std::mem::swap(&mut writer.block, &mut self.filling);
        Ok(writer)
    }

    /// The writer, when it is done with its block.
    async fn writer(&mut self) -> io::Result<Box<Writer>> {
        match &mut self.disk {
            Disk::Idle(_) => {}
            Disk::Writing(task) => {
                let done = task.await.map_err(io::Error::other);
                self.disk = Disk::Broken;
                return done?;
            }
            Disk::Broken => return Err(io::Error::other("an earlier write failed")),
        }
        match std::mem::replace(&mut self.disk, Disk::Broken) {
            Disk::Idle(writer) => Ok(writer),
            _ => Err(io::Error::other("a write was not awaited")),
        }
    }
}

impl Writer {
    fn hash(&mut self) {
        self.hash.update(self.block.filled());
    }

    /// Writes its block; the file, made at the first one.
    fn write(&mut self) -> io::Result<&File> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => File::create_new(self.temporary.path())?,
        };
        file.write_all(self.block.filled())?;
        self.block.clear();
        Ok(self.file.insert(file))
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    /// Has `work` done in a runtime whose one thread for blocking work is taken until it is over, and says whether a file is left
    /// when that thread has done all that it was given.
    fn leaves_a_file(work: impl AsyncFnOnce(Incoming)) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
        runtime.expect("a runtime").block_on(async {
            let (free, taken) = std::sync::mpsc::channel::<()>();
            drop(tokio::task::spawn_blocking(move || taken.recv()));
            work(Incoming::new(folder.path().join("in"), false, &Spare::default())).await;
            drop(free);
            blocking(|| Ok(())).await.expect("what was given before is done");
        });
        std::fs::read_dir(folder.path()).expect("the folder").count() > 0
    }

    #[test]
    fn a_form_that_breaks_off_before_its_block_is_written_leaves_no_file() {
        assert!(!leaves_a_file(async |mut incoming| {
            let block = Bytes::from(vec![7; 600 * 1024]);
            incoming.write(block).await.expect("there is room for one block more");
        }));
    }

    #[test]
    fn a_client_that_hangs_up_before_its_file_is_written_leaves_none() {
        assert!(!leaves_a_file(async |mut incoming| {
            incoming.write(Bytes::from(vec![7; 300 * 1024])).await.expect("it fits in a block");
            let mut finishing = pin!(incoming.finish());
            assert!(futures_util::poll!(&mut finishing).is_pending());
        }));
    }
}

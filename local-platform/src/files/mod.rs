//! Media on disk, in the data directory: `incoming` holds files that are still arriving, `assets` the files of assets by
//! their ids, `work` a folder for each running job,
//! `uploads` what has come of resumable uploads. A file gets into `assets` by a rename, before its row is
//! committed; what a crash leaves without a row is removed by the next start, in `sweep`.

mod appending;
mod block;
mod incoming;
mod join;
mod kind;
mod lane;
mod sweep;
mod uploads;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use block::Spare;

pub(crate) use appending::{Appending, Checksum, Hashes};
pub(crate) use incoming::{Incoming, Received};
pub(crate) use kind::{content_type_of, extension};
pub(crate) use sweep::sweep;

/// The folders of one data directory.
#[derive(Debug)]
pub(crate) struct Files {
    incoming: PathBuf,
    assets: PathBuf,
    work: PathBuf,
    uploads: PathBuf,
    /// Whether what is written must outlive a power cut.
    durable: bool,
    /// Room for what arrives.
    spare: Spare,
}

impl Files {
    /// Makes the folders where they are missing.
    pub(crate) fn open(directory: &Path, durable: bool) -> io::Result<Self> {
        let files = directory.join("files");
        let [incoming, assets, work, uploads] =
            ["incoming", "assets", "work", "uploads"].map(|name| files.join(name));
        for folder in [&incoming, &assets, &work, &uploads] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self { incoming, assets, work, uploads, durable, spare: Spare::default() })
    }

    /// Where the bytes of an asset are.
    pub(crate) fn asset(&self, id: &str) -> PathBuf {
        self.assets.join(id)
    }

    /// Begins to take a file in.
    pub(crate) fn receive(&self) -> Incoming {
        Incoming::new(self.incoming.join(crate::ids::new("in")), self.durable, &self.spare)
    }

    /// Makes an empty folder for a run of a job; it is removed when dropped.
    pub(crate) async fn work_folder(&self) -> io::Result<Temporary> {
        let path = self.work.join(crate::ids::new("run"));
        tokio::fs::create_dir(&path).await?;
        Ok(Temporary::new(path))
    }

    /// Takes a file over that something else wrote on the same disk: hashed, and made to last.
    pub(crate) async fn take(&self, path: PathBuf) -> io::Result<Received> {
        Received::made(path, self.durable).await
    }

    /// Moves a whole file to where the asset's bytes belong. Its row is to be committed next; whoever fails to do so
    /// calls [`Files::remove`].
    pub(crate) async fn place(&self, mut file: Received, id: &str) -> io::Result<()> {
        let (to, folder, durable) = (self.asset(id), self.assets.clone(), self.durable);
        let is_quick = !durable && file.is_small();
        let place = move || {
            file.write_down()?;
            std::fs::rename(file.path(), &to)?;
            file.forget();
            if durable {
                // Without this a power cut may keep the row and lose the name.
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        // What need not last waits for no disk: a way to another thread and back takes longer than a small file's bytes.
        if is_quick { place() } else { blocking(place).await }
    }

    /// Removes an asset's bytes; where that fails, the next start tries again.
    pub(crate) async fn remove(&self, id: &str) {
        match tokio::fs::remove_file(self.asset(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, asset = id, "an asset's file could not be removed; the next start will");
            }
            _ => {}
        }
    }
}

/// Runs file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// A file or folder that is removed when dropped, so that whoever makes or fills it has to own it.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    forgotten: AtomicBool,
}

impl Temporary {
    fn new(path: PathBuf) -> Self {
        Self { path, forgotten: AtomicBool::new(false) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is: it is something else now.
    fn forget(&self) {
        self.forgotten.store(true, Ordering::Release);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if *self.forgotten.get_mut() {
            return;
        }
        let path = &self.path;
        let removed =
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a temporary file could not be removed; the next start will");
        }
    }
}

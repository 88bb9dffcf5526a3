//! The files of resumable uploads: `files/uploads`, one file an upload, by its id. Its length is the upload's offset.

use std::{
    fs::File,
    io::{self, Seek as _},
    path::PathBuf,
};

use storycore_sha256_pair::Sha256;

use super::{Appending, Checksum, Files, Hashes, block::Block, blocking};

impl Files {
    /// Where an upload's bytes are.
    pub(crate) fn upload(&self, id: &str) -> PathBuf {
        self.uploads.join(id)
    }

    /// Makes an empty file for a new upload.
    pub(crate) async fn begin_upload(&self, id: &str) -> io::Result<()> {
        let path = self.upload(id);
        blocking(move || File::create_new(path).map(|_| ())).await
    }

    /// Goes on with an upload's bytes at `offset`, which must be where they end.
    pub(crate) async fn append_upload(
        &self,
        id: &str,
        offset: u64,
        hashes: Hashes,
    ) -> io::Result<Appending> {
        Appending::open(self.upload(id), offset, hashes, self.spare.clone()).await
    }

    /// How many bytes of an upload there are.
    pub(crate) async fn uploaded(&self, id: &str) -> io::Result<u64> {
        Ok(tokio::fs::metadata(self.upload(id)).await?.len())
    }

    /// Cuts an upload's file back. One that is shorter already, as a power cut can leave it, stays so: it would be filled with
    /// zeros, and the offset would tell of bytes that nobody sent.
    pub(crate) async fn cut_upload(&self, id: &str, length: u64) -> io::Result<()> {
        let path = self.upload(id);
        blocking(move || {
            let file = File::options().write(true).open(path)?;
            if file.metadata()?.len() > length { file.set_len(length) } else { Ok(()) }
        })
        .await
    }

    /// Removes an upload's bytes; where that fails, the next start tries again.
    pub(crate) async fn remove_upload(&self, id: &str) {
        match tokio::fs::remove_file(self.upload(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, upload = id, "an upload's file could not be removed; the next start will");
            }
            _ => {}
        }
    }

    /// Gives an upload's bytes a second name, as an asset's. The first one stays until the asset's row is there, so that
    /// a crash in between loses nothing.
    pub(crate) async fn share_upload(&self, id: &str, asset: &str) -> io::Result<()> {
        let (from, to, folder, durable) =
            (self.upload(id), self.asset(asset), self.assets.clone(), self.durable);
        blocking(move || {
            if durable {
                File::open(&from)?.sync_all()?;
            }
            if let Err(error) = std::fs::hard_link(&from, &to) {
                tracing::debug!(%error, "no hard links here: the upload is copied");
                std::fs::copy(&from, &to)?;
                if durable {
                    File::open(&to)?.sync_all()?;
                }
            }
            if durable {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        })
        .await
    }

    /// The SHA-256 of an upload's bytes, in hexadecimal.
    pub(crate) async fn hash_upload(&self, id: &str) -> io::Result<String> {
        let path = self.upload(id);
        blocking(move || {
            let mut hash = Sha256::new();
            pass(File::open(path)?, |block| hash.update(block))?;
            Ok(hex::encode(hash.finish()))
        })
        .await
    }

    /// The checksum of an upload's bytes from `start` on.
    pub(crate) async fn checksum_of_upload(
        &self,
        id: &str,
        start: u64,
        mut checksum: Checksum,
    ) -> io::Result<Vec<u8>> {
        let path = self.upload(id);
        blocking(move || {
            let mut file = File::open(path)?;
            file.seek(io::SeekFrom::Start(start))?;
            pass(file, |block| checksum.update(block))?;
            Ok(checksum.finish())
        })
        .await
    }
}

/// Shows what follows in a file, block by block.
fn pass(mut file: File, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    let mut block = Block::default();
    while block.read(&mut file)? {
        see(block.filled());
    }
    Ok(())
}

//! The SHA-256 of a whole upload. Taken together with those of its chunks, as far as these come in order, it costs nothing; what
//! they leave out is read once more.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storycore_sha256_pair::Sha256;

use super::UploadSource;

/// How far the upload's bytes are hashed. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whole(Arc<Mutex<Sha256>>);

/// The bytes from here on are the upload's from `at` on.
#[derive(Debug, Clone)]
pub(crate) struct Along {
    whole: Whole,
    at: u64,
}

impl Whole {
    /// For a chunk that begins `at` there in the upload.
    pub(crate) fn along(&self, at: u64) -> Along {
        Along { whole: self.clone(), at }
    }

    /// Takes in what it has not seen of the upload's bytes before `end`, the first of which is at `base` in the upload and at
    /// 0 in the source.
    pub(crate) async fn up_to(&self, source: &UploadSource, base: u64, end: u64) -> io::Result<()> {
        let from = self.lock().length().max(base);
        if from < end {
            source.sha256(from - base..end - base, Some(self.along(from))).await?;
        }
        Ok(())
    }

    /// The digest of a source that has `size` bytes.
    pub(crate) async fn of(&self, source: &UploadSource, size: u64) -> io::Result<[u8; 32]> {
        self.up_to(source, 0, size).await?;
        Ok(self.digest())
    }

    /// The digest of what it has seen.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.lock().clone().finish()
    }

    fn lock(&self) -> MutexGuard<'_, Sha256> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Along {
    /// Takes bytes into a chunk's hash, and into the upload's. The upload's is free between two calls, which have to be in the
    /// order of the bytes.
    pub(crate) fn update(&mut self, chunk: &mut Sha256, bytes: &[u8]) {
        both(&mut self.whole.lock(), &mut self.at, chunk, bytes);
    }
}

/// The hash of a chunk, and of the upload along with it.
pub(crate) struct Hashing<'a> {
    chunk: Sha256,
    /// Locked for as long as the chunk is read: two chunks at a time would find each other's bytes missing.
    whole: Option<(MutexGuard<'a, Sha256>, u64)>,
}

impl<'a> Hashing<'a> {
    pub(crate) fn new(along: Option<&'a Along>) -> Self {
        Self { chunk: Sha256::new(), whole: along.map(|along| (along.whole.lock(), along.at)) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.whole {
            Some((whole, at)) => both(whole, at, &mut self.chunk, bytes),
            None => self.chunk.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.chunk.finish()
    }
}

/// Takes bytes into a chunk's hash, and into the upload's, where they are its bytes from `at` on.
fn both(whole: &mut Sha256, at: &mut u64, chunk: &mut Sha256, bytes: &[u8]) {
    // A chunk that is sent again was seen; one that comes before its turn is left for later.
    let seen = usize::try_from(whole.length().saturating_sub(*at)).unwrap_or(usize::MAX);
    let (before, new) = bytes.split_at(seen.min(bytes.len()));
    chunk.update(before);
    *at += before.len() as u64;
    if *at == whole.length() {
        whole.update_both(chunk, new);
    } else {
        chunk.update(new);
    }
    *at += new.len() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(length: usize) -> (UploadSource, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        (UploadSource::bytes("film.bin", bytes.clone()), bytes)
    }

    #[tokio::test]
    async fn chunks_sent_twice_skipped_or_never_hashed_make_the_same_digest() {
        let (source, bytes) = source(10_000);
        let expected = storycore_sha256_pair::digest(&bytes);
        for chunks in [
            vec![],
            vec![(0, 10_000)],
            vec![(0, 4096), (4096, 8192), (8192, 10_000)],
            vec![(0, 4096), (0, 2048), (2048, 6144), (6144, 10_000)],
            vec![(4096, 8192), (0, 4096)],
            vec![(0, 1000), (1000, 1001)],
        ] {
            let whole = Whole::default();
            for (from, to) in &chunks {
                let digest = source.sha256(*from..*to, Some(whole.along(*from))).await.unwrap();
                let expected = &bytes[*from as usize..*to as usize];
                assert_eq!(digest, storycore_sha256_pair::digest(expected));
            }
            assert_eq!(whole.of(&source, 10_000).await.unwrap(), expected, "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn the_pieces_of_a_stream_are_one_whole() {
        let (_, bytes) = source(1000);
        let whole = Whole::default();
        for (n, piece) in bytes.chunks(300).enumerate() {
            let source = UploadSource::bytes("film.bin", piece.to_vec());
            let base = n as u64 * 300;
            whole.up_to(&source, base, base + piece.len() as u64).await.unwrap();
        }
        assert_eq!(whole.digest(), storycore_sha256_pair::digest(&bytes));
    }

    #[tokio::test]
    async fn hashing_that_nobody_waits_for_any_more_is_given_up() {
        let size = 1 << 30;
        let source = UploadSource::bytes("film.bin", vec![0; size as usize]);
        let whole = Whole::default();
        let mut hashing = Box::pin(whole.of(&source, size));
        assert!(futures_util::poll!(&mut hashing).is_pending());
        while whole.0.try_lock().is_ok_and(|hash| hash.length() == 0) {
            tokio::task::yield_now().await;
        }
        drop(hashing);
        // The hash is free again when the thread has come to its end.
        assert!(whole.lock().length() < size);
    }
}

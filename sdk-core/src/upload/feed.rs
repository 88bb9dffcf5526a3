//! A file on its way to a platform on this machine. One thread reads it and another hashes it, both ahead of what is sent, and at
//! a chunk's end they go on into the next one: while a platform looks through what it was sent and answers, there would be nothing
//! else to do here.

use std::{
    io, iter,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use storycore_sha256_pair::Sha256;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    UploadSource,
    source::{Near, Way},
    thread,
    whole::Along,
};

/// What is fed: from a chunk's beginning to the end of what is uploaded.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) source: UploadSource,
    pub(crate) range: Range<u64>,
    /// How long each chunk is; the last one may be shorter.
    pub(crate) chunk: u64,
    pub(crate) along: Option<Along>,
    pub(crate) near: Near,
}

/// Pieces of a file, and the SHA-256 of each of its chunks. Dropping it ends its threads.
#[derive(Debug)]
pub(crate) struct Feed {
    /// What did not pass yet.
    range: Range<u64>,
    chunk: u64,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    digests: mpsc::UnboundedReceiver<[u8; 32]>,
    /// What it has of the memory that uploads beside each other share, while it waits for the next chunk.
    share: Option<OwnedSemaphorePermit>,
}

/// Where an upload's feed is between two chunks. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<Option<Feed>>>);

impl Feeds {
    /// The one that was left here, if it goes on just there and with chunks of that size; a new one otherwise.
    pub(crate) fn take(&self, course: &Course) -> io::Result<Feed> {
        let left = self.replace(None);
        let fits = |feed: &Feed| feed.range == course.range && feed.chunk == course.chunk;
        match left.filter(fits) {
            Some(feed) => Ok(feed),
            None => Feed::start(course.clone()),
        }
    }

    /// For the next chunk.
    pub(crate) fn leave(&self, feed: Feed) {
        self.replace(Some(feed));
    }

    /// Nobody will go on with it soon.
    pub(crate) fn clear(&self) {
        self.replace(None);
    }

    /// The share of the one that was left here.
    pub(crate) fn share(&self) -> Option<OwnedSemaphorePermit> {
        self.place().as_mut().and_then(|feed| feed.share.take())
    }

    /// A chunk is through: what reads on into the next one keeps its share, and without any more to read it is given back.
    pub(crate) fn keep(&self, share: OwnedSemaphorePermit) {
        let mut place = self.place();
        *place = place.take().filter(|feed| !feed.range.is_empty());
        if let Some(feed) = &mut *place {
            feed.share = Some(share);
        }
    }

    fn replace(&self, feed: Option<Feed>) -> Option<Feed> {
        std::mem::replace(&mut *self.place(), feed)
    }

    fn place(&self) -> MutexGuard<'_, Option<Feed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Course {
    /// The length of its first chunk.
    pub(crate) fn first(&self) -> u64 {
        self.chunk.min(self.range.end - self.range.start)
    }

    fn chunks(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let (end, chunk) = (self.range.end, self.chunk);
        let at =
            move |start: u64| (start < end).then(|| start..end.min(start.saturating_add(chunk)));
        iter::successors(at(self.range.start), move |before| at(before.end))
    }
}

impl Feed {
    fn start(course: Course) -> io::Result<Self> {
        let ahead = course.near.ahead();
        let (sender, pieces) = mpsc::channel(ahead);
        let (to_hash, hashed) = mpsc::channel(ahead);
        let (told, digests) = mpsc::unbounded_channel();
        let (range, chunk) = (course.range.clone(), course.chunk);
        let to_read = course.clone();
        let hashing = move || hash(&course, hashed, &told);
        let reading = move || read(&to_read, &to_hash, &sender);
        for mut thread in [thread::run(hashing), thread::run(reading)] {
            if let Some(error) = thread.failed() {
                return Err(error);
            }
        }
        Ok(Self { range, chunk, pieces, digests, share: None })
    }

    /// The next piece, which never goes beyond its chunk.
    pub(crate) async fn piece(&mut self) -> io::Result<Bytes> {
        let piece = self.pieces.recv().await.unwrap_or_else(|| Err(broke()))?;
        self.range.start += piece.len() as u64;
        Ok(piece)
    }

    /// The SHA-256 of the chunk that passed.
    pub(crate) async fn digest(&mut self) -> io::Result<[u8; 32]> {
        self.digests.recv().await.ok_or_else(broke)
    }
}

fn broke() -> io::Error {
    io::Error::other("the reading or the hashing of the file broke")
}

fn read(course: &Course, to_hash: &mpsc::Sender<Bytes>, sender: &mpsc::Sender<io::Result<Bytes>>) {
    for chunk in course.chunks() {
        let pass = |piece: Bytes| {
            to_hash.blocking_send(piece.clone()).is_ok() && sender.blocking_send(Ok(piece)).is_ok()
        };
        if let Err(error) = course.source.show(chunk, Way::Near(course.near.clone()), pass) {
            let _ = sender.blocking_send(Err(error));
            return;
        }
        if sender.is_closed() || to_hash.is_closed() {
            return;
        }
    }
}

fn hash(
    course: &Course,
    mut pieces: mpsc::Receiver<Bytes>,
    told: &mpsc::UnboundedSender<[u8; 32]>,
) {
    let mut along = course.along.clone();
    for chunk in course.chunks() {
        let (mut hash, mut left) = (Sha256::new(), chunk.end - chunk.start);
        while left > 0 {
            let Some(piece) = pieces.blocking_recv() else { return };
            match &mut along {
                Some(along) => along.update(&mut hash, &piece),
                None => hash.update(&piece),
            }
            thread::let_others();
            left -= piece.len() as u64;
        }
        if told.send(hash.finish()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;
    use crate::upload::{buffers::Buffers, whole::Whole};

    const MIB: u64 = 1024 * 1024;

    fn course(bytes: &[u8], chunk: u64) -> (Course, Whole) {
        let (near, whole) = (Near { buffers: Buffers::default(), shares: false }, Whole::default());
        let source = UploadSource::bytes("film.bin", bytes.to_vec());
        let (range, along) = (0..bytes.len() as u64, Some(whole.along(0)));
        (Course { source, range, chunk, along, near }, whole)
    }

    /// Takes a chunk's pieces and its digest.
    async fn pass(feed: &mut Feed, length: u64) -> (Vec<u8>, [u8; 32]) {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            bytes.extend_from_slice(&feed.piece().await.unwrap());
        }
        (bytes, feed.digest().await.unwrap())
    }

    #[tokio::test]
    async fn a_chunk_that_is_sent_again_and_those_after_it_have_their_own_hashes_and_the_file_has_one()
     {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| (n % 251) as u8).collect();
        let (course, whole) = course(&bytes, 4000);
        let feeds = Feeds::default();
        let from = |start| Course {
            range: start..10_000,
            along: Some(whole.along(start)),
            ..course.clone()
        };
        for (start, end) in [(0, 4000), (4000, 8000), (4000, 8000), (8000, 10_000)] {
            let mut feed = feeds.take(&from(start)).unwrap();
            let chunk = &bytes[start as usize..end as usize];
            let expected = (chunk.to_vec(), storycore_sha256_pair::digest(chunk));
            assert_eq!(pass(&mut feed, end - start).await, expected);
            feeds.leave(feed);
        }
        assert_eq!(
            whole.of(&course.source, 10_000).await.unwrap(),
            storycore_sha256_pair::digest(&bytes)
        );
    }

    #[tokio::test]
    async fn a_feed_goes_on_only_where_it_stands_and_with_chunks_of_the_same_size() {
        let (course, _) = course(&[7; 100], 40);
        let feeds = Feeds::default();
        let mut feed = feeds.take(&course).unwrap();
        pass(&mut feed, 40).await;
        feeds.leave(feed);
        let next = Course { range: 40..100, ..course.clone() };
        for (other, digest) in [
            (Course { chunk: 30, ..next.clone() }, storycore_sha256_pair::digest(&[7; 30])),
            (Course { range: 10..100, ..next }, storycore_sha256_pair::digest(&[7; 40])),
        ] {
            let mut feed = feeds.take(&other).unwrap();
            assert_eq!(pass(&mut feed, other.first()).await.1, digest);
            feeds.leave(feed);
        }
    }

    #[tokio::test]
    async fn what_reads_on_beside_others_has_its_share_until_it_is_taken_on_or_ends() {
        let (course, _) = course(&[7; 100], 40);
        let (feeds, shares) = (Feeds::default(), Arc::new(Semaphore::new(1)));
        let is_free = || shares.available_permits() == 1;
        let mut share = Some(Arc::clone(&shares).try_acquire_owned().unwrap());
        for start in [0, 40, 80] {
            let mut feed = feeds.take(&Course { range: start..100, ..course.clone() }).unwrap();
            pass(&mut feed, (100 - start).min(40)).await;
            feeds.leave(feed);
            feeds.keep(share.take().unwrap());
            share = feeds.share();
            assert_eq!((share.is_some(), is_free()), (start < 80, start == 80), "{start}");
        }
        // One that failed or was paused.
        let mut feed = feeds.take(&course).unwrap();
        pass(&mut feed, 40).await;
        feeds.leave(feed);
        feeds.keep(Arc::clone(&shares).try_acquire_owned().unwrap());
        assert!(!is_free());
        feeds.clear();
        assert!(is_free());
        // Where nothing reads on, nobody needs it.
        feeds.keep(Arc::clone(&shares).try_acquire_owned().unwrap());
        assert!(is_free());
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_not_a_shorter_chunk() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(100).unwrap();
        let (course, _) = course(&[], 60);
        let course = Course { source: UploadSource::from(file.path()), range: 0..120, ..course };
        let mut feed = Feeds::default().take(&course).unwrap();
        assert_eq!(pass(&mut feed, 60).await.0.len(), 60);
        assert_eq!(feed.piece().await.unwrap().len(), 40);
        assert_eq!(feed.piece().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// The most bytes that wait at a time, of one upload: for the network, for the hash, and the piece that each of the two and the
    /// reader has in hand.
    async fn held(shares: bool) -> usize {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(32 * MIB).unwrap();
        let near = Near { buffers: Buffers::default(), shares };
        let source = UploadSource::from(file.path());
        let (range, ahead) = (0..32 * MIB, near.ahead());
        let course = Course { source, range, chunk: 32 * MIB, along: None, near };
        let mut feed = Feed::start(course).unwrap();
        let (mut largest, mut left) = (0, 32 * MIB as usize);
        while left > 0 {
            let piece = feed.piece().await.unwrap();
            (largest, left) = (largest.max(piece.len()), left - piece.len());
        }
        (2 * ahead + 3) * largest
    }

    #[tokio::test]
    async fn sixteen_uploads_beside_each_other_have_at_most_64_mib_in_memory() {
        assert!(16 * held(true).await <= 64 << 20);
        assert!(held(false).await <= 64 << 20);
    }
}

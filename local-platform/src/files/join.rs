//! Uploads that become one file. Each has its place in it from the beginning, so that several threads copy at once, and beside them
//! one hashes the same bytes in order: on a machine with four cores that one is what is waited for.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use futures_util::future::join_all;
use storycore_sha256_pair::Sha256;
use tokio::task::JoinHandle;

use super::{Files, Received, Temporary, block::Block, blocking};

/// What a thread copies before it asks for more: so little that all come to their end together, and few enough to open a file for.
const STRETCH: u64 = 8 * 1024 * 1024;
/// More do not copy faster into one file: while one of them writes, the kernel has the others wait, who can only read meanwhile.
const MOST_COPYING: usize = 2;
/// Blocks that are read ahead of the one that is hashed.
const AHEAD: usize = 2;

/// A part of what is joined, and its place in that.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    place: Range<u64>,
}

/// What all who work on one file share. Whoever lets go of it last removes the file, unless it became something else.
#[derive(Debug)]
struct Work {
    parts: Vec<Part>,
    /// By part and place in the whole.
    stretches: Vec<(usize, Range<u64>)>,
    next: AtomicUsize,
    to: Arc<Temporary>,
    /// One failed: the others need not go on.
    is_over: AtomicBool,
}

/// A file with all bytes of its parts, of which the hash may still be under way; removed when dropped.
#[derive(Debug)]
pub(crate) struct Joined {
    work: Arc<Work>,
    size: u64,
    hashed: JoinHandle<io::Result<Sha256>>,
    /// Open since before the first byte, where it has to last: whatever was not written, its sync tells.
    lasting: Option<File>,
}

impl Files {
    /// One new file with the bytes of several uploads, in order; each comes with its length. The hash of the first one need not be
    /// taken again where it is `known`.
    pub(crate) async fn join_uploads(
        &self,
        uploads: &[(String, u64)],
        known: Option<Sha256>,
    ) -> io::Result<Joined> {
        let parts = uploads.iter().map(|(id, length)| (self.upload(id), *length));
        let to = Temporary::new(self.incoming.join(crate::ids::new("in")));
        join(parts, known, to, self.durable).await
    }
}

async fn join(
    parts: impl Iterator<Item = (PathBuf, u64)>,
    known: Option<Sha256>,
    to: Temporary,
    durable: bool,
) -> io::Result<Joined> {
    let mut size = 0;
    let place = |(path, length): (PathBuf, u64)| {
        let start = size;
        size += length;
        Part { path, place: start..size }
    };
    let parts: Vec<_> = parts.map(place).collect();
    let stretches = parts.iter().enumerate().flat_map(|(number, part)| {
        let end = part.place.end;
        let starts = part.place.clone().step_by(STRETCH as usize);
        starts.map(move |start| (number, start..end.min(start + STRETCH)))
    });
    let work = Arc::new(Work {
        stretches: stretches.collect(),
        parts,
        next: AtomicUsize::new(0),
        to: Arc::new(to),
        is_over: AtomicBool::new(false),
    });
    let made = Arc::clone(&work);
    let make = move || {
        let file = File::create_new(made.to.path())?;
        file.set_len(size).map(|()| file)
    };
    let lasting = Some(blocking(make).await?).filter(|_| durable);
    let hashing = Arc::clone(&work);
    let hashed = tokio::task::spawn_blocking(move || hashing.or_over(|work| work.hash(known)));
    // One is the hash's.
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() - 1);
    let threads = cores.clamp(1, MOST_COPYING).min(work.stretches.len());
    let copied = (0..threads).map(|_| {
        let work = Arc::clone(&work);
        blocking(move || work.or_over(Work::copy))
    });
    // Also where one failed: nobody may write to what is removed.
    let copied: io::Result<()> = join_all(copied).await.into_iter().collect();
    if copied.is_ok() && !work.is_over.load(Relaxed) {
        return Ok(Joined { work, size, hashed, lasting });
    }
    // A hash that failed ends the copying, too: what was not copied is a hole that nobody may look into.
    let hashed = hashed.await.map_err(io::Error::other)?;
    Err(copied.and(hashed.map(drop)).err().unwrap_or_else(changed))
}

impl Joined {
    /// Where it is; it may be read already.
    pub(crate) fn path(&self) -> &Path {
        self.work.to.path()
    }

    /// The file, hashed and made to last.
    pub(crate) async fn finished(self) -> io::Result<Received> {
        let synced = async {
            let Some(file) = self.lasting else { return Ok(()) };
            let work = Arc::clone(&self.work);
            blocking(move || work.or_over(|_| file.sync_all())).await
        };
        let hashed = async { self.hashed.await.map_err(io::Error::other)? };
        let ((), hash) = futures_util::future::try_join(synced, hashed).await?;
        Ok(Received::joined(&self.work.to, self.size, hex::encode(hash.finish())))
    }
}

impl Work {
    /// Tells the others when `work` fails.
    fn or_over<T>(&self, work: impl FnOnce(&Self) -> io::Result<T>) -> io::Result<T> {
        let done = work(self);
        if done.is_err() {
            self.is_over.store(true, Relaxed);
        }
        done
    }

    /// Copies one stretch after another while there are any.
    fn copy(&self) -> io::Result<()> {
        let mut to = File::options().write(true).open(self.to.path())?;
        // Not `copy_file_range`: it takes the file's lock for each 64 KiB, for which several threads would wait.
        let mut block = Block::default();
        while !self.is_over.load(Relaxed)
            && let Some((number, range)) = self.stretches.get(self.next.fetch_add(1, Relaxed))
        {
            let part = &self.parts[*number];
            let mut from = part.open()?;
            from.seek(io::SeekFrom::Start(range.start - part.place.start))?;
            to.seek(io::SeekFrom::Start(range.start))?;
            let mut from = from.take(range.end - range.start);
            while block.read(&mut from)? {
                to.write_all(block.filled())?;
            }
            if from.limit() > 0 {
                return Err(changed());
            }
        }
        Ok(())
    }

    /// Hashes the parts in order. Another thread reads, for a fifth of the time that both take.
    fn hash(&self, known: Option<Sha256>) -> io::Result<Sha256> {
        let first = self.parts.first().map_or(0, |part| part.place.end);
        let known = known.filter(|hash| hash.length() == first);
        let rest = &self.parts[usize::from(known.is_some()).min(self.parts.len())..];
        let mut hash = known.unwrap_or_default();
        thread::scope(|scope| {
            let (full, filled) = sync_channel(AHEAD);
            let (empty, emptied) = sync_channel(AHEAD + 2);
            let reading = move || self.read(rest, &full, &emptied);
            let reading = thread::Builder::new().spawn_scoped(scope, reading)?;
            for block in filled {
                let block: Block = block;
                hash.update(block.filled());
                let _ = empty.try_send(block);
            }
            reading.join().unwrap_or_else(|_| Err(io::Error::other("reading broke")))
        })?;
        Ok(hash)
    }

    fn read(
        &self,
        parts: &[Part],
        full: &SyncSender<Block>,
        emptied: &Receiver<Block>,
    ) -> io::Result<()> {
        for part in parts {
            let (mut file, mut left) = (part.open()?, part.place.end - part.place.start);
            loop {
                let mut block = emptied.try_recv().unwrap_or_default();
                if self.is_over.load(Relaxed) || !block.read(&mut file)? {
                    break;
                }
                left = left.checked_sub(block.filled().len() as u64).ok_or_else(changed)?;
                if full.send(block).is_err() {
                    return Ok(());
                }
            }
            if left > 0 {
                return Err(changed());
            }
        }
        Ok(())
    }
}

impl Part {
    /// Its bytes, of which there must be as many as there were.
    fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        match file.metadata()?.len() == self.place.end - self.place.start {
            true => Ok(file),
            false => Err(changed()),
        }
    }
}

/// Otherwise a hole would stand for what is missing.
fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a part is not as long as it was")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Joins what `folder` has as `0`, `1` and so on, where `told` is how long each was. What is left beside them is counted.
    async fn joined(folder: &Path, told: &[u64]) -> (io::Result<Received>, usize) {
        let parts =
            told.iter().enumerate().map(|(n, length)| (folder.join(n.to_string()), *length));
        let to = Temporary::new(folder.join("whole"));
        let outcome = match join(parts, None, to, true).await {
            Ok(joined) => joined.finished().await,
            Err(error) => Err(error),
        };
        let left = std::fs::read_dir(folder).expect("the folder").count() - told.len();
        (outcome, left)
    }

    #[tokio::test]
    async fn a_part_that_is_shorter_or_longer_than_it_was_is_an_error_and_no_hole() {
        let folder = tempfile::tempdir().expect("a folder");
        let length = 2 * STRETCH + 5;
        for number in ["0", "1"] {
            let bytes = vec![7; usize::try_from(length).expect("it fits")];
            std::fs::write(folder.path().join(number), bytes).expect("a part");
        }
        for told in [[length, length - 1], [length + 1, length], [length, 3 * length]] {
            let (outcome, left) = joined(folder.path(), &told).await;
            assert_eq!(outcome.expect_err("it changed").kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(left, 0, "{told:?}");
        }
        let (outcome, left) = joined(folder.path(), &[length, length]).await;
        assert_eq!((outcome.as_ref().expect("it is whole").size, left), (2 * length, 1));
    }

    #[test]
    fn one_thread_that_may_block_is_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes: Vec<u8> = (0..3 * STRETCH + 9).map(|n| (n % 251) as u8).collect();
        for number in ["0", "1"] {
            std::fs::write(folder.path().join(number), &bytes).expect("a part");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
        let length = bytes.len() as u64;
        let (outcome, _) =
            runtime.expect("a runtime").block_on(joined(folder.path(), &[length; 2]));
        let whole = [&bytes[..], &bytes].concat();
        let sha256 = hex::encode(storycore_sha256_pair::digest(&whole));
        let received = outcome.expect("it is whole");
        assert_eq!(received.sha256, sha256);
        assert!(std::fs::read(received.path()).expect("the whole") == whole);
    }
}

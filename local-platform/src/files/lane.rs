//! Blocks that are worked on in order, on a thread that may block, while further ones fill. A thread is taken when there is a block
//! and given back when there is none, so that a slow sender holds none, and a fast one has its blocks worked on without a pause.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::block::{Block, Spare};

/// Blocks that wait or are worked on.
const UNDER_WAY: u32 = 6;
/// So many have to be free before whoever waited for one goes on: to wake it for each would cost more than a block's copy.
const AT_ONCE: u32 = UNDER_WAY / 2;

/// Room for the blocks of one file.
#[derive(Debug)]
pub(super) struct Room {
    spare: Spare,
    free: Arc<Mutex<Vec<Block>>>,
    places: Arc<Semaphore>,
    /// Places that were waited for and have no block yet.
    taken: Vec<OwnedSemaphorePermit>,
}

/// A filled block; its room is free again when the last worker lets go of it.
#[derive(Debug)]
pub(super) struct Filled {
    block: Block,
    free: Arc<Mutex<Vec<Block>>>,
    _place: OwnedSemaphorePermit,
}

/// A worker and what is before it. `S` is what it works with.
#[derive(Debug)]
pub(super) struct Lane<S>(Arc<Mutex<Line<S>>>);

#[derive(Debug)]
struct Line<S> {
    waiting: VecDeque<Arc<Filled>>,
    /// Nothing while the worker has it.
    state: Option<S>,
    /// A worker panicked: nothing is worked on any more.
    is_broken: bool,
}

/// Lets go of what waits when a worker panics: nobody would come to it, and its places would be waited for forever.
struct Guard<'l, S>(&'l Mutex<Line<S>>);

impl<S> Drop for Guard<'_, S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut line = lock(self.0);
            line.is_broken = true;
            let waiting = mem::take(&mut line.waiting);
            drop(line);
            drop(waiting);
        }
    }
}

impl Room {
    /// Its blocks come from `spare` and return there: what the chunk before was in is still in the processor's cache.
    pub(super) fn new(spare: Spare) -> Self {
        let places = Arc::new(Semaphore::new(UNDER_WAY as usize));
        Self { spare, free: Arc::default(), places, taken: Vec::new() }
    }

    /// Takes a full block, once there is a place for it, and leaves an empty one.
    pub(super) async fn filled(&mut self, block: &mut Block) -> Arc<Filled> {
        let _place = match self.taken.pop() {
            Some(place) => place,
            None => self.place().await,
        };
        let empty = lock(&self.free).pop().unwrap_or_else(|| self.spare.block());
        let free = Arc::clone(&self.free);
        Arc::new(Filled { block: mem::replace(block, empty), free, _place })
    }

    async fn place(&mut self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        let places = Arc::clone(&self.places).acquire_many_owned(AT_ONCE).await;
        let mut places = places.expect("the places are never closed");
        self.taken.extend((1..AT_ONCE).filter_map(|_| places.split(1)));
        places
    }

    /// Waits until every block was worked on.
    pub(super) async fn is_empty(&mut self) {
        self.taken.clear();
        let all = self.places.acquire_many(UNDER_WAY).await;
        drop(all.expect("the places are never closed"));
    }
}

impl Filled {
    pub(super) fn bytes(&self) -> &[u8] {
        self.block.filled()
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let mut block = mem::take(&mut self.block);
        block.clear();
        lock(&self.free).push(block);
    }
}

impl<S: Send + 'static> Lane<S> {
    pub(super) fn new(state: S) -> Self {
        Self(Arc::new(Mutex::new(Line {
            waiting: VecDeque::new(),
            state: Some(state),
            is_broken: false,
        })))
    }

    /// Has `work` done with the block, after those before it. A lane that broke drops it.
    pub(super) fn push(&self, block: Arc<Filled>, work: fn(&mut S, &[u8])) {
        let mut line = lock(&self.0);
        if line.is_broken {
            return;
        }
        let Some(mut state) = line.state.take() else { return line.waiting.push_back(block) };
        let line = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            let mut next = block;
            let _guard = Guard(&line);
            loop {
                work(&mut state, next.bytes());
                let mut line = lock(&line);
                match line.waiting.pop_front() {
                    Some(block) => {
                        drop(line);
                        next = block;
                    }
                    None => {
                        // Before the last block's place is free, which says that all is done.
                        line.state = Some(state);
                        drop(line);
                        return drop(next);
                    }
                }
            }
        });
    }

    /// What it worked with, when every block was worked on; nothing if that broke.
    pub(super) fn end(&self) -> Option<S> {
        lock(&self.0).state.take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn breaks(_: &mut (), bytes: &[u8]) {
        // Long enough that the others wait behind it.
        std::thread::sleep(Duration::from_millis(50));
        assert!(bytes.is_empty(), "a worker that breaks, as this test wants it to");
    }

    #[tokio::test]
    async fn a_lane_whose_worker_panics_ends_with_nothing_and_holds_no_place() {
        let (mut room, lane) = (Room::new(Spare::default()), Lane::new(()));
        // More than there are places: some are pushed after the panic.
        let pushed = async {
            for _ in 0..2 * UNDER_WAY {
                let mut block = Block::default();
                block.take(&mut Bytes::from_static(b"bytes"));
                lane.push(room.filled(&mut block).await, breaks);
            }
            room.is_empty().await;
        };
        tokio::time::timeout(Duration::from_secs(30), pushed).await.expect("every place is free");
        assert!(lane.end().is_none());
    }
}

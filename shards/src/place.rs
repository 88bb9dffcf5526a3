//! Which thread a call is made on, and how many each of them has.

use std::{
    ops::Deref,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{ALL, FIRST, SHARDS};

/// Fewer calls than this share one thread: it is awake already, a second one would have to be woken.
const FEW: usize = 8;

pub(crate) static BUSY: [Count; SHARDS] = [const { Count(AtomicUsize::new(0)) }; SHARDS];

/// Calls are spread over so many threads where nothing else is told.
pub const USUAL: usize = 2;

static SPREAD: OnceLock<usize> = OnceLock::new();
static SPREAD_BY: OnceLock<fn() -> usize> = OnceLock::new();

/// Tells over how many threads calls are spread, of [`SHARDS`] at most, where that is not [`USUAL`]. It is asked once, when many
/// calls are under way first. What is told first counts.
pub fn spread_by(how_many: fn() -> usize) {
    let _ = SPREAD_BY.set(how_many);
}

fn spread() -> usize {
    *SPREAD.get_or_init(|| SPREAD_BY.get().map_or(USUAL, |how_many| how_many().clamp(1, SHARDS)))
}

/// How many calls a thread has. Each is by itself in the processor's cache: else threads that count their own calls would wait for
/// each other.
#[repr(align(128))]
pub(crate) struct Count(AtomicUsize);

impl Deref for Count {
    type Target = AtomicUsize;

    fn deref(&self) -> &AtomicUsize {
        &self.0
    }
}

/// A call's place on one of the threads, as long as it takes.
pub struct Place {
    number: usize,
    begins_here: bool,
}

impl Place {
    /// The least busy thread.
    pub fn choose() -> Self {
        let busy = |number: usize| BUSY[number].load(Relaxed);
        if (0..SHARDS).map(busy).sum::<usize>() < FEW {
            return Self::on(FIRST);
        }
        // Of those that are as busy the first.
        Self::on((0..spread()).min_by_key(|number| busy(*number)).unwrap_or(FIRST))
    }

    /// A given thread, where the connections are that are needed.
    pub fn on(number: usize) -> Self {
        BUSY[number].fetch_add(1, Relaxed);
        Self { number, begins_here: false }
    }

    /// The least busy thread for so many calls, which are few: they stay together.
    pub fn choose_for(count: usize) -> Vec<Self> {
        let first = Self::choose();
        let others = std::iter::repeat_with(|| Self::on(first.number));
        let others: Vec<_> = others.take(count.saturating_sub(1)).collect();
        std::iter::once(first).chain(others).collect()
    }

    /// Lets the call begin on the thread that puts it there, where it is the only one: it must keep no thread waiting.
    pub fn beginning_here(mut self) -> Self {
        self.begins_here = true;
        self
    }

    /// Whether it may.
    pub fn begins_here(&self) -> bool {
        self.begins_here
    }

    /// Which thread it is.
    pub fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if BUSY[self.number].fetch_sub(1, Relaxed) == 1
            && let Some(shard) = ALL[self.number].get()
        {
            shard.wake.notify_one();
        }
    }
}

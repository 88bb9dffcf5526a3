//! Which thread a call is made on, and how many each of them has.

use std::{
    ops::Deref,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::{ALL, SHARDS};

/// Fewer calls than this share one thread: it is awake already, a second one would have to be woken.
const FEW: usize = 8;

pub(crate) static BUSY: [Count; SHARDS] = [const { Count(AtomicUsize::new(0)) }; SHARDS];

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
    /// The less busy thread.
    pub fn choose() -> Self {
        let (first, second) = (BUSY[0].load(Relaxed), BUSY[1].load(Relaxed));
        Self::on(usize::from(first + second >= FEW && second < first))
    }

    /// A given thread, where the connections are that are needed.
    pub fn on(number: usize) -> Self {
        BUSY[number].fetch_add(1, Relaxed);
        Self { number, begins_here: false }
    }

    /// The less busy thread for so many calls, which are few: they stay together.
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

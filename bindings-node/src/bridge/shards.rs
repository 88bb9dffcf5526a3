//! The process's own threads: two single-threaded runtimes, each of which drives connections of its own, so that no call
//! hops between threads. They begin with the first call, and an idle one waits in the kernel.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::future::BoxFuture;
use tokio::{runtime::Builder, sync::Notify};

/// How many there are.
pub(crate) const SHARDS: usize = 2;

/// Fewer calls than this share one thread: it is awake already, a second one would have to be woken.
const FEW: usize = 8;

/// What a thread is given to do.
pub(crate) type Work = BoxFuture<'static, ()>;

static ALL: [OnceLock<Shard>; SHARDS] = [const { OnceLock::new() }; SHARDS];
static BUSY: [AtomicUsize; SHARDS] = [const { AtomicUsize::new(0) }; SHARDS];
static STARTING: Mutex<()> = Mutex::new(());

/// One thread, as the others see it.
struct Shard(Arc<Queue>);

#[derive(Default)]
struct Queue {
    work: Mutex<Vec<Work>>,
    wake: Notify,
}

impl Shard {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            // Not signals: they are the program's.
            .enable_io()
            .enable_time()
            // Files are read and written beside it: few threads, which end soon.
            .max_blocking_threads(16)
            .thread_keep_alive(std::time::Duration::from_secs(2))
            .build()?;
        let queue = Arc::new(Queue::default());
        let own = Arc::clone(&queue);
        std::thread::Builder::new()
            .name(format!("storycore-{number}"))
            .spawn(move || runtime.block_on(own.run()))?;
        Ok(Self(queue))
    }
}

impl Queue {
    /// Never ends: the process ends it.
    async fn run(&self) {
        let mut work = Vec::new();
        loop {
            std::mem::swap(&mut work, &mut *self.lock());
            if work.is_empty() {
                self.wake.notified().await;
                continue;
            }
            work.drain(..).for_each(|task| drop(tokio::spawn(task)));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place on one of the threads, as long as it takes.
pub(crate) struct Place(usize);

impl Place {
    /// The less busy thread.
    pub(crate) fn choose() -> Self {
        let (first, second) = (BUSY[0].load(Relaxed), BUSY[1].load(Relaxed));
        Self::on(usize::from(first + second >= FEW && second < first))
    }

    /// A given thread, where the connections are that are needed.
    pub(crate) fn on(number: usize) -> Self {
        BUSY[number].fetch_add(1, Relaxed);
        Self(number)
    }

    /// Which thread it is.
    pub(crate) fn number(&self) -> usize {
        self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        BUSY[self.0].fetch_sub(1, Relaxed);
    }
}

/// Gives a thread work; it is woken where it had none.
///
/// # Errors
/// When the thread is not there yet and cannot be had.
pub(crate) fn put(number: usize, work: Work) -> io::Result<()> {
    let shard = match ALL[number].get() {
        Some(shard) => shard,
        None => {
            let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
            match ALL[number].get() {
                Some(shard) => shard,
                None => {
                    let shard = Shard::start(number)?;
                    ALL[number].get_or_init(|| shard)
                }
            }
        }
    };
    let mut queue = shard.0.lock();
    queue.push(work);
    let was_empty = queue.len() == 1;
    drop(queue);
    if was_empty {
        shard.0.wake.notify_one();
    }
    Ok(())
}

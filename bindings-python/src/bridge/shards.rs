//! The threads on which async calls run: two runtimes of one thread each, which beat one that shares its work between
//! threads. While little is under way one does it all.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{
    FutureExt as _,
    future::{AbortHandle, Abortable},
};
use storycore::Client;
use tokio::{runtime::Builder, sync::mpsc};

use super::process::PerProcess;

const SHARDS: usize = 2;

/// Calls under way up to which the first shard does all of them.
const FEW: usize = 8;

static RUNNING: PerProcess<Shards> = PerProcess::new();

/// Makes what is to be done on the thread that does it: a call's state is some kilobytes, which the event loop's thread has
/// neither to write nor to move.
type Work = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The threads of this process. They end with it.
pub(crate) struct Shards([Shard; SHARDS]);

struct Shard {
    work: mpsc::UnboundedSender<Work>,
    under_way: Arc<AtomicUsize>,
}

/// Something under way, until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Shards {
    #[cfg(feature = "conformance")]
    pub(crate) const COUNT: usize = SHARDS;

    pub(crate) fn get() -> std::io::Result<Arc<Self>> {
        if let Some(running) = RUNNING.get() {
            return Ok(running);
        }
        let started = Self([Shard::start(0)?, Shard::start(1)?]);
        // Of two threads that come here at once, one's shards end for want of senders.
        Ok(RUNNING.get_or_make(|| started))
    }

    /// The shard for the next call.
    pub(super) fn choose(&self) -> usize {
        let under_way = |at: usize| self.0[at].under_way.load(Relaxed);
        usize::from(under_way(0) >= FEW && under_way(1) < under_way(0))
    }

    pub(crate) fn submit<F>(
        &self,
        shard: usize,
        work: impl FnOnce() -> F + Send + 'static,
    ) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Shard { work: sender, under_way } = &self.0[shard];
        under_way.fetch_add(1, Relaxed);
        let counted = Counted(Arc::clone(under_way));
        let (abort, registration) = AbortHandle::new_pair();
        let make = move || -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let work = work();
            let counting = async move {
                work.await;
                drop(counted);
            };
            Box::pin(Abortable::new(counting, registration).map(drop))
        };
        // The receiver lives as long as the process.
        let _ = sender.send(Box::new(make));
        abort
    }
}

impl Shard {
    fn start(number: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, mut work) = mpsc::unbounded_channel::<Work>();
        std::thread::Builder::new().name(format!("storycore-{number}")).spawn(move || {
            runtime.block_on(async {
                while let Some(work) = work.recv().await {
                    // What breaks while it is made takes neither this thread nor the other calls with it.
                    if let Ok(begun) = catch_unwind(AssertUnwindSafe(work)) {
                        tokio::spawn(begun);
                    }
                }
            });
        })?;
        Ok(Self { work: sender, under_way: Arc::default() })
    }
}

/// A client's connections on each shard.
#[derive(Default)]
pub(super) struct ShardClients(Mutex<[Option<Client>; SHARDS]>);

impl ShardClients {
    pub(super) fn of(&self, shard: usize, client: &Client) -> Client {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all[shard].get_or_insert_with(|| client.with_own_connections()).clone()
    }

    /// Closes the connections.
    pub(super) fn clear(&self) {
        let closed = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(closed);
    }
}

//! The replay guard: an event's id is taken once. A delivery that is being worked on is told from one that is done, so that a
//! crash in the middle does not lose it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::error::Error;

/// Whether an id was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Now, for the first time: do the work, then say [`ReplayGuard::done`].
    First,
    /// Somebody is at it: answer 409, so that the platform tries again later.
    Processing,
    /// The work is done: answer 200 and do nothing.
    Done,
}

/// Where taken ids are kept.
pub trait ReplayStore: Send + Sync {
    /// Takes `id` for `processing` unless it was taken; says what it was.
    fn take(
        &self,
        id: &str,
        processing: Duration,
    ) -> impl Future<Output = Result<Taken, Error>> + Send;
    /// Keeps `id` as done for `keep`.
    fn done(&self, id: &str, keep: Duration) -> impl Future<Output = Result<(), Error>> + Send;
    /// Forgets `id`, so that it can be taken again.
    fn release(&self, id: &str) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Takes each event once.
#[derive(Debug)]
pub struct ReplayGuard<S> {
    store: S,
    processing: Duration,
    keep: Duration,
}

impl<S: ReplayStore> ReplayGuard<S> {
    /// A guard over `store`: work may take 5 minutes, what is done is remembered for 24 hours, longer than a delivery is
    /// tried again.
    pub fn new(store: S) -> Self {
        Self { store, processing: Duration::from_secs(300), keep: Duration::from_secs(24 * 3600) }
    }

    /// How long work may take before its id can be taken again. Default 5 minutes.
    #[must_use]
    pub fn processing(mut self, time: Duration) -> Self {
        self.processing = time;
        self
    }

    /// How long an id is remembered. Default 24 hours.
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// Takes an event's id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn take(&self, id: &str) -> Result<Taken, Error> {
        self.store.take(id, self.processing).await
    }

    /// Says that the event's work is done.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn done(&self, id: &str) -> Result<(), Error> {
        self.store.done(id, self.keep).await
    }

    /// Says that the event's work failed: the next delivery takes it again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn release(&self, id: &str) -> Result<(), Error> {
        self.store.release(id).await
    }
}

/// Keeps ids in this process's memory, a bounded number of them: the oldest go first.
#[derive(Debug)]
pub struct MemoryStore {
    most: usize,
    ids: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    done: bool,
    until: Instant,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl MemoryStore {
    /// A store of at most `most` ids.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), ids: Mutex::default() }
    }

    fn put(&self, id: &str, entry: Entry) {
        self.put_among(&mut self.lock(), id, entry);
    }

    fn put_among(&self, ids: &mut HashMap<String, Entry>, id: &str, entry: Entry) {
        if ids.len() >= self.most && !ids.contains_key(id) {
            let now = Instant::now();
            ids.retain(|_, entry| entry.until > now);
            // A full store gives up a tenth at a time, so that this is not done for every id; what is worked on at this
            // moment last, since a second delivery of that does the most harm.
            let tenth = (self.most / 10).max(1);
            if ids.len() >= self.most {
                let mut ends: Vec<_> = ids.iter().map(|(id, e)| (!e.done, e.until, id)).collect();
                ends.sort_unstable();
                let over: Vec<String> =
                    ends.into_iter().take(tenth).map(|(.., id)| id.clone()).collect();
                for id in over {
                    ids.remove(&id);
                }
            }
        }
        ids.insert(id.to_owned(), entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `time` after `now`. What would be beyond the clock's end is as good as for ever.
fn after(now: Instant, time: Duration) -> Instant {
    const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);
    now + time.min(FOR_EVER)
}

impl ReplayStore for MemoryStore {
    async fn take(&self, id: &str, processing: Duration) -> Result<Taken, Error> {
        let now = Instant::now();
        // Held to the end, so that two deliveries at once are not both first.
        let mut ids = self.lock();
        if let Some(entry) = ids.get(id)
            && entry.until > now
        {
            return Ok(if entry.done { Taken::Done } else { Taken::Processing });
        }
        self.put_among(&mut ids, id, Entry { done: false, until: after(now, processing) });
        Ok(Taken::First)
    }

    async fn done(&self, id: &str, keep: Duration) -> Result<(), Error> {
        self.put(id, Entry { done: true, until: after(Instant::now(), keep) });
        Ok(())
    }

    async fn release(&self, id: &str) -> Result<(), Error> {
        self.lock().remove(id);
        Ok(())
    }
}

#[cfg(feature = "redis")]
pub use with_redis::RedisStore;

#[cfg(feature = "redis")]
mod with_redis {
    use std::time::Duration;

    use redis::aio::ConnectionManager;

    use super::{ReplayStore, Taken};
    use crate::error::{Error, ErrorKind};

    /// Keeps ids in Redis, for receivers in several processes.
    #[derive(Clone)]
    pub struct RedisStore {
        connection: ConnectionManager,
        prefix: String,
    }

    impl std::fmt::Debug for RedisStore {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
        }
    }

    impl RedisStore {
        /// A store at `url`, such as `redis://127.0.0.1:6379`, under keys that begin with `storycore:webhook:`.
        ///
        /// # Errors
        /// [`ErrorKind::Connection`] when it cannot be reached.
        pub async fn connect(url: &str) -> Result<Self, Error> {
            let client = redis::Client::open(url).map_err(failed)?;
            let connection = client.get_connection_manager().await.map_err(failed)?;
            Ok(Self { connection, prefix: "storycore:webhook:".to_owned() })
        }

        fn key(&self, id: &str) -> String {
            format!("{}{id}", self.prefix)
        }
    }

    fn failed(error: redis::RedisError) -> Error {
        Error::new(ErrorKind::Connection, "the replay guard's Redis failed").with_source(error)
    }

    fn ms(time: Duration) -> u64 {
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    impl ReplayStore for RedisStore {
        async fn take(&self, id: &str, processing: Duration) -> Result<Taken, Error> {
            // NX and GET in one command: taken by exactly one of any number of processes.
            let before: Option<String> = redis::cmd("SET")
                .arg(self.key(id))
                .arg("processing")
                .arg("NX")
                .arg("GET")
                .arg("PX")
                .arg(ms(processing))
                .query_async(&mut self.connection.clone())
                .await
                .map_err(failed)?;
            Ok(match before.as_deref() {
                None => Taken::First,
                Some("done") => Taken::Done,
                Some(_) => Taken::Processing,
            })
        }

        async fn done(&self, id: &str, keep: Duration) -> Result<(), Error> {
            redis::cmd("SET")
                .arg(self.key(id))
                .arg("done")
                .arg("PX")
                .arg(ms(keep))
                .query_async(&mut self.connection.clone())
                .await
                .map_err(failed)
        }

        async fn release(&self, id: &str) -> Result<(), Error> {
            redis::cmd("DEL")
                .arg(self.key(id))
                .query_async(&mut self.connection.clone())
                .await
                .map_err(failed)
        }
    }
}

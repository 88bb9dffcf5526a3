//! The database: opening it, its one writer and its readers, and transactions that tell the cache what they changed.
//! What is in a document is for the resources to say.

mod documents;
mod leftovers;
mod listing;
#[cfg(test)]
mod tests;
mod together;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use quick_cache::sync::Cache;
use sqlx::{
    Arguments as _, AssertSqlSafe, Connection as _, SqliteConnection, SqlitePool,
    migrate::MigrateError,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};

pub(crate) use documents::{Filter, Table};
pub(crate) use listing::{ListQuery, Page, number};
use together::Together;

use crate::config::{Data, StartError};

/// Documents kept ready to send; each is about a kilobyte.
const CACHED_DOCUMENTS: usize = 16_384;

/// The database of one data directory.
pub(crate) struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    documents: Cache<String, CachedDocument>,
    totals: Cache<String, (u64, i64)>,
    /// Counts the commits that changed each table; what was cached under an older count is not used.
    generations: Arc<[AtomicU64; Table::COUNT]>,
    together: Together,
    /// Whoever writes has it, until everybody can see what was changed.
    turn: Arc<tokio::sync::Mutex<()>>,
    directory: PathBuf,
    lock: File,
    _temporary: Option<tempfile::TempDir>,
}

#[derive(Clone)]
struct CachedDocument {
    generation: u64,
    organization: Arc<str>,
    doc: Bytes,
}

impl Store {
    /// Opens the data directory, brings its schema up to date and locks it against a second platform.
    pub(crate) async fn open(data: &Data) -> Result<Self, StartError> {
        let (directory, temporary) = match data {
            Data::Directory(path) => (path.clone(), None),
            Data::InMemory => {
                // Beside the start and not before it: there may be gigabytes.
                tokio::task::spawn_blocking(|| {
                    leftovers::sweep(&std::env::temp_dir(), leftovers::AGE);
                });
                let temporary = tempfile::Builder::new()
                    .prefix(leftovers::PREFIX)
                    .tempdir()
                    .and_then(|made| {
                        std::fs::write(made.path().join(leftovers::MARK), "").map(|()| made)
                    })
                    .map_err(|error| data_error(&std::env::temp_dir(), &error))?;
                (temporary.path().to_path_buf(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&directory).map_err(|error| data_error(&directory, &error))?;
        let lock = lock(&directory)?;

        let options = SqliteConnectOptions::new()
            .filename(directory.join("storycore.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Safe against a crash of this process; a power cut may lose the last moments, never the file.
            .synchronous(if temporary.is_some() {
                SqliteSynchronous::Off
            } else {
                SqliteSynchronous::Normal
            })
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "memory");
        let database_error = |error: sqlx::Error| match &error {
            sqlx::Error::Database(db) if db.message().contains("full") => {
                StartError::DiskFull(directory.clone())
            }
            _ => StartError::Data { path: directory.clone(), reason: error.to_string() },
        };
        // SQLite takes one writer at a time; one connection makes that a queue instead of a retry.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // A file does not hang up; the question would cost every request a way to SQLite's thread and back.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite itself rolls a transaction back when the disk is full; sqlx's own ROLLBACK then fails, and the
            // connection counts a transaction that is not there, for good. A new connection knows of none.
            .before_acquire(|connection, _| {
                let stuck = connection.is_in_transaction();
                Box::pin(std::future::ready(Ok(!stuck)))
            })
            .connect_with(options.clone())
            .await
            .map_err(database_error)?;
        sqlx::migrate!("./migrations").run(&writer).await.map_err(|error| match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                StartError::DataTooNew(directory.clone())
            }
            other => StartError::Data { path: directory.clone(), reason: other.to_string() },
        })?;
        let reader = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(database_error)?;

        Ok(Self {
            writer,
            reader,
            documents: Cache::new(CACHED_DOCUMENTS),
            totals: Cache::new(1024),
            generations: Arc::new(std::array::from_fn(|_| AtomicU64::new(0))),
            together: Together::default(),
            turn: Arc::default(),
            directory,
            lock,
            _temporary: temporary,
        })
    }

    /// The directory that holds the database, its key and the files.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Connections that only read.
    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Starts a transaction that may write; waits while another one runs, but no longer than for a connection.
    pub(crate) async fn begin(&self) -> Result<Tx<'_>, sqlx::Error> {
        let turn = Arc::clone(&self.turn).lock_owned();
        let turn = tokio::time::timeout(self.writer.options().get_acquire_timeout(), turn);
        let turn = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Tx { inner, store: self, changes: Changes::default(), turn })
    }

    /// Closes every connection, for which the write-ahead log is folded into the database, and leaves the directory to others.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
        // Closing the file is not enough: a process that is just being started has it, too, until it runs its own program.
        if let Err(error) = self.lock.unlock() {
            tracing::error!(%error, "the data directory stays locked until this process ends");
        }
    }

    /// Changes with each commit that changed a document of the table, before the next one begins.
    pub(crate) fn generation(&self, table: &Table) -> u64 {
        self.generations[table.slot].load(Ordering::Acquire)
    }
}

/// A value of a statement.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Blob(&'a [u8]),
    Number(i64),
}

/// What is written at the end of a transaction, and what follows from it. Nothing in the transaction reads what the statements
/// do, so that they are run together: that is one way to SQLite's thread and back where each alone would be one, while every
/// other writer waits.
#[derive(Default)]
pub(crate) struct Changes {
    sql: String,
    values: Vec<Held>,
    changed: [bool; Table::COUNT],
    after: Vec<Box<dyn FnOnce() + Send>>,
    /// Tables whose documents have to be as they were, by their slots, and when that was.
    rely_on: Vec<(usize, u64)>,
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// A value that is kept until then.
enum Held {
    Text(String),
    Blob(Vec<u8>),
    Number(i64),
}

impl Changes {
    /// Adds a statement. Its parameters are `?`, as many as there are values.
    pub(crate) fn add<const N: usize>(&mut self, sql: &str, values: [Value<'_>; N]) {
        self.sql.push_str(sql);
        self.sql.push(';');
        self.values.extend(values.map(|value| match value {
            Value::Text(text) => Held::Text(text.to_owned()),
            Value::Blob(bytes) => Held::Blob(bytes.to_owned()),
            Value::Number(number) => Held::Number(number),
        }));
    }

    /// Says that a statement changes `table`'s documents.
    pub(crate) fn touch(&mut self, table: &Table) {
        self.changed[table.slot] = true;
    }

    /// Has something done once the changes are visible, such as waking whoever waits for them; never if they are not.
    pub(crate) fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(then));
    }

    /// They are right only while no document of `table` changed since it was of this generation.
    pub(crate) fn only_while(&mut self, table: &Table, generation: u64) {
        self.rely_on.push((table.slot, generation));
    }

    /// Whether what they rely on is as it was; `before` are the tables that the same transaction has changed by then.
    fn holds(&self, store: &Store, before: &[bool; Table::COUNT]) -> bool {
        let now = |slot: usize| store.generations[slot].load(Ordering::Acquire);
        self.rely_on.iter().all(|(slot, then)| !before[*slot] && now(*slot) == *then)
    }

    /// Adds the tables that they change.
    fn mark(&self, changed: &mut [bool; Table::COUNT]) {
        for (all, one) in changed.iter_mut().zip(self.changed) {
            *all |= one;
        }
    }

    /// The statements of all of them, to be run on a transaction's connection; nothing where there are none.
    fn query(all: &[&Self]) -> Result<Option<Query>, sqlx::Error> {
        let sql: String = all.iter().map(|one| &*one.sql).collect();
        if sql.is_empty() {
            return Ok(None);
        }
        let mut values = SqliteArguments::default();
        for value in all.iter().flat_map(|one| &one.values) {
            match value {
                Held::Text(text) => values.add(text.clone()),
                Held::Blob(bytes) => values.add(bytes.clone()),
                Held::Number(number) => values.add(*number),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(Some(sqlx::query_with(AssertSqlSafe(sql), values)))
    }
}

/// A transaction that is rolled back unless it is committed.
pub(crate) struct Tx<'a> {
    inner: sqlx::Transaction<'static, sqlx::Sqlite>,
    store: &'a Store,
    changes: Changes,
    turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Tx<'_> {
    /// The connection, for statements of a resource's own.
    pub(crate) fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// What is written at its end, which nothing in it reads.
    pub(crate) fn at_the_end(&mut self) -> &mut Changes {
        &mut self.changes
    }

    /// Says that a statement of the resource's own changed `table`'s documents.
    pub(crate) fn touch(&mut self, table: &Table) {
        self.changes.touch(table);
    }

    /// Has something done once the changes are visible, such as waking whoever waits for them; never if they are not.
    pub(crate) fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.changes.after_commit(then);
    }

    /// Makes the changes last and visible. Whoever is dropped meanwhile finds them done or not, and all the others what follows
    /// from them.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        let Self { mut inner, store, changes, turn } = self;
        let query = Changes::query(&[&changes])?;
        if let Some(query) = query {
            query.execute(&mut *inner).await?;
        }
        let generations = Arc::clone(&store.generations);
        // On a task of its own: SQLite would commit although nobody waits for it any more, and nobody would count it.
        let committing = tokio::spawn(async move {
            let committed = inner.commit().await;
            // Also where it failed: one too many makes somebody read anew, no more.
            for (generation, changed) in generations.iter().zip(changes.changed) {
                if changed {
                    generation.fetch_add(1, Ordering::Release);
                }
            }
            // Not before: the next one may go by what these say.
            drop(turn);
            committed?;
            for then in changes.after {
                then();
            }
            Ok(())
        });
        match committing.await {
            Ok(committed) => committed,
            // Of what follows: it is committed.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime ends.
            Err(_) => Err(sqlx::Error::WorkerCrashed),
        }
    }
}

fn lock(directory: &Path) -> Result<File, StartError> {
    let path = directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| data_error(directory, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(StartError::DataLocked(directory.to_path_buf()))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(data_error(directory, &error)),
    }
}

/// What an I/O error on the data directory means to whoever started the platform.
pub(crate) fn data_error(path: &Path, error: &std::io::Error) -> StartError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StartError::DiskFull(path.to_path_buf())
        }
        _ => StartError::Data { path: path.to_path_buf(), reason: error.to_string() },
    }
}

//! The journals that uploads of this process have open, so that many small ones open theirs once, and those that begin together
//! have what the first of them opened. Nothing is kept open for longer.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::process::PerProcess;

/// How long another process may need to open the journal.
const MOST_OPENING: Duration = Duration::from_secs(10);
/// About what it takes.
const PAUSE: Duration = Duration::from_millis(1);

/// SQLite's connections must not be carried over a fork.
static OPEN: PerProcess<Mutex<Vec<Open>>> = PerProcess::nobodys(Mutex::new(Vec::new()));

pub(super) type Shared = Arc<Mutex<Connection>>;

struct Open {
    path: PathBuf,
    db: Weak<Mutex<Connection>>,
}

fn open() -> MutexGuard<'static, Vec<Open>> {
    OPEN.get(|_| Mutex::default()).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one at `path`, if some upload has it.
pub(super) fn shared(path: &Path) -> Option<Shared> {
    open().iter().find(|open| open.path == path).and_then(|open| open.db.upgrade())
}

/// Notes that it is open.
pub(super) fn share(path: PathBuf, db: &Shared) {
    let mut open = open();
    open.retain(|open| open.path != path && open.db.strong_count() > 0);
    open.push(Open { path, db: Arc::downgrade(db) });
}

/// Who waits for a journal. A thread cannot be dropped as a future can: it looks whether anybody still waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Arc<()>);

/// The thread's side of it.
#[derive(Debug)]
pub(crate) struct Waited(Weak<()>);

impl Waiting {
    pub(crate) fn waited(&self) -> Waited {
        Waited(Arc::downgrade(&self.0))
    }
}

impl Waited {
    fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// Waits for the turn to open the one at `path`; gives it, where another upload of this process opened it meanwhile. Not for long:
/// another process may have been stopped in the middle of that.
pub(super) fn turn(opening: &File, path: &Path, waited: &Waited) -> Result<Option<Shared>, String> {
    let began = Instant::now();
    loop {
        match opening.try_lock() {
            Ok(()) => return Ok(shared(path)),
            Err(TryLockError::WouldBlock) if waited.is_over() => {
                return Err("nobody waits for it any more".to_owned());
            }
            Err(TryLockError::WouldBlock) if began.elapsed() < MOST_OPENING => {
                if let Some(db) = shared(path) {
                    return Ok(Some(db));
                }
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another process has been opening it for {MOST_OPENING:?}: end that one, or give another journal"
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Barrier, thread};

    use super::Waiting;
    use crate::upload::journal::{Book, Journal};

    #[test]
    fn uploads_that_begin_together_open_their_journal_once() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::At(folder.path().join("uploads.sqlite3"));
        let begin = Barrier::new(16);
        let open = || {
            begin.wait();
            Book::open(&journal, &Waiting::default().waited()).unwrap().unwrap()
        };
        let books: Vec<Book> = thread::scope(|scope| {
            let opening: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(books.iter().all(|book| book.is_same(&books[0])));
    }

    /// A program that ends waits for its threads.
    #[test]
    fn a_thread_waits_for_a_journal_only_while_an_upload_does() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::At(folder.path().join("uploads.sqlite3"));
        let waiting = Waiting::default();
        drop(Book::open(&journal, &waiting.waited()).unwrap());
        let opening = File::open(folder.path().join("uploads.sqlite3.locks/opening")).unwrap();
        opening.lock().unwrap();
        let waited = waiting.waited();
        let begin = Barrier::new(2);
        let error = thread::scope(|scope| {
            let opened = scope.spawn(|| {
                begin.wait();
                Book::open(&journal, &waited).unwrap_err()
            });
            begin.wait();
            drop(waiting);
            opened.join().unwrap()
        });
        assert!(error.message().contains("nobody waits"), "{error}");
    }
}

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

/// Waits for the turn to open the one at `path`; gives it, where another upload of this process opened it meanwhile. Not for long:
/// another process may have been stopped in the middle of that.
pub(super) fn turn(opening: &File, path: &Path) -> Result<Option<Shared>, String> {
    let began = Instant::now();
    loop {
        match opening.try_lock() {
            Ok(()) => return Ok(shared(path)),
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
    use std::{sync::Barrier, thread};

    use crate::upload::journal::{Book, Journal};

    #[test]
    fn uploads_that_begin_together_open_their_journal_once() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::At(folder.path().join("uploads.sqlite3"));
        let begin = Barrier::new(16);
        let open = || {
            begin.wait();
            Book::open(&journal).unwrap().unwrap()
        };
        let books: Vec<Book> = thread::scope(|scope| {
            let opening: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
            opening.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(books.iter().all(|book| book.is_same(&books[0])));
    }
}

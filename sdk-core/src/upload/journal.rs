//! What has to be known after a crash to finish an upload: one SQLite file, written before what it tells of is sent. An
//! upload is held by a lock of the operating system, which a killed process cannot keep.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    clean,
    duty::{Duty, missed},
    fingerprint::{Fingerprint, Stamp},
    ledger::Ledger,
    lock::Lock,
    opened::{self, Waited},
    place::broke,
    prepared::{execute, prepared},
};
use crate::{beside, error::Error};

/// Where uploads are written down, so that they continue after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Journal {
    /// `storycore/uploads.sqlite3` in the user's state directory; nowhere, where there is none or it cannot be written, be it from
    /// some moment on.
    #[default]
    User,
    /// In this SQLite file, made where it is missing; its locks stand beside it. Where it cannot be written the upload fails,
    /// unless the platform has it whole by then.
    At(PathBuf),
    /// Nowhere: a crash begins the upload anew.
    Off,
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY, identity TEXT NOT NULL UNIQUE, origin TEXT NOT NULL, path TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL, head BLOB NOT NULL, tail BLOB NOT NULL,
    last_key TEXT NOT NULL, is_joining INTEGER NOT NULL DEFAULT 0, expires_at INTEGER,
    touched_at INTEGER NOT NULL DEFAULT 0, any_account TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS part (
    upload TEXT NOT NULL REFERENCES upload (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    first INTEGER NOT NULL, past INTEGER NOT NULL, key TEXT NOT NULL, location TEXT, acknowledged INTEGER NOT NULL DEFAULT 0,
    is_taken_back INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (upload, number)
) STRICT;
CREATE TABLE IF NOT EXISTS chunk (
    upload TEXT NOT NULL, part INTEGER NOT NULL, first INTEGER NOT NULL, length INTEGER NOT NULL, sha256 BLOB NOT NULL,
    PRIMARY KEY (upload, part, first),
    FOREIGN KEY (upload, part) REFERENCES part (upload, number) ON DELETE CASCADE
) STRICT;";

const LOCK_TRIES: u32 = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A chunk that was sent, or was about to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentChunk {
    /// Where it begins in its part.
    pub(crate) first: u64,
    pub(crate) length: u64,
    pub(crate) sha256: [u8; 32],
}

/// A part as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenPart {
    pub(crate) first: u64,
    pub(crate) past: u64,
    /// The idempotency key of its creation.
    pub(crate) key: String,
    pub(crate) location: Option<String>,
    pub(crate) acknowledged: u64,
    /// The upload was cancelled and this taken back; what its parts may have become stayed.
    pub(crate) is_taken_back: bool,
    pub(crate) chunks: Vec<SentChunk>,
}

/// An upload as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) id: String,
    /// The idempotency key of the joining.
    pub(crate) last_key: String,
    /// The joining may have been asked for.
    pub(crate) is_joining: bool,
    pub(crate) file: Fingerprint,
    pub(crate) parts: Vec<WrittenPart>,
}

/// What is done with the journal, without its type: what waits for it is compiled once.
type Work = Box<dyn FnOnce(&mut Connection) -> rusqlite::Result<()> + Send>;

/// An open journal.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    db: opened::Shared,
    locks: PathBuf,
    duty: Duty,
}

impl Book {
    /// Opens the journal, or tells why not; one that was not asked for by name is only missed.
    /// It may block.
    pub(crate) fn open(journal: &Journal, waited: &Waited) -> Result<Option<Self>, Error> {
        let (path, asked) = match journal {
            Journal::Off => return Ok(None),
            Journal::At(path) => (path.clone(), true),
            Journal::User => match state_directory() {
                Some(folder) => (folder.join("storycore").join("uploads.sqlite3"), false),
                None => return Ok(None),
            },
        };
        let shown = path.display().to_string();
        match Self::at(&path, Duty::of(journal), waited) {
            Ok(book) => Ok(Some(book)),
            Err(problem) if asked => Err(Error::upload(format!(
                "the upload journal {shown} cannot be opened: {problem}"
            ))),
            Err(problem) => {
                missed(format_args!("{shown}: {problem}"));
                Ok(None)
            }
        }
    }

    fn at(path: &Path, duty: Duty, waited: &Waited) -> Result<Self, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".locks");
        let locks = path.with_file_name(name);
        let path = std::path::absolute(path).map_err(|e| text(&e))?;
        if let Some(db) = opened::shared(&path) {
            return Ok(Self { db, locks, duty });
        }
        make_private(&locks, &path).map_err(|e| text(&e))?;
        // One after another: SQLite turns the log on for one alone, and does not let a second one wait for it.
        let opening = std::fs::File::create(locks.join("opening")).map_err(|e| text(&e))?;
        if let Some(db) = opened::turn(&opening, &path, waited)? {
            return Ok(Self { db, locks, duty });
        }
        let db = Connection::open(&path).map_err(|e| text(&e))?;
        db.busy_timeout(Duration::from_secs(10)).map_err(|e| text(&e))?;
        // A power cut may lose the last lines, which the platform's own offsets then make good.
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
        )
        .and_then(|()| db.execute_batch(SCHEMA))
        .and_then(|()| clean::renew(&db))
        .map_err(|e| text(&e))?;
        if let Err(error) = clean::clean(&db, &locks, std::time::SystemTime::now()) {
            // What is left there is in nobody's way.
            tracing::warn!(%error, "the upload journal could not be cleaned");
        }
        let db = Arc::new(Mutex::new(db));
        opened::share(path, &db);
        Ok(Self { db, locks, duty })
    }

    /// Writes a line; one that may be missed is no error.
    pub(crate) fn write(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> impl Future<Output = Result<(), Error>> {
        self.line(Box::new(work))
    }

    async fn line(&self, work: Work) -> Result<(), Error> {
        if self.duty.is_missed() {
            return Ok(());
        }
        self.duty.done(self.run(work).await).map(drop)
    }

    async fn run(&self, work: Work) -> Result<(), Error> {
        let book = self.clone();
        beside::blocking(move || book.now(work)).await.map_err(broke)?
    }

    /// The same on this thread, which it may block.
    pub(super) fn now<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        work(&mut self.db.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|e| {
            Error::upload(format!("the upload journal cannot be written: {e}")).with_source(e)
        })
    }

    /// Takes the upload with this identity for this process; nothing while another has it. Without the journal there is no lock
    /// either. It may block.
    pub(crate) fn lock(&self, identity: &str) -> Result<Option<Option<Lock>>, Error> {
        let path = self.locks.join(identity);
        let take = || {
            for _ in 0..LOCK_TRIES {
                if let Some(lock) = Lock::take(path.clone())? {
                    return Ok(Some(lock));
                }
                // Who cleans the journal holds a lock for a moment.
                std::thread::sleep(LOCK_PAUSE);
            }
            Ok(None)
        };
        self.duty.done(take().map_err(|e: io::Error| {
            Error::upload(format!("the upload's lock cannot be taken: {e}")).with_source(e)
        }))
    }

    /// The unfinished upload with this identity. It may block.
    pub(crate) fn find(&self, identity: &str) -> Result<Option<Written>, Error> {
        self.duty.done(self.now(|db| find(db, identity))).map(Option::flatten)
    }

    /// Writes a new upload down, before anything of it is sent: its identity, and the one that it has whatever the account. It
    /// `expires` in Unix seconds, where that is known already. It may block.
    pub(crate) fn begin(
        &self,
        (identity, any_account): (&str, &str),
        origin: &str,
        path: &Path,
        upload: &Written,
        expires: Option<i64>,
    ) -> Result<(), Error> {
        if self.duty.is_missed() {
            return Ok(());
        }
        let path = path.to_string_lossy();
        let written = self.now(|db| {
            let t = db.transaction()?;
            execute(&t, "DELETE FROM upload WHERE identity = ?1", [identity])?;
            let (stamp, file) = (upload.file.stamp, &upload.file);
            execute(
                &t,
                "INSERT INTO upload (id, identity, origin, path, size, mtime, inode, head, tail, last_key, touched_at, expires_at, any_account) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                params![upload.id, identity, origin, path, stamp.size.cast_signed(), stamp.mtime, stamp.inode, file.head, file.tail, upload.last_key, clean::now(), expires, any_account],
            )?;
            for (number, part) in upload.parts.iter().enumerate() {
                execute(
                    &t,
                    "INSERT INTO part (upload, number, first, past, key) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![upload.id, number as i64, part.first.cast_signed(), part.past.cast_signed(), part.key],
                )?;
            }
            t.commit()
        });
        self.duty.done(written).map(drop)
    }

    /// Forgets an upload: it is done, or was taken back. That is so also where it cannot be written down: the next call of the same
    /// file then asks the platform, which gives the same asset, or has nothing.
    pub(crate) async fn forget(&self, id: &str) {
        let id = id.to_owned();
        let forget =
            move |db: &mut Connection| execute(db, "DELETE FROM upload WHERE id = ?1", [id]);
        let forgetting = self.run(Box::new(forget));
        if let Err(error) = forgetting.await {
            tracing::warn!(%error, "an upload that is over stays in the journal");
        }
    }

    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.db, &other.db)
    }

    pub(super) fn duty(&self) -> &Duty {
        &self.duty
    }

    /// The pages about one upload.
    pub(crate) fn of(&self, id: &str) -> Ledger {
        Ledger { book: self.clone(), id: id.to_owned() }
    }
}

pub(super) fn find(db: &Connection, identity: &str) -> rusqlite::Result<Option<Written>> {
    let number = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let upload = prepared(
        db,
        "SELECT id, last_key, is_joining, size, mtime, inode, head, tail FROM upload WHERE identity = ?1",
    )?
    .query_row([identity], |row| {
        let stamp = Stamp { size: number(row, 3)?, mtime: row.get(4)?, inode: row.get(5)? };
        let file = Fingerprint { stamp, head: row.get(6)?, tail: row.get(7)? };
        let (id, last_key) = (row.get(0)?, row.get(1)?);
        Ok(Written { id, last_key, is_joining: row.get(2)?, file, parts: Vec::new() })
    })
    .optional()?;
    let Some(mut upload) = upload else { return Ok(None) };
    let mut parts = db.prepare("SELECT first, past, key, location, acknowledged, is_taken_back FROM part WHERE upload = ?1 ORDER BY number")?;
    let parts = parts.query_map([&upload.id], |row| {
        Ok(WrittenPart {
            first: number(row, 0)?,
            past: number(row, 1)?,
            key: row.get(2)?,
            location: row.get(3)?,
            acknowledged: number(row, 4)?,
            is_taken_back: row.get(5)?,
            chunks: Vec::new(),
        })
    })?;
    upload.parts = parts.collect::<Result<_, _>>()?;
    let mut chunks = db.prepare(
        "SELECT part, first, length, sha256 FROM chunk WHERE upload = ?1 ORDER BY part, first",
    )?;
    let chunks = chunks.query_map([&upload.id], |row| {
        let chunk =
            SentChunk { first: number(row, 1)?, length: number(row, 2)?, sha256: row.get(3)? };
        Ok((number(row, 0)?, chunk))
    })?;
    for chunk in chunks {
        let (part, chunk) = chunk?;
        if let Some(part) = upload.parts.get_mut(part as usize) {
            part.chunks.push(chunk);
        }
    }
    Ok(Some(upload))
}

/// Makes the locks' folder and the journal where they are missing, for this user alone: who has an upload's address and key
/// can write into it. SQLite gives its other files the rights of this one.
fn make_private(locks: &Path, journal: &Path) -> io::Result<()> {
    let (mut folder, mut file) = (std::fs::DirBuilder::new(), std::fs::File::options());
    folder.recursive(true);
    file.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    folder.create(locks)?;
    file.open(journal).map(drop)
}

/// Where the user's programs keep what should outlive them (XDG base directories, and each system's own place).
fn state_directory() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    if cfg!(windows) {
        from("LOCALAPPDATA")
    } else if cfg!(target_vendor = "apple") {
        from("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")))
    }
}

//! What the journal forgets: uploads that the platform no longer has, whose file is gone, or that nobody touched for a month;
//! and the locks of the dead. An upload that somebody works on is left alone.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, params};

use super::lock::Lock;

/// Platforms that tell of no expiry keep parts for days, seldom for weeks.
const UNTOUCHED: i64 = 30 * 24 * 60 * 60;
/// A lock without an upload stays so long: one is taken before its upload is written down.
const STRAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What stands beside the locks, and is none.
const OPENING: &str = "opening";

/// Brings a journal of an earlier version up to this one.
pub(crate) fn renew(db: &Connection) -> rusqlite::Result<()> {
    let has = |table: &str, column: &str| {
        let all = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
        db.query_row(all, [table, column], |row| row.get::<_, i64>(0)).map(|count| count > 0)
    };
    if !has("upload", "touched_at")? {
        db.execute_batch("ALTER TABLE upload ADD COLUMN touched_at INTEGER NOT NULL DEFAULT 0")?;
        db.execute("UPDATE upload SET touched_at = ?1", [now()])?;
    }
    if !has("upload", "any_account")? {
        db.execute_batch("ALTER TABLE upload ADD COLUMN any_account TEXT NOT NULL DEFAULT ''")?;
        db.execute("UPDATE upload SET any_account = identity", [])?;
    }
    if !has("part", "is_taken_back")? {
        db.execute_batch("ALTER TABLE part ADD COLUMN is_taken_back INTEGER NOT NULL DEFAULT 0")?;
    }
    Ok(())
}

/// The time as the journal has it, in seconds. SQLite's own clock is left out of libraries for phones.
pub(crate) fn now() -> i64 {
    seconds(SystemTime::now())
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs().cast_signed())
}

/// Forgets what can no longer be continued, and removes locks that nobody holds.
pub(crate) fn clean(db: &Connection, locks: &Path, now: SystemTime) -> rusqlite::Result<()> {
    let mut known = db.prepare(
        "SELECT id, identity, path, coalesce(expires_at < ?1, touched_at < ?1 - ?2) FROM upload",
    )?;
    let known = known.query_map(params![seconds(now), UNTOUCHED], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let known: Vec<(String, String, String, bool)> = known.collect::<Result<_, _>>()?;
    for (id, identity, path, is_over) in &known {
        if (*is_over || is_gone(path))
            // Whoever works on it has the last word.
            && let Ok(Some(_lock)) = Lock::take(locks.join(identity))
        {
            db.execute("DELETE FROM upload WHERE id = ?1", [id])?;
            tracing::debug!(path, is_over, "an upload was struck from the journal");
        }
    }
    if let Ok(strays) = strays(locks, now) {
        for path in strays {
            let is_known = known.iter().any(|(_, identity, ..)| path.ends_with(identity));
            if !is_known {
                // Taken and put down: that removes it.
                drop(Lock::take(path));
            }
        }
    }
    Ok(())
}

/// Whether a file was removed. What was on a disk that is not there now may come back, and a name that is no UTF-8 is not
/// written down whole, so that nobody can look for it.
fn is_gone(path: &str) -> bool {
    if path.contains(char::REPLACEMENT_CHARACTER) {
        return false;
    }
    let path = Path::new(path);
    let is_missing = |path: &Path| {
        std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    is_missing(path) && !path.parent().is_none_or(is_missing)
}

/// Locks that are older than any beginning of an upload.
fn strays(locks: &Path, now: SystemTime) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(locks)? {
        let entry = entry?;
        let age = entry.metadata()?.modified().ok().and_then(|made| now.duration_since(made).ok());
        if entry.file_name() != OPENING && age.is_some_and(|age| age > STRAY) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

//! What the journal does for each small file, prepared once where the feature `prepared` is on: SQLite spends more time on reading
//! such a statement than on doing it.

use rusqlite::{Connection, Params, Result};

#[cfg(feature = "prepared")]
use rusqlite::CachedStatement as Prepared;
#[cfg(not(feature = "prepared"))]
use rusqlite::Statement as Prepared;

pub(super) fn prepared<'db>(db: &'db Connection, sql: &str) -> Result<Prepared<'db>> {
    #[cfg(feature = "prepared")]
    return db.prepare_cached(sql);
    #[cfg(not(feature = "prepared"))]
    return db.prepare(sql);
}

/// Does it, whatever number of rows it changes.
pub(super) fn execute(db: &Connection, sql: &str, parameters: impl Params) -> Result<()> {
    prepared(db, sql)?.execute(parameters).map(drop)
}

//! The lines of one upload in the journal: each is written before what it tells of is sent, or as soon as it is known.

use rusqlite::{Connection, params};

use super::{
    clean,
    journal::{Book, SentChunk},
};
use crate::error::Error;

/// One upload's place in the journal.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) book: Book,
    pub(crate) id: String,
}

impl Ledger {
    /// A part has an address.
    pub(crate) async fn located(
        &self,
        part: usize,
        location: &str,
        expires: Option<i64>,
    ) -> Result<(), Error> {
        let (id, location) = (self.id.clone(), location.to_owned());
        self.book
            .write(move |db| {
                db.execute(
                    "UPDATE part SET location = ?3 WHERE upload = ?1 AND number = ?2",
                    params![id, part as i64, location],
                )?;
                expires_later(db, &id, expires)
            })
            .await
    }

    /// A chunk is about to be sent.
    pub(crate) async fn chunk(&self, part: usize, chunk: SentChunk) -> Result<(), Error> {
        let id = self.id.clone();
        self.book
            .write(move |db| {
                db.execute(
                    "INSERT OR REPLACE INTO chunk (upload, part, first, length, sha256) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id, part as i64, chunk.first.cast_signed(), chunk.length.cast_signed(), chunk.sha256],
                )
                .map(drop)
            })
            .await
    }

    /// The platform has a part up to here, and keeps it until then. Where that cannot be written the next chunk's line tells; after
    /// the last one the asset may be there already.
    pub(crate) async fn acknowledged(&self, part: usize, offset: u64, expires: Option<i64>) {
        let id = self.id.clone();
        let writing = self.book.write(move |db| {
            let offset = offset.cast_signed();
            db.execute(
                "UPDATE part SET acknowledged = ?3 WHERE upload = ?1 AND number = ?2",
                params![id, part as i64, offset],
            )?;
            expires_later(db, &id, expires)
        });
        if let Err(error) = writing.await {
            tracing::warn!(%error, "what arrived of an upload is not in the journal");
        }
    }

    /// These parts were taken back. Where that cannot be written the next call hears from the platform that they are gone.
    pub(crate) async fn taken_back(&self, parts: Vec<usize>) {
        let id = self.id.clone();
        let writing = self.book.write(move |db| {
            let t = db.transaction()?;
            for part in parts {
                t.execute(
                    "UPDATE part SET is_taken_back = 1 WHERE upload = ?1 AND number = ?2",
                    params![id, part as i64],
                )?;
            }
            t.commit()
        });
        if let Err(error) = writing.await {
            tracing::warn!(%error, "what was taken back of an upload is not in the journal");
        }
    }

    /// A part that is not there any more is made anew under another key.
    pub(crate) async fn renewed(&self, part: usize, key: &str) -> Result<(), Error> {
        let (id, key) = (self.id.clone(), key.to_owned());
        self.book
            .write(move |db| {
                let t = db.transaction()?;
                t.execute("DELETE FROM chunk WHERE upload = ?1 AND part = ?2", params![id, part as i64])?;
                t.execute(
                    "UPDATE part SET location = NULL, acknowledged = 0, is_taken_back = 0, key = ?3 WHERE upload = ?1 AND number = ?2",
                    params![id, part as i64, key],
                )?;
                t.commit()
            })
            .await
    }

    /// The parts are about to be joined, or, the platform having refused it, are not.
    pub(crate) async fn joining(&self, is_joining: bool, key: &str) -> Result<(), Error> {
        let (id, key) = (self.id.clone(), key.to_owned());
        self.book
            .write(move |db| {
                db.execute(
                    "UPDATE upload SET is_joining = ?2, last_key = ?3 WHERE id = ?1",
                    params![id, is_joining, key],
                )
                .map(drop)
            })
            .await
    }
}

/// Parts expire one by one; the upload is worth keeping for as long as the last of them.
fn expires_later(db: &Connection, id: &str, expires: Option<i64>) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE upload SET expires_at = max(coalesce(?2, expires_at), coalesce(expires_at, ?2)), touched_at = ?3 WHERE id = ?1",
        params![id, expires, clean::now()],
    )
    .map(drop)
}

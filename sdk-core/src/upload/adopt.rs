//! An upload that was begun with another credential: the account's own, before its key was rotated, or another account's, which is
//! none of ours. The platform alone knows which, and is asked with the credential that there is now. It stays its owner's until
//! the platform has answered.

use std::time::Duration;

use rusqlite::params;

use super::{
    context::Context,
    journal::{Book, Written, find},
    judge::Asked,
    place::{Place, broke},
    prepared::prepared,
    recover::insist,
};
use crate::{beside, error::Error};

/// How long the platform is asked for.
const BRIEFLY: Duration = Duration::from_secs(5);

impl Book {
    /// The uploads of the same file to the same place under the same description that other credentials began, the latest first,
    /// with their identities. Somebody may work on them. It may block.
    fn others(&self, identity: &str, any_account: &str) -> Result<Vec<(String, Written)>, Error> {
        let found = self.now(|db| {
            let mut identities = prepared(
                db,
                "SELECT identity FROM upload WHERE any_account = ?1 AND identity <> ?2 ORDER BY touched_at DESC",
            )?;
            let identities = identities.query_map([any_account, identity], |row| row.get(0))?;
            let identities: Vec<String> = identities.collect::<Result<_, _>>()?;
            let mut others = Vec::new();
            for identity in identities {
                if let Some(written) = find(db, &identity)? {
                    others.push((identity, written));
                }
            }
            Ok(others)
        });
        // Without the journal there is nothing to take over.
        Ok(self.duty().done(found)?.unwrap_or_default())
    }

    /// Makes the upload that another credential began this one's; nothing, where somebody works on it or it has ended. It may block.
    fn take_over(&self, from: &str, id: &str, identity: &str) -> Result<Option<Written>, Error> {
        let Some(Some(_lock)) = self.lock(from)? else { return Ok(None) };
        let taken = self.now(|db| {
            let Some(written) = find(db, from)?.filter(|written| written.id == id) else {
                return Ok(None);
            };
            let change = "UPDATE upload SET identity = ?2 WHERE id = ?1";
            db.execute(change, params![id, identity])?;
            Ok(Some(written))
        });
        Ok(self.duty().done(taken)?.flatten())
    }
}

/// The upload of another credential that this one can continue; it is this one's from here on. Any other stays as it is.
pub(crate) async fn adopt(ctx: &Context<'_>, place: &Place) -> Result<Option<Written>, Error> {
    let (book, identity, any) =
        (place.book.clone(), place.identity.clone(), place.any_account.clone());
    let looking = beside::blocking(move || book.others(&identity, &any));
    for (from, written) in looking.await.map_err(broke)?? {
        let known = written.parts.iter().find_map(|part| part.location.as_deref());
        let Some(location) = known.filter(|_| written.file.may_be(&place.file)) else {
            continue;
        };
        let ask = || ctx.wire.offset(location);
        let asked = tokio::time::timeout(BRIEFLY, insist(Asked::Offset, ask(), ask)).await;
        if let Ok(Ok(_)) = asked {
            let (book, id, identity) = (place.book.clone(), written.id, place.identity.clone());
            let taking = beside::blocking(move || book.take_over(&from, &id, &identity));
            if let Some(written) = taking.await.map_err(broke)?? {
                return Ok(Some(written));
            }
        }
    }
    Ok(None)
}

/// The key of a small file's request that another credential sent, and whose answer may be missing: the platform is asked for
/// it under that key. The line stays the other's, who may be another account. It may block.
pub(crate) fn other_key(place: &Place) -> Result<Option<String>, Error> {
    let others = place.book.others(&place.identity, &place.any_account)?;
    let same = others.into_iter().find(|(_, written)| written.file.may_be(&place.file));
    Ok(same.map(|(_, written)| written.last_key))
}

//! An upload that was begun with another credential: the account's own, before its key was rotated, or another account's, which is
//! none of ours. The platform alone knows which, and is asked with the credential that there is now.

use std::time::Duration;

use rusqlite::params;

use super::{
    context::Context,
    journal::{Book, Written, find},
    judge::Asked,
    lock::Lock,
    place::{Place, broke},
    recover::insist,
};
use crate::{beside, error::Error};

/// How long the platform is asked for.
const BRIEFLY: Duration = Duration::from_secs(5);

/// An upload of the same file to the same place under the same description, held for this process.
struct Other {
    written: Written,
    _lock: Lock,
}

impl Book {
    /// Those that another credential began and nobody works on. It may block.
    fn others(&self, identity: &str, any_account: &str) -> Result<Vec<Other>, Error> {
        let identities: Vec<String> = self.now(|db| {
            let mut others = db
                .prepare("SELECT identity FROM upload WHERE any_account = ?1 AND identity <> ?2")?;
            let others = others.query_map([any_account, identity], |row| row.get(0))?;
            others.collect()
        })?;
        let mut others = Vec::new();
        for identity in identities {
            if let Some(Some(lock)) = self.lock(&identity)?
                && let Some(written) = self.now(|db| find(db, &identity))?
            {
                others.push(Other { written, _lock: lock });
            }
        }
        Ok(others)
    }
}

/// The upload of another credential that this one can continue; it is this one's from here on. Any other stays as it is.
pub(crate) async fn adopt(ctx: &Context<'_>, place: &Place) -> Result<Option<Written>, Error> {
    let (book, identity, any) =
        (place.book.clone(), place.identity.clone(), place.any_account.clone());
    let looking = beside::blocking(move || book.others(&identity, &any));
    // Without the journal there is nothing to take over.
    let others = place.book.duty().done(looking.await.map_err(broke)?)?.unwrap_or_default();
    for other in others {
        let known = other.written.parts.iter().find_map(|part| part.location.as_deref());
        let Some(location) = known.filter(|_| other.written.file.may_be(&place.file)) else {
            continue;
        };
        let ask = || ctx.wire.offset(location);
        let asked = tokio::time::timeout(BRIEFLY, insist(Asked::Offset, ask(), ask)).await;
        if let Ok(Ok(_)) = asked {
            let (id, identity) = (other.written.id.clone(), place.identity.clone());
            let adopting = place.book.write(move |db| {
                let change = "UPDATE upload SET identity = ?2 WHERE id = ?1";
                db.execute(change, params![id, identity]).map(drop)
            });
            adopting.await?;
            return Ok(Some(other.written));
        }
    }
    Ok(None)
}

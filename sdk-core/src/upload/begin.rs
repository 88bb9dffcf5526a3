//! How an upload begins: taken up where the journal has it, or cut into parts and written down anew. It sends no byte of the file.

use super::{
    adopt::adopt,
    context::{Setup, changed},
    fingerprint::Fingerprint,
    join::{briefly, cancelled},
    journal::{Written, WrittenPart},
    keys::{self, Keys},
    outcome::was_cancelled,
    place::{self, Place, Taken},
    plan,
    session::Job,
    whole::Whole,
};
use crate::error::Error;

impl Job<'_> {
    /// Where the journal has this upload, locked for this process.
    pub(super) async fn place(&self) -> Result<Option<Place>, Error> {
        let origin = self.setup.client.url(&self.setup.path);
        let Setup { source, settings, .. } = &self.setup;
        let mut described = self.setup.described();
        if let Some(key) = self.own_key() {
            // What was begun under another key, or none, would become that one's asset, and the same call again make a second.
            described.extend(["\0", key]);
        }
        let to = (&origin, place::account(self.setup.client));
        let taking = Place::take(&settings.journal, source, to, &described, |_| Ok(()));
        // What an earlier call left can be taken back only where it is written down.
        let mut wanted = settings.control.watch();
        let taken = briefly(&mut wanted, self.setup.ending, taking).await;
        match taken.map_err(|_| was_cancelled())??.0 {
            // The parts of one size, written down beside the fingerprint of another, would be continued as they are.
            Taken::Place(place) if self.stamp.as_ref().is_some_and(|s| s.1 != place.file.stamp) => {
                Err(changed(&place.path))
            }
            Taken::Place(place) => Ok(Some(*place)),
            Taken::Nowhere => Ok(None),
            Taken::ByAnother => Err(Error::upload(
                "this file is being uploaded already, by another process or task: wait for it, or cancel it there",
            )),
        }
    }

    /// The upload that an earlier process began of this file; one of another content is taken back.
    pub(super) async fn found(
        &self,
        place: &Place,
        restarts: &mut Vec<String>,
    ) -> Result<Option<Written>, Error> {
        let written = match &place.known {
            Some(written) => Some(written.clone()),
            None => {
                let ctx = self.setup.context(None, None);
                let mut wanted = self.setup.settings.control.watch();
                let adopting = cancelled(&mut wanted, adopt(&ctx, place)).await;
                adopting.map_err(|_| was_cancelled())??
            }
        };
        let Some(written) = written else { return Ok(None) };
        if written.file.may_be(&place.file) && !written.parts.is_empty() {
            return Ok(Some(written));
        }
        let ctx = self.context(Some(place), &written);
        let what = "the file is not the one whose upload was begun: it was begun anew";
        ctx.restarted(what.to_owned());
        restarts.append(&mut ctx.take_restarts());
        self.discard(&ctx, &self.parts(&written, true), Some(place), &written.id, false).await;
        Ok(None)
    }

    /// The keys of its requests: of the caller's own, unless that `is_spent`. What they need of the content's hash is left in
    /// `whole`.
    pub(super) async fn keys(&self, is_spent: bool, whole: &Whole) -> Result<Keys, Error> {
        let Some(key) = self.own_key().filter(|_| !is_spent) else { return Ok(Keys::new()) };
        let mut wanted = self.setup.settings.control.watch();
        let hashing = whole.of(&self.setup.source, self.size);
        let hashed = cancelled(&mut wanted, hashing).await.map_err(|_| was_cancelled())?;
        Ok(Keys::of(key, hashed.map_err(|error| self.setup.source.unreadable(error))?))
    }

    /// The caller's idempotency key.
    pub(super) fn own_key(&self) -> Option<&str> {
        self.setup.client.options().idempotency_key.as_ref().and_then(|key| key.to_str().ok())
    }

    /// A new upload, written down.
    pub(super) async fn begin(&self, place: Option<&Place>, keys: &Keys) -> Result<Written, Error> {
        let ranges = if self.setup.abilities.concatenation && self.streams > 1 {
            plan::parts(self.size)
        } else {
            std::iter::once(0..self.size).collect()
        };
        let part = |range: std::ops::Range<u64>| WrittenPart {
            first: range.start,
            past: range.end,
            key: keys.part(&range),
            location: None,
            acknowledged: 0,
            is_taken_back: false,
            chunks: Vec::new(),
        };
        let written = Written {
            id: keys::new(),
            last_key: keys.joining(),
            is_joining: false,
            file: match place {
                Some(place) => place.file.clone(),
                None => Fingerprint::none(self.size),
            },
            parts: ranges.into_iter().map(part).collect(),
        };
        if let Some(place) = place {
            // The platform tells when the first part is made.
            let mut wanted = self.setup.settings.control.watch();
            let beginning = place.begin(written.clone(), None);
            cancelled(&mut wanted, beginning).await.map_err(|_| was_cancelled())??;
        }
        Ok(written)
    }
}

//! A whole upload over tus, from its first question to the checked asset: taken up from the journal where it is known, cut
//! into parts, sent, joined, compared. Exactly one asset comes out, or an error that says what to do.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use futures_util::FutureExt as _;

use super::{
    Uploaded,
    context::{Context, Setup},
    control::Wanted,
    controller::Controller,
    engine,
    fingerprint::Stamp,
    join::{briefly, cancelled, join},
    journal::{Written, WrittenPart},
    keys,
    outcome::{abandon, asked_again, asset, compare, complete, discard, was_cancelled},
    part::{Halt, Kind, Part, State},
    place::Place,
    recover::anew,
    step::is_unchanged,
    whole::Whole,
};
use crate::{
    error::{Error, ErrorKind},
    models::Asset,
};

/// Rounds of asking for every part's state after the platform refused to join them.
const MOST_ROUNDS: u32 = 3;

/// A file or bytes that are uploaded.
pub(crate) struct Job<'a> {
    pub(crate) setup: Setup<'a>,
    pub(crate) size: u64,
    /// The most requests side by side.
    pub(crate) streams: usize,
    /// The platform is on this machine, and takes trailers.
    pub(crate) is_near: bool,
    /// The file and what it was when its size was read.
    pub(crate) stamp: Option<(PathBuf, Stamp)>,
}

impl Job<'_> {
    /// Uploads it.
    pub(crate) async fn run(&self) -> Result<Uploaded, Error> {
        if let Some(most) = self.setup.abilities.max_size.filter(|most| self.size > *most) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("the file has {} bytes and the platform takes {most}", self.size),
            ));
        }
        self.setup.tally.set_total(self.size);
        let place = self.place().await?;
        let mut restarts = Vec::new();
        let mut found = match &place {
            Some(place) => self.found(place, &mut restarts).await?,
            None => None,
        };
        // The caller's key may have made an asset already that is another content's, or there no more.
        let known = place.as_ref().and_then(|place| place.known.as_ref());
        let mut is_spent = found.is_none() && known.is_some_and(|known| known.is_joining);
        loop {
            let resumed = found.is_some();
            let whole = Whole::default();
            let written = match found.take() {
                Some(written) => written,
                None => {
                    let keys = self.keys(is_spent, &whole).await?;
                    self.begin(place.as_ref(), &keys).await?
                }
            };
            let ctx = Context { whole, ..self.context(place.as_ref(), &written) };
            let parts = self.parts(&written, resumed);
            let outcome = self.drive(&ctx, &parts, &written, resumed).await;
            restarts.append(&mut ctx.take_restarts());
            match outcome {
                Ok((asset, sha256)) => {
                    let compared = compare(self.setup.client, &asset, &sha256).await;
                    // Also when it is not the file: the next call must not come back to it.
                    if let Some(place) = &place {
                        place.book.forget(&written.id).await;
                    }
                    compared?;
                    let (sent, failures) = (self.setup.tally.wire(), ctx.failures.load(Relaxed));
                    return Ok(Uploaded { asset, sent, failures, restarts });
                }
                Err(Halt::Changed) => {
                    let what = "the file is not the one whose upload was begun: it was begun anew";
                    tracing::warn!("{what}");
                    restarts.push(what.to_owned());
                    is_spent |= written.is_joining;
                    self.discard(&ctx, &parts, place.as_ref(), &written.id, false).await;
                }
                Err(Halt::Lost) => {
                    let what =
                        "the asset that the upload became is there no more: it was begun anew";
                    tracing::warn!("{what}");
                    restarts.push(what.to_owned());
                    is_spent = true;
                    self.discard(&ctx, &parts, place.as_ref(), &written.id, false).await;
                }
                Err(Halt::Cancelled) => {
                    self.discard(&ctx, &parts, place.as_ref(), &written.id, true).await;
                    return Err(was_cancelled());
                }
                Err(Halt::Torn(error)) => {
                    self.discard(&ctx, &parts, place.as_ref(), &written.id, true).await;
                    return Err(error);
                }
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
    }

    pub(super) fn context(&self, place: Option<&Place>, written: &Written) -> Context<'_> {
        let ledger = place.map(|place| place.book.of(&written.id));
        let ctx = self.setup.context(ledger, self.stamp.clone());
        if self.is_near && written.parts.len() == 1 {
            ctx.trailers.store(true, Relaxed);
            ctx.sizes().near();
        }
        ctx
    }

    pub(super) fn parts(&self, written: &Written, resumed: bool) -> Vec<Arc<Part>> {
        let is_one = written.parts.len() == 1;
        let is_used = resumed || self.own_key().is_some();
        let part = |(number, part): (usize, &WrittenPart)| {
            let mut state = State::new(part.key.clone());
            state.is_used = is_used;
            if resumed {
                // After a power cut the address may be missing, and what the platform has was read from nobody knows what.
                state.location.clone_from(&part.location);
                state.unverified = Some(part.chunks.clone());
            }
            Arc::new(Part {
                number,
                kind: if is_one { Kind::Whole } else { Kind::Part },
                source: self.setup.source.clone(),
                range: part.first..part.past,
                base: 0,
                state: Mutex::new(state),
            })
        };
        written.parts.iter().enumerate().map(part).collect()
    }

    /// Sends what is missing and joins it: the asset, and the file's SHA-256.
    async fn drive(
        &self,
        ctx: &Context<'_>,
        parts: &[Arc<Part>],
        written: &Written,
        resumed: bool,
    ) -> Result<(Asset, [u8; 32]), Halt> {
        let mut wanted = self.setup.settings.control.watch();
        let sending = async {
            // The joining may have happened when the process was killed; its key makes it once.
            if resumed && written.is_joining {
                // What was joined is what the parts were read from, and that may be another file by now.
                let is_unchanged = async {
                    for part in parts {
                        let chunks = part.with(|s| s.unverified.clone()).unwrap_or_default();
                        let length = part.range.end - part.range.start;
                        if !is_unchanged(ctx, part, &chunks, length).await? {
                            return Ok(false);
                        }
                    }
                    Ok::<_, Error>(true)
                };
                // A cancelled one's asset is taken back by the joining.
                if let Ok(is_unchanged) = cancelled(&mut wanted, is_unchanged).await
                    && !is_unchanged?
                {
                    return Err(Halt::Changed);
                }
                let (client, key) = (self.setup.client, &written.last_key);
                let joined = join(client, ctx, parts, key, true, &mut wanted);
                match joined.boxed().await {
                    Ok(held) => return Ok(held),
                    Err(Halt::Failed(error)) if !error.is_retryable() => {}
                    Err(halt) => return Err(halt),
                }
            }
            for (part, before) in parts.iter().zip(&written.parts) {
                if resumed && before.is_taken_back {
                    anew(ctx, part).await?;
                }
            }
            self.send(ctx, parts, written, &mut wanted).await
        };
        let hashing = async {
            let sha256 = ctx.whole.of(&self.setup.source, self.size).await;
            sha256.map_err(|error| Halt::Failed(self.setup.source.unreadable(error)))
        };
        let ((location, asset_id), sha256) = if parts.len() == 1 && ctx.hashes() {
            // Each chunk's hash brings the whole's along.
            (sending.await?, hashing.await?)
        } else {
            futures_util::future::try_join(sending, hashing).await?
        };
        if *self.setup.settings.control.watch().borrow() == Wanted::Cancel {
            tracing::debug!("cancelled too late: the asset is there");
        }
        let id = asset_id.clone();
        let asking = asset(self.setup.client, &location, asset_id, self.size, &sha256);
        match briefly(&mut wanted, ctx.ending, asking)
            .await
            .unwrap_or_else(|_| Err(was_cancelled()))
        {
            Ok(asset) => Ok((asset, sha256)),
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                abandon(ctx, Some(location)).await;
                Err(Halt::Cancelled)
            }
            Err(error) if resumed && matches!(error.status(), Some(404 | 410)) => Err(Halt::Lost),
            Err(error) if ctx.ledger.is_none() && self.own_key().is_none() => {
                Err(complete(error, id.as_deref().unwrap_or(&location)).into())
            }
            Err(error) => Err(asked_again(error).into()),
        }
    }

    /// Sends every part and joins them: where the upload is, and the asset's id.
    async fn send(
        &self,
        ctx: &Context<'_>,
        parts: &[Arc<Part>],
        written: &Written,
        wanted: &mut tokio::sync::watch::Receiver<Wanted>,
    ) -> Result<(String, Option<String>), Halt> {
        let mut controller = Controller::new(self.streams);
        let mut key = written.last_key.clone();
        let mut round = 0;
        loop {
            engine::run(ctx, parts, &mut controller, wanted).await?;
            if let Err(error) = ctx.unchanged() {
                // One stream is an asset since its last byte: of what the file was, or of some of both.
                if parts.len() > 1 || !ctx.is_there() {
                    return Err(error.into());
                }
                let touched = ctx.is_only_touched(&self.setup.source, self.size);
                if !cancelled(wanted, touched).await? {
                    return Err(Halt::Torn(error));
                }
            }
            if let [whole] = parts {
                let (location, id) = whole.with(|s| (s.location.clone(), s.asset_id.clone()));
                return Ok((location.unwrap_or_default(), id));
            }
            if let Some(ledger) = &ctx.ledger {
                cancelled(wanted, ledger.joining(true, &key)).await??;
            }
            let error = match join(self.setup.client, ctx, parts, &key, false, wanted).boxed().await
            {
                Ok(held) => return Ok(held),
                Err(Halt::Failed(error)) => error,
                Err(halt) => return Err(halt),
            };
            round += 1;
            // A part that is gone or shorter than it was is what can be made good; so is a key that stands for parts which are gone.
            let is_spent = error.code() == Some("idempotency_mismatch") && self.own_key().is_none();
            let is_refused = matches!(error.status(), Some(400 | 403 | 404 | 409 | 410));
            if !(is_spent || is_refused) || round >= MOST_ROUNDS {
                return Err(error.into());
            }
            key = keys::new();
            if let Some(ledger) = &ctx.ledger {
                ledger.joining(false, &key).await?;
            }
            for part in parts {
                part.with(|s| s.offset = None);
            }
        }
    }

    /// Takes back what the platform has, and forgets it. The asset that one stream became goes `with_asset` only: another content's
    /// stays its own. What could not be taken back of a content that may come again is not forgotten: the next call continues it.
    pub(super) async fn discard(
        &self,
        ctx: &Context<'_>,
        parts: &[Arc<Part>],
        place: Option<&Place>,
        id: &str,
        with_asset: bool,
    ) {
        let is_gone = discard(ctx, parts, with_asset).await && !ctx.ending.asset_stays();
        for part in parts {
            part.with(|s| self.setup.tally.moved(std::mem::take(&mut s.counted), 0));
        }
        let Some(place) = place else { return };
        let noting = async {
            if is_gone || !with_asset {
                place.book.forget(id).await;
            } else {
                let taken_back = parts.iter().filter(|part| part.with(|s| s.is_taken_back));
                place.book.of(id).taken_back(taken_back.map(|part| part.number).collect()).await;
            }
        };
        // What is not waited for is written all the same, as soon as the journal can be.
        let _ = tokio::time::timeout_at(ctx.ending.whole(), noting).await;
    }
}

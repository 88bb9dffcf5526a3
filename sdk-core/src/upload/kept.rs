//! How long the platform keeps a part that it has whole: as long as from the last answer on (tus's extension `expiration`). An
//! upload that takes longer has it keep the part anew.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    UploadSource,
    context::Context,
    part::Part,
    progress::InFlight,
    tus::{Chunk, Held, Proof, expires_at},
};

/// Between two requests for a part, where the first one failed or brought nothing.
const PAUSE: Duration = Duration::from_secs(60);

/// What the platform said of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Until when, in Unix seconds of the platform's clock.
    until: i64,
    /// For how long, from when it was said.
    time: Duration,
    said: Instant,
    asked: Option<Instant>,
}

impl Kept {
    fn said(held: &Held) -> Option<Self> {
        let until = held.expires.as_deref().and_then(expires_at)?;
        let now = held.date.as_deref().and_then(expires_at).or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(now.as_secs()).ok()
        })?;
        let time = Duration::from_secs(u64::try_from(until.checked_sub(now)?).ok()?);
        Some(Self { until, time, said: Instant::now(), asked: None })
    }

    /// Half of its time is over, by this machine's clock or, which may have slept, by what the platform said of a part since then:
    /// that is kept until `latest`.
    fn is_due(&self, latest: i64) -> bool {
        let later = u64::try_from(latest.saturating_sub(self.until)).unwrap_or(0);
        let passed = self.said.elapsed().max(Duration::from_secs(later));
        passed >= self.time / 2 && self.asked.is_none_or(|asked| asked.elapsed() >= PAUSE)
    }
}

impl Part {
    /// Notes until when the platform keeps it.
    pub(crate) fn heard(&self, ctx: &Context<'_>, held: &Held) {
        if let Some(kept) = Kept::said(held) {
            ctx.kept_until.fetch_max(kept.until, Relaxed);
            self.with(|s| {
                // Some platforms keep a part until a time that nothing changes.
                let before = s.kept.filter(|before| before.until >= kept.until);
                s.kept = Some(Kept { asked: before.and_then(|before| before.asked), ..kept });
            });
        }
    }

    /// Whether the platform is to be told soon that it is still wanted.
    pub(crate) fn is_due(&self, ctx: &Context<'_>) -> bool {
        let latest = ctx.kept_until.load(Relaxed);
        self.with(|s| s.kept.is_some_and(|kept| kept.is_due(latest)))
    }
}

/// Has the platform keep a part that it has whole, by a chunk of no bytes. A part that is gone all the same is made good when the
/// parts are joined.
pub(crate) async fn keep(ctx: &Context<'_>, part: &Part) {
    part.with(|s| {
        if let Some(kept) = &mut s.kept {
            kept.asked = Some(Instant::now());
        }
    });
    let Some(location) = part.with(|s| s.location.clone()) else { return };
    let nothing = UploadSource::bytes("", Vec::new());
    let chunk = Chunk {
        source: &nothing,
        start: 0,
        offset: part.end(),
        length: 0,
        proof: Proof::None,
        buffers: ctx.buffers(),
        upload_length: None,
        stall: ctx.stall,
    };
    let request = InFlight::new(&ctx.tally);
    match ctx.wire.send(&location, chunk, &request.bodies()).await {
        Ok(held) => {
            part.heard(ctx, &held);
            if let Some(ledger) = &ctx.ledger {
                let expires = held.expires.as_deref().and_then(expires_at);
                ledger.acknowledged(part.number, part.end(), expires).await;
            }
        }
        Err(error) => {
            tracing::debug!(part = part.number, %error, "a part that is complete could not be kept longer");
        }
    }
}

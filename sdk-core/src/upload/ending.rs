//! The end of an upload that is not wanted any more: one bound for all that is waited for, asked and taken back by then.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// From the first wait on. Who cancels waits for this.
const WHOLE: Duration = Duration::from_secs(5);
/// What of it an answer has that is on its way; the rest is for taking back what that tells of.
const ANSWER: Duration = Duration::from_secs(3);

/// An upload's end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// When it was first asked for.
    began: OnceLock<Instant>,
    asset_stays: AtomicBool,
}

impl Ending {
    /// Until when the answer to what was asked before is waited for.
    pub(crate) fn answer(&self) -> Instant {
        self.began() + ANSWER
    }

    /// Until when what is there is taken back.
    pub(crate) fn whole(&self) -> Instant {
        self.began() + WHOLE
    }

    /// The asset that came of it could not be removed: the next call is to be led to it.
    pub(crate) fn leave_asset(&self) {
        self.asset_stays.store(true, Relaxed);
    }

    pub(crate) fn asset_stays(&self) -> bool {
        self.asset_stays.load(Relaxed)
    }

    fn began(&self) -> Instant {
        *self.began.get_or_init(Instant::now)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, sleep_until};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn however_many_steps_an_end_has_it_has_one_bound() {
        let (ending, cancelled) = (Ending::default(), Instant::now());
        sleep_until(ending.answer()).await;
        for _ in 0..3 {
            sleep_until(ending.whole()).await;
        }
        assert_eq!(cancelled.elapsed(), WHOLE);
        sleep(WHOLE).await;
        assert!(ending.answer() < Instant::now());
    }
}

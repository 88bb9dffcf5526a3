//! The end of an upload that is not wanted any more: one bound for all that is waited for, asked and taken back by then.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::control::UploadControl;

/// Who cancels waits for this.
const WHOLE: Duration = Duration::from_secs(5);
/// What of it an answer has that is on its way; the rest is for taking back what that tells of.
const ANSWER: Duration = Duration::from_secs(3);

/// An upload's end. There is one for all that is done for an upload, however often it is begun anew.
#[derive(Debug)]
pub(crate) struct Ending {
    control: UploadControl,
    /// One that was cancelled before has its time from here on: an earlier call may have left something.
    began: Instant,
    asset_stays: AtomicBool,
}

impl Ending {
    /// Of an upload that begins now.
    pub(crate) fn new(control: &UploadControl) -> Self {
        let control = control.clone();
        Self { control, began: Instant::now(), asset_stays: AtomicBool::new(false) }
    }

    /// Until when the answer to what was asked before is waited for.
    pub(crate) fn answer(&self) -> Instant {
        self.cancelled() + ANSWER
    }

    /// Until when what is there is taken back; of an upload that goes on, or ends with an error, from now on.
    pub(crate) fn whole(&self) -> Instant {
        self.cancelled() + WHOLE
    }

    /// The asset that came of it could not be removed, or may come yet: the next call is to be led to it.
    pub(crate) fn leave_asset(&self) {
        self.asset_stays.store(true, Relaxed);
    }

    pub(crate) fn asset_stays(&self) -> bool {
        self.asset_stays.load(Relaxed)
    }

    fn cancelled(&self) -> Instant {
        self.control.cancelled().map_or_else(Instant::now, |at| at.max(self.began))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep_until};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn however_many_steps_an_end_has_it_has_one_bound() {
        let control = UploadControl::new();
        let ending = Ending::new(&control);
        // What is taken back before has nothing of it.
        sleep_until(ending.whole()).await;
        control.cancel();
        let cancelled = Instant::now();
        advance(Duration::from_secs(1)).await;
        control.cancel();
        sleep_until(ending.answer()).await;
        assert_eq!(cancelled.elapsed(), ANSWER);
        for _ in 0..3 {
            sleep_until(ending.whole()).await;
        }
        assert_eq!(cancelled.elapsed(), WHOLE);
        // The next upload with the same handle.
        assert_eq!(Ending::new(&control).whole(), Instant::now() + WHOLE);
    }
}

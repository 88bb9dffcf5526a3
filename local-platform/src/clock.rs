//! The platform's clock: the system's, moved by as much as a test asked for. Whoever waits for a time waits here, so
//! that moving the clock wakes them.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::Notify;

/// A clock that can be moved.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// The platform's time.
    pub(crate) fn now(&self) -> Timestamp {
        let system = Timestamp::now();
        match self.offset_ms.load(Ordering::Relaxed) {
            0 => system,
            ms => system
                .saturating_add(jiff::SignedDuration::from_millis(ms))
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// Moves the clock by `ms` milliseconds, back when negative.
    pub(crate) fn advance(&self, ms: i64) {
        let _ = self
            .offset_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| Some(at.saturating_add(ms)));
        self.moved.notify_waiters();
    }

    /// Puts the clock back to the system's.
    pub(crate) fn reset(&self) {
        self.offset_ms.store(0, Ordering::Relaxed);
        self.moved.notify_waiters();
    }

    /// Waits until the platform's time is `at`, however the clock is moved meanwhile.
    pub(crate) async fn sleep_until(&self, at: Timestamp) {
        loop {
            // Registered before the clock is read: a move in between is then not missed.
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let left = at.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = moved => {}
            }
        }
    }
}

/// The form in which times are stored and sent: UTC with milliseconds, of one width so that text sorts as time does.
pub(crate) fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}

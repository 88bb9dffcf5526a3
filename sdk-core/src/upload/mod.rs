//! Sending files: where the bytes come from, how far they are, and the one streamed multipart request that carries them.

mod multipart;
mod source;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

pub(crate) use multipart::upload;
pub use source::UploadSource;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Bytes of the file given to the network.
    pub sent: u64,
    /// Bytes of the file.
    pub total: u64,
    /// Bytes a second since the beginning.
    pub rate: f64,
    /// Time left at that rate, once there is one.
    pub time_left: Option<Duration>,
}

/// At most ten calls a second, and one at the end.
const EVERY: Duration = Duration::from_millis(100);

/// Who is told of an upload's progress.
pub(crate) type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Tells of progress, not too often.
pub(crate) struct Meter {
    told: OnProgress,
    started: Instant,
    last: Mutex<Option<Instant>>,
}

impl Meter {
    pub(crate) fn new(told: OnProgress) -> Self {
        Self { told, started: Instant::now(), last: Mutex::new(None) }
    }

    /// `sent` of `total` bytes are on their way.
    pub(crate) fn at(&self, sent: u64, total: u64) {
        let now = Instant::now();
        {
            // Not held while the caller's code runs.
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if sent < total && last.is_some_and(|last| now.duration_since(last) < EVERY) {
                return;
            }
            *last = Some(now);
        }
        let seconds = now.duration_since(self.started).as_secs_f64();
        let rate = if seconds > 0.0 { sent as f64 / seconds } else { 0.0 };
        let time_left = (rate > 0.0)
            .then(|| Duration::try_from_secs_f64((total - sent.min(total)) as f64 / rate).ok())
            .flatten();
        (self.told)(Progress { sent, total, rate, time_left });
    }
}

//! Pacing, off unless asked for: at most so many calls in flight, and none sooner than the rate-limit headers allow, so that
//! many tasks that share a key see no 429.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What the last answer said about the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    remaining: u64,
    /// Unix seconds.
    resets_at: u64,
}

/// Holds calls back.
#[derive(Debug)]
pub(crate) struct Pacer {
    in_flight: Semaphore,
    window: Mutex<Option<Window>>,
}

impl Pacer {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        Self { in_flight: Semaphore::new(max_in_flight.max(1)), window: Mutex::new(None) }
    }

    /// A place among the calls in flight, once there is one.
    pub(crate) async fn enter(&self) -> SemaphorePermit<'_> {
        self.in_flight.acquire().await.expect("the semaphore is never closed")
    }

    /// Counts a request that is about to be sent, or gives how long to wait first.
    pub(crate) fn take(&self, now: SystemTime) -> Result<(), Duration> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = window.as_mut() else { return Ok(()) };
        let reset = UNIX_EPOCH + Duration::from_secs(known.resets_at);
        match reset.duration_since(now) {
            Ok(wait) if !wait.is_zero() => {
                if known.remaining == 0 {
                    return Err(wait);
                }
                known.remaining -= 1;
            }
            _ => *window = None,
        }
        Ok(())
    }

    /// Learns from an answer's headers. Answers overtake each other, so within one window the smaller number holds.
    pub(crate) fn learn(&self, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let (Some(remaining), Some(resets_at)) =
            (number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
        else {
            return;
        };
        // A year ahead is no window that anyone means.
        let year =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()) + 366 * 86_400;
        if resets_at > year {
            return;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Window { remaining, resets_at };
        *window = Some(match *window {
            Some(known) if known.resets_at == resets_at => {
                Window { remaining: known.remaining.min(remaining), ..seen }
            }
            Some(known) if known.resets_at > resets_at => known,
            _ => seen,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(remaining: u64, reset: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", remaining.into());
        headers.insert("x-ratelimit-reset", reset.into());
        headers
    }

    #[test]
    fn no_request_is_sent_past_the_limit() {
        let pacer = Pacer::new(4);
        let at = |s| UNIX_EPOCH + Duration::from_secs(s);
        assert!(pacer.take(at(10)).is_ok(), "nothing is known yet");
        pacer.learn(&headers(2, 100));
        pacer.learn(&headers(3, 100));
        assert!(pacer.take(at(10)).is_ok() && pacer.take(at(10)).is_ok());
        assert_eq!(pacer.take(at(40)), Err(Duration::from_secs(60)));
        pacer.learn(&headers(9, 50));
        assert!(pacer.take(at(40)).is_err(), "an older window says nothing");
        assert!(pacer.take(at(100)).is_ok());
    }
}

//! A key's rate limit: so many requests in an hour that begins with the first of them. Kept in memory alone, so a
//! restart begins a new hour; counting in the database would cost a write for every request.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// Seconds in which the limit holds.
const WINDOW_S: i64 = 3600;

/// Requests counted in the present window.
#[derive(Debug, Default)]
pub(crate) struct RateWindow {
    limit: AtomicU32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    resets_at: i64,
    used: u32,
}

/// What the `X-RateLimit-*` headers say after one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateState {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Unix seconds.
    pub(crate) resets_at: i64,
    /// Whether this request was within the limit.
    pub(crate) allowed: bool,
}

impl RateWindow {
    /// Sets how many requests an hour are allowed.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Counts one request at `now` (Unix seconds).
    pub(crate) fn take(&self, now: i64) -> RateState {
        let limit = self.limit.load(Ordering::Relaxed);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was moved back by more than the window must not leave the key locked out.
        if now >= window.resets_at || window.resets_at - now > WINDOW_S {
            *window = Window { resets_at: now.saturating_add(WINDOW_S), used: 0 };
        }
        let allowed = window.used < limit;
        if allowed {
            window.used += 1;
        }
        RateState {
            limit,
            remaining: limit.saturating_sub(window.used),
            resets_at: window.resets_at,
            allowed,
        }
    }

    /// Forgets what was used.
    pub(crate) fn reset(&self) {
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = Window::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_for_an_hour_from_the_first_request() {
        let window = RateWindow::default();
        window.set_limit(2);
        assert!(window.take(100).allowed);
        assert_eq!(window.take(200).remaining, 0);
        let refused = window.take(3699);
        assert!(!refused.allowed);
        assert_eq!(refused.resets_at, 3700);
        assert!(window.take(3700).allowed);
    }

    #[test]
    fn a_clock_moved_back_does_not_lock_a_key_out() {
        let window = RateWindow::default();
        window.set_limit(1);
        assert!(window.take(1_000_000).allowed);
        assert!(window.take(10).allowed);
    }
}

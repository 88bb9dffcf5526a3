//! The circuit breaker of a client and host, off unless asked for: after so many failures in a row calls fail at once, and
//! after a while one is let through to see.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::error::{Error, ErrorKind};

/// When the breaker opens and how long it stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Failures in a row after which it opens. Default 5.
    pub failure_threshold: u32,
    /// How long it stays open before one call is let through. Default 60 s.
    pub recovery_timeout: Duration,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { failure_threshold: 5, recovery_timeout: Duration::from_secs(60) }
    }
}

/// The breaker's state.
#[derive(Debug)]
pub(crate) struct Breaker {
    config: CircuitBreaker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<Instant>,
    probing: bool,
}

/// Lets one call through; dropped without a verdict, as by a cancelled call, it counts as neither.
#[derive(Debug)]
pub(crate) struct Permit<'a>(Option<&'a Breaker>);

impl Breaker {
    pub(crate) fn new(config: CircuitBreaker) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// A permit at `now`, or the error of an open circuit.
    pub(crate) fn enter(&self, now: Instant) -> Result<Permit<'_>, Error> {
        let mut state = self.lock();
        if let Some(opened) = state.opened {
            let wait =
                self.config.recovery_timeout.saturating_sub(now.saturating_duration_since(opened));
            if !wait.is_zero() || state.probing {
                return Err(Error::new(
                    ErrorKind::CircuitOpen,
                    format!("the circuit is open after {} failures in a row", state.failures),
                )
                .with(|e| {
                    e.retry_after = Some(wait);
                    e.retryable = true;
                }));
            }
            state.probing = true;
        }
        Ok(Permit(Some(self)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Tells how the call ended: `healthy` when the host answered, were it with a 4xx.
    pub(crate) fn done(mut self, healthy: bool, now: Instant) {
        let Some(breaker) = self.0.take() else { return };
        let mut state = breaker.lock();
        if healthy {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.probing || state.failures >= breaker.config.failure_threshold {
            state.opened = Some(now);
            state.probing = false;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.0 {
            breaker.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_probes_once_and_closes() {
        let config =
            CircuitBreaker { failure_threshold: 2, recovery_timeout: Duration::from_secs(60) };
        let breaker = Breaker::new(config);
        let start = Instant::now();
        for _ in 0..2 {
            breaker.enter(start).unwrap().done(false, start);
        }
        let error = breaker.enter(start + Duration::from_secs(59)).unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ErrorKind::CircuitOpen, Some(Duration::from_secs(1)))
        );
        let later = start + Duration::from_secs(60);
        let probe = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err(), "one probe at a time");
        probe.done(false, later);
        assert!(breaker.enter(later + Duration::from_secs(59)).is_err());
        let last = later + Duration::from_secs(60);
        drop(breaker.enter(last).unwrap());
        breaker.enter(last).unwrap().done(true, last);
        breaker.enter(last).unwrap().done(true, last);
    }
}

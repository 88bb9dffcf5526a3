//! The circuit breaker of a client and host, off unless asked for: after so many failures in a row calls fail at once, and
//! after a while one is let through to see.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

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
pub(crate) struct Permit<'a> {
    breaker: Option<&'a Breaker>,
    /// Whether it is the one call that sees how the host is while the circuit is open.
    is_probe: bool,
}

impl Breaker {
    pub(crate) fn new(config: CircuitBreaker) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// One for a child of this process: the call that sees how the host is would not come back there.
    pub(crate) fn anew(&self) -> Self {
        Self::new(self.config)
    }

    /// A permit at `now`, or the error of an open circuit.
    pub(crate) fn enter(&self, now: Instant) -> Result<Permit<'_>, Error> {
        let mut state = self.lock();
        let mut is_probe = false;
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
            (state.probing, is_probe) = (true, true);
        }
        Ok(Permit { breaker: Some(self), is_probe })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Tells how the call ended: `healthy` when the host answered, were it with a 4xx.
    pub(crate) fn done(mut self, healthy: bool, now: Instant) {
        let Some(breaker) = self.breaker.take() else { return };
        let mut state = breaker.lock();
        // What was on its way when the circuit opened tells of the time before.
        if state.opened.is_some() && !self.is_probe {
            return;
        }
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
        if let Some(breaker) = self.breaker
            && self.is_probe
        {
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

    #[test]
    fn calls_from_before_it_opened_say_nothing_of_an_open_circuit() {
        let config =
            CircuitBreaker { failure_threshold: 1, recovery_timeout: Duration::from_secs(60) };
        let breaker = Breaker::new(config);
        let start = Instant::now();
        let [late_success, late_failure, dropped] =
            std::array::from_fn(|_| breaker.enter(start).unwrap());
        breaker.enter(start).unwrap().done(false, start);
        let soon = start + Duration::from_secs(59);
        late_success.done(true, soon);
        assert!(breaker.enter(soon).is_err(), "it stays open");
        late_failure.done(false, soon);
        let later = start + Duration::from_secs(60);
        let probe = breaker.enter(later).expect("it is open no longer than it was to be");
        drop(dropped);
        assert!(breaker.enter(later).is_err(), "one probe at a time");
        probe.done(true, later);
        assert!(breaker.enter(later).is_ok());
    }
}

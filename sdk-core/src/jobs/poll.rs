//! When to ask for a job again: 0.5 s, then half as long again each time, up to 10 s, a fifth more or less; or when the
//! platform says.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(10);
const FACTOR: f64 = 1.5;
const JITTER: f64 = 0.2;

/// The waits between polls.
#[derive(Debug)]
pub(crate) struct PollSchedule {
    next: Duration,
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl PollSchedule {
    /// The next wait; `asked` is what the last answer's `Retry-After` said, `random` from 0 to 1.
    pub(crate) fn wait(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        let own = self.next;
        self.next = own.mul_f64(FACTOR).min(MOST);
        // «At once», said each time or by a date in the past, would be asking without a pause.
        let asked = asked.filter(|asked| !asked.is_zero());
        asked.unwrap_or_else(|| own.mul_f64(1.0 - JITTER + 2.0 * JITTER * random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_ten_seconds() {
        let mut schedule = PollSchedule::default();
        let waits: Vec<_> = (0..12).map(|_| schedule.wait(None, 0.5).as_millis()).collect();
        assert_eq!(waits[..4], [500, 750, 1125, 1687]);
        assert_eq!(waits[11], 10_000);
    }

    #[test]
    fn the_platforms_word_comes_first_and_the_rest_is_spread() {
        let mut schedule = PollSchedule::default();
        assert_eq!(schedule.wait(Some(Duration::from_secs(3)), 0.0).as_secs(), 3);
        assert_eq!(PollSchedule::default().wait(Some(Duration::ZERO), 0.5).as_millis(), 500);
        assert_eq!(PollSchedule::default().wait(None, 0.0).as_millis(), 400);
        assert_eq!(PollSchedule::default().wait(None, 1.0).as_millis(), 600);
    }
}

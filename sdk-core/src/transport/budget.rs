//! The retry budget of a client: when most calls fail, retrying them all makes it worse. AWS's token bucket: 500 tokens, a
//! retry costs 14 (5 when the platform throttled), a success gives back what it took, or 1.

use std::sync::atomic::{AtomicI32, Ordering};

const CAPACITY: i32 = 500;
const COST: i32 = 14;
const COST_THROTTLED: i32 = 5;

/// Tokens shared by every call of a client.
#[derive(Debug)]
pub(crate) struct RetryBudget(AtomicI32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI32::new(CAPACITY))
    }
}

impl RetryBudget {
    /// Takes the tokens of one retry; `None` when there are too few.
    pub(crate) fn take(&self, throttled: bool) -> Option<i32> {
        let cost = if throttled { COST_THROTTLED } else { COST };
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| {
                (have >= cost).then_some(have - cost)
            })
            .is_ok()
            .then_some(cost)
    }

    /// Gives back what the last retry of a call that succeeded took, or 1 for a call without any.
    pub(crate) fn give_back(&self, taken: i32) {
        // Full is the usual state: a look costs less than a write that every thread's cache has to hear of.
        if self.0.load(Ordering::Relaxed) < CAPACITY {
            let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| {
                Some((have + taken.max(1)).min(CAPACITY))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_platform_is_retried_thirty_five_times_and_then_no_more() {
        let budget = RetryBudget::default();
        let taken = std::iter::from_fn(|| budget.take(false)).count();
        assert_eq!(taken, 35);
        budget.give_back(COST);
        assert!(budget.take(false).is_some());
        // Ten are left: two retries after throttling.
        let throttled = std::iter::from_fn(|| budget.take(true)).count();
        assert_eq!(throttled, 2);
    }

    #[test]
    fn success_never_fills_it_past_its_size() {
        let budget = RetryBudget::default();
        for _ in 0..1_000 {
            budget.give_back(0);
        }
        assert_eq!(std::iter::from_fn(|| budget.take(true)).count(), 100);
    }
}

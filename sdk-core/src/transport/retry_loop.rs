//! The loop that applies the retry policy, generic over the attempt, the sleep, the clock and the randomness, so that its
//! tests need neither network nor time.

use std::time::Duration;

use super::{
    backoff,
    budget::RetryBudget,
    policy::{Verdict, judge},
};
use crate::error::{Error, ErrorKind};

/// What bounds one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Attempts after the first.
    pub(crate) max_retries: u32,
    /// From the call's start to its end, waits included.
    pub(crate) deadline: Duration,
    /// A longer wait than this is not waited, its error returned instead.
    pub(crate) max_retry_after: Duration,
    /// Sending the request twice has the effect of sending it once.
    pub(crate) repeatable: bool,
}

/// What the loop takes from outside.
pub(crate) trait World {
    /// Time since the call began.
    fn elapsed(&self) -> Duration;
    /// From 0 to 1.
    fn random(&self) -> f64;
    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Makes attempts until one succeeds or no further one is due. `attempt` is given its number, from 0, and the time left.
pub(crate) async fn run<T, F>(
    limits: Limits,
    budget: &RetryBudget,
    world: &impl World,
    mut attempt: impl FnMut(u32, Duration) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut taken = 0;
    let mut number = 0;
    loop {
        let left = limits.deadline.saturating_sub(world.elapsed());
        let failed = match attempt(number, left).await {
            Ok(value) => {
                budget.give_back(taken);
                return Ok(value);
            }
            Err(error) => error,
        };
        let verdict = judge(&failed, limits.repeatable);
        let finish = |error: Error| {
            error.with(|e| {
                e.elapsed = world.elapsed();
                // What was held back before it was sent counts no attempt and knows itself whether it passes: the open
                // circuit, the used-up limit, a refused configuration.
                let tried = e.status.is_some() || e.sent.is_some();
                e.attempts = e.attempts.max(number + u32::from(tried));
                if tried {
                    e.retryable = verdict != Verdict::Final;
                }
            })
        };
        let Verdict::Retry { throttled } = verdict else { return Err(finish(failed)) };
        if number >= limits.max_retries {
            return Err(finish(failed));
        }
        let asked = failed.retry_after();
        let wait = backoff::delay(number, throttled, world.random(), asked);
        let left = limits.deadline.saturating_sub(world.elapsed());
        if asked.is_some_and(|asked| asked > limits.max_retry_after) || wait >= left {
            return Err(finish(failed));
        }
        let Some(cost) = budget.take(throttled) else { return Err(finish(failed)) };
        taken = cost;
        tracing::debug!(attempt = number + 1, wait_ms = wait.as_millis(), error = %failed, "trying again");
        world.sleep(wait).await;
        number += 1;
    }
}

/// The error of an attempt for which no time is left.
pub(crate) fn out_of_time(deadline: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("the call did not end within {deadline:?}"))
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, sync::Mutex};

    use super::*;

    /// A world whose clock moves only by its sleeps.
    #[derive(Default)]
    struct Fake {
        now: Mutex<Duration>,
        slept: Mutex<Vec<u64>>,
    }

    impl World for Fake {
        fn elapsed(&self) -> Duration {
            *self.now.lock().unwrap()
        }
        fn random(&self) -> f64 {
            1.0
        }
        async fn sleep(&self, time: Duration) {
            *self.now.lock().unwrap() += time;
            self.slept.lock().unwrap().push(time.as_millis() as u64);
        }
    }

    fn limits() -> Limits {
        Limits {
            max_retries: 2,
            deadline: Duration::from_secs(180),
            max_retry_after: Duration::from_secs(120),
            repeatable: true,
        }
    }

    fn failed(status: u16, retry_after: Option<u64>) -> Error {
        Error::new(ErrorKind::of_status(status), "").with(|e| {
            e.status = Some(status);
            e.retry_after = retry_after.map(Duration::from_secs);
        })
    }

    fn play(
        limits: Limits,
        budget: &RetryBudget,
        mut answers: Vec<Result<(), Error>>,
    ) -> (Result<(), Error>, u32, Vec<u64>) {
        let world = Fake::default();
        let attempts = Cell::new(0);
        answers.reverse();
        let call = run(limits, budget, &world, |_, _| {
            attempts.set(attempts.get() + 1);
            let answer = answers.pop().unwrap_or(Ok(()));
            async { answer }
        });
        let outcome = futures_util::FutureExt::now_or_never(call).unwrap();
        (outcome, attempts.get(), world.slept.into_inner().unwrap())
    }

    #[test]
    fn two_failures_are_survived_and_the_third_is_told() {
        let budget = RetryBudget::default();
        let (outcome, attempts, slept) =
            play(limits(), &budget, vec![Err(failed(500, None)), Err(failed(502, None))]);
        assert!(outcome.is_ok());
        assert_eq!((attempts, slept), (3, vec![100, 200]));
        let (outcome, attempts, _) =
            play(limits(), &budget, (0..3).map(|_| Err(failed(500, None))).collect());
        let error = outcome.unwrap_err();
        assert_eq!((attempts, error.attempts(), error.is_retryable()), (3, 3, true));
    }

    #[test]
    fn no_retries_means_none() {
        let none = Limits { max_retries: 0, ..limits() };
        assert_eq!(play(none, &RetryBudget::default(), vec![Err(failed(503, None))]).1, 1);
    }

    #[test]
    fn a_wait_that_is_too_long_is_told_and_not_waited() {
        for asked in [121, 179] {
            let (outcome, attempts, slept) =
                play(limits(), &RetryBudget::default(), vec![Err(failed(429, Some(asked)))]);
            assert_eq!(outcome.unwrap_err().retry_after(), Some(Duration::from_secs(asked)));
            assert_eq!((attempts, slept.len()), (1, 0));
        }
        let short = Limits { deadline: Duration::from_secs(10), ..limits() };
        assert_eq!(play(short, &RetryBudget::default(), vec![Err(failed(503, Some(10)))]).1, 1);
        assert_eq!(
            play(short, &RetryBudget::default(), vec![Err(failed(503, Some(9)))]).2,
            [9_000]
        );
    }

    #[test]
    fn an_empty_budget_ends_the_retries() {
        let budget = RetryBudget::default();
        while budget.take(false).is_some() {}
        assert_eq!(play(limits(), &budget, vec![Err(failed(500, None))]).1, 1);
    }
}

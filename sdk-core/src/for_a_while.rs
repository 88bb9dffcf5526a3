//! Properties held for a time and not for a number of cases: 5 seconds each, or `STORYCORE_FUZZ_SECONDS`. Tests only.

use std::time::{Duration, Instant};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, TestCaseResult, TestRunner},
};

/// Tries `property` on values of `strategy`; a failing one is made small and shown.
pub(crate) fn for_a_while<S: Strategy>(
    strategy: &S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let seconds = std::env::var("STORYCORE_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(5));
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    while Instant::now() < end {
        // A runner counts its cases over all of its runs, and so is good for one.
        if let Err(failure) = TestRunner::new(config.clone()).run(strategy, &property) {
            panic!("{failure}");
        }
    }
}

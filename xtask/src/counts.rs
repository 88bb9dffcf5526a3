//! What a test runner says of itself, read from its output: how many passed, failed and were
//! skipped, and which. A runner that says nothing is a failure, never a pass.

use std::ops::AddAssign;
use std::process::ExitStatus;

use anyhow::Result;

use crate::transcript::Transcript;

/// How many checks passed, failed and were skipped, with a line for each of the latter two, and what those that failed said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) why: Vec<String>,
    pub(crate) said: Vec<Transcript>,
}

impl Counts {
    pub(crate) fn passed() -> Self {
        Counts { passed: 1, ..Counts::default() }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Counts { failed: 1, why: vec![format!("failed: {}", why.into())], ..Counts::default() }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Counts { skipped: 1, why: vec![format!("skipped: {}", why.into())], ..Counts::default() }
    }

    pub(crate) fn with(mut self, said: Transcript) -> Self {
        self.said.push(said);
        self
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.why.extend(other.why);
        self.said.extend(other.said);
    }
}

/// Reads a runner's output line by line. Knows libtest (`cargo test`), pytest (run with `-q -rfEs`), Maven's surefire, and the
/// closing line `N passed, N failed, N skipped`, which the project's own runners print.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    named_failures: u64,
    named_skips: u64,
    results: u64,
}

impl Tally {
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        let result = libtest_result(line).or_else(|| closing_line(line));
        if let Some(counts) =
            result.or_else(|| pytest_result(line)).or_else(|| surefire_result(line))
        {
            self.results += 1;
            self.counts += counts;
        } else if let Some(rest) = line.strip_prefix("FAILED ").or(line.strip_prefix("ERROR ")) {
            self.named_failures += 1;
            self.counts.why.push(format!("failed: {rest}"));
        } else if let Some(name) = surefire_failure(line) {
            self.named_failures += 1;
            self.counts.why.push(format!("failed: {name}"));
        } else if let Some((skips, rest)) = pytest_skips(line) {
            self.named_skips += skips;
            self.counts.why.push(format!("skipped: {rest}"));
        } else if let Some((name, reason)) = libtest_case(line, "ignored") {
            self.named_skips += 1;
            let reason = if reason.is_empty() { "ignored in the source" } else { reason };
            self.counts.why.push(format!("skipped: {name}: {reason}"));
        } else if let Some((name, _)) = libtest_case(line, "FAILED") {
            self.named_failures += 1;
            self.counts.why.push(format!("failed: {name}"));
        } else if let Some(rest) = line.strip_prefix("failed: ") {
            self.named_failures += 1;
            self.counts.why.push(format!("failed: {rest}"));
        } else if let Some(rest) = line.strip_prefix("skipped: ") {
            self.named_skips += 1;
            self.counts.why.push(format!("skipped: {rest}"));
        }
    }

    /// The counts of what was read, whatever becomes of the runner.
    pub(crate) fn so_far(self) -> Counts {
        self.counts
    }

    /// The counts of the runner called `name`, and how it ended.
    pub(crate) fn finish(mut self, name: &str, ended: Result<ExitStatus>) -> Counts {
        let unnamed = self.counts.failed.saturating_sub(self.named_failures);
        if unnamed > 0 {
            self.counts.why.push(format!("failed: {unnamed} in {name}"));
        }
        match ended {
            Err(error) => self.counts += Counts::failed(format!("{name}: {error:#}")),
            Ok(status) if !status.success() && self.counts.failed == 0 => {
                self.counts += Counts::failed(format!("{name}: {status}"));
            }
            Ok(_) if self.results == 0 => {
                self.counts += Counts::failed(format!("{name} reported no result"));
            }
            Ok(_) => {}
        }
        let unnamed = self.counts.skipped.saturating_sub(self.named_skips);
        if unnamed > 0 {
            self.counts.why.push(format!("skipped: {unnamed} in {name}, which gave no reason"));
        }
        self.counts
    }
}

/// `test result: FAILED. 5 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; …`
fn libtest_result(line: &str) -> Option<Counts> {
    let fields = line.strip_prefix("test result: ")?;
    let (_, fields) = fields.split_once(". ")?;
    let mut counts = Counts::default();
    for field in fields.split("; ") {
        match field.split_once(' ') {
            Some((number, "passed")) => counts.passed = number.parse().ok()?,
            Some((number, "failed")) => counts.failed = number.parse().ok()?,
            Some((number, "ignored")) => counts.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// `test module::name ... ignored, why`: the name and what follows the word. The word stands alone
/// on a line of its own end where a test printed something between.
fn libtest_case<'l>(line: &'l str, word: &str) -> Option<(&'l str, &'l str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let rest = outcome.strip_prefix(word)?;
    Some((name, rest.trim_start_matches(", ").trim()))
}

/// `12 passed, 0 failed, 1 skipped`, or without the last, alone on its line.
fn closing_line(line: &str) -> Option<Counts> {
    let mut fields = line.split(", ");
    let mut next = |word| {
        let (count, name) = fields.next()?.split_once(' ')?;
        (name == word).then_some(count.parse::<u64>().ok()?)
    };
    let (passed, failed) = (next("passed")?, next("failed")?);
    let skipped = next("skipped");
    let expected = if skipped.is_some() { 3 } else { 2 };
    (line.split(", ").count() == expected).then_some(Counts {
        passed,
        failed,
        skipped: skipped.unwrap_or(0),
        ..Counts::default()
    })
}

/// `2 failed, 15 passed, 1 skipped, 1 warning in 3.15s`, as pytest ends with `-q`.
fn pytest_result(line: &str) -> Option<Counts> {
    let (fields, time) = line.rsplit_once(" in ")?;
    // Beyond a minute the time stands there once more, in parentheses.
    let seconds = time.split(' ').next()?.strip_suffix('s')?;
    seconds.parse::<f64>().ok()?;
    let mut counts = Counts::default();
    for field in fields.split(", ") {
        let (number, name) = field.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match name {
            "passed" | "xfailed" => counts.passed += number,
            "failed" | "error" | "errors" | "xpassed" => counts.failed += number,
            "skipped" => counts.skipped += number,
            "deselected" | "warning" | "warnings" => {}
            _ => return None,
        }
    }
    Some(counts)
}

/// `SKIPPED [2] tests/test_fork.py:7: no fork here`: how many, and where and why.
fn pytest_skips(line: &str) -> Option<(u64, &str)> {
    let (number, rest) = line.strip_prefix("SKIPPED [")?.split_once("] ")?;
    Some((number.parse().ok()?, rest))
}

/// `[INFO] Tests run: 26, Failures: 0, Errors: 1, Skipped: 0`: what Maven says of all classes, without a time.
fn surefire_result(line: &str) -> Option<Counts> {
    let (_, fields) = line.strip_prefix('[')?.split_once("] Tests run: ")?;
    let mut numbers = Vec::new();
    for field in fields.split(", ") {
        numbers.push(field.rsplit(' ').next()?.parse::<u64>().ok()?);
    }
    let [run, failures, errors, skipped] = numbers[..] else { return None };
    let failed = failures + errors;
    Some(Counts {
        passed: run.saturating_sub(failed + skipped),
        failed,
        skipped,
        ..Counts::default()
    })
}

/// `[ERROR] io.storycore.CallsTest.a call -- Time elapsed: 0.1 s <<< FAILURE!`: which test it was.
fn surefire_failure(line: &str) -> Option<&str> {
    let (name, ending) = line.strip_prefix("[ERROR] ")?.split_once(" -- Time elapsed: ")?;
    (ending.ends_with("<<< FAILURE!") || ending.ends_with("<<< ERROR!")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn read(output: &str, code: i32) -> Counts {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.line(line));
        tally.finish("runner", Ok(ExitStatus::from_raw(code << 8)))
    }

    #[test]
    fn several_libtest_binaries_are_summed_with_names_and_reasons() {
        let output = "\
running 3 tests
test a::fine ... ok
test a::broken ... FAILED
test a::needs_redis ... ignored, no redis-server here

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

running 2 tests
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.2s
";
        let counts = read(output, 101);
        assert_eq!((counts.passed, counts.failed, counts.skipped), (3, 1, 1));
        assert_eq!(
            counts.why,
            ["failed: a::broken", "skipped: a::needs_redis: no redis-server here"]
        );
    }

    #[test]
    fn the_closing_line_counts_only_when_it_stands_alone() {
        let counts = read(
            "we saw 9 passed, 1 failed\n3 passed, 0 failed, or so\n40 passed, 0 failed, 2 skipped",
            0,
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (40, 0, 2));
        assert_eq!(counts.why, ["skipped: 2 in runner, which gave no reason"]);
    }

    #[test]
    fn a_runner_that_skips_nothing_need_not_say_so() {
        let counts = read("test retries ... FAILED\n    two requests\n\n8 passed, 1 failed", 1);
        assert_eq!((counts.passed, counts.failed, counts.skipped), (8, 1, 0));
        assert_eq!(counts.why, ["failed: retries"]);
    }

    #[test]
    fn named_reasons_of_our_own_runners_are_kept() {
        let counts = read(
            "failed: GET /api/jobs: 500\nskipped: redis: not here\n3 passed, 1 failed, 1 skipped",
            1,
        );
        assert_eq!(counts.why, ["failed: GET /api/jobs: 500", "skipped: redis: not here"]);
        assert_eq!((counts.passed, counts.failed, counts.skipped), (3, 1, 1));
    }

    #[test]
    fn pytest_is_understood_with_names_and_reasons() {
        let counts = read(
            "..F.s\n\
             SKIPPED [2] tests/test_fork.py:7: no fork here\n\
             FAILED tests/test_calls.py::test_it - AssertionError: 2 passed in all\n\
             ERROR tests/test_more.py - ModuleNotFoundError\n\
             1 failed, 15 passed, 2 skipped, 1 warning, 1 error in 73.15s (0:01:13)",
            1,
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (15, 2, 2));
        assert_eq!(
            counts.why,
            [
                "skipped: tests/test_fork.py:7: no fork here",
                "failed: tests/test_calls.py::test_it - AssertionError: 2 passed in all",
                "failed: tests/test_more.py - ModuleNotFoundError",
            ]
        );
        assert_eq!(read("15 passed in 3.15s", 0).passed, 15);
        assert_eq!(read("no tests ran in 0.01s", 5).failed, 1);
    }

    #[test]
    fn maven_is_understood_with_names_and_is_counted_once() {
        let counts = read(
            "[INFO] Running io.storycore.CallsTest\n\
             [ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0, Time elapsed: 1.2 s <<< FAILURE! -- in io.storycore.CallsTest\n\
             [ERROR] io.storycore.CallsTest.a call -- Time elapsed: 0.1 s <<< FAILURE!\n\
             [ERROR] io.storycore.CallsTest.another -- Time elapsed: 0.1 s <<< ERROR!\n\
             [ERROR] Tests run: 3, Failures: 1, Errors: 1, Skipped: 0\n",
            1,
        );
        assert_eq!((counts.passed, counts.failed, counts.skipped), (1, 2, 0));
        assert_eq!(
            counts.why,
            ["failed: io.storycore.CallsTest.a call", "failed: io.storycore.CallsTest.another"]
        );
    }

    #[test]
    fn a_crash_after_passing_tests_is_a_failure() {
        let counts = read("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured", 134);
        assert_eq!((counts.passed, counts.failed), (2, 1));
    }

    #[test]
    fn a_runner_that_had_to_be_stopped_is_a_failure_beside_what_passed() {
        let mut tally = Tally::default();
        tally.line("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured");
        let counts = tally.finish("runner", Err(anyhow::anyhow!("still running")));
        assert_eq!((counts.passed, counts.failed), (2, 1));
        assert_eq!(counts.why, ["failed: runner: still running"]);
    }

    #[test]
    fn a_silent_runner_is_a_failure_even_when_it_ends_well() {
        let counts = read("all good!\n", 0);
        assert_eq!((counts.passed, counts.failed), (0, 1));
        assert_eq!(counts.why, ["failed: runner reported no result"]);
    }
}

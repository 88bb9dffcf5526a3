//! Documentation tests. cargo runs them for all crates at once, with the features that everything
//! else is built with, and names the crate before each group; here they are told apart by part.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, steps};
use crate::counts::{Counts, Tally};
use crate::process;
use crate::transcript::{self, Transcript};

const DEADLINE: Duration = Duration::from_secs(40 * 60);

/// What came out.
pub(super) struct Outcome {
    /// By the crate's name in Rust. The empty name holds what is of no crate.
    crates: BTreeMap<String, Counts>,
    /// What cargo said when anything failed.
    said: Vec<Transcript>,
}

/// The documentation tests of the crates that belong to `part`.
pub(super) fn of(cx: &Context, part: &str) -> Counts {
    let environment = match cx.environment() {
        Ok(environment) => environment,
        Err(counts) => return counts,
    };
    let outcome = cx.doctests.get_or_init(|| run(environment));
    let mut counts = Counts::default();
    for (name, result) in &outcome.crates {
        let package = cx.workspace.packages.iter().find(|p| p.name.replace('-', "_") == *name);
        let folder = package.and_then(|p| p.folder.strip_prefix(&cx.workspace.root).ok());
        let owner = steps::part_of(
            package.map_or("", |package| package.name.as_str()),
            &folder.map_or_else(Default::default, |folder| folder.to_string_lossy()),
        );
        // A failure of no crate may have kept any of them from being tested.
        if owner == part || name.is_empty() {
            counts += result.clone();
        }
    }
    if counts.failed > 0 {
        counts.said.clone_from(&outcome.said);
    }
    counts
}

fn run(environment: &[(String, String)]) -> Outcome {
    const NAME: &str = "cargo test --doc";
    let mut cargo = process::cargo();
    cargo.args(["test", "--doc", "--workspace", "--all-features", "--no-fail-fast"]);
    cargo.envs(environment.iter().cloned());
    let groups = RefCell::new(Groups::default());
    let mut crates = BTreeMap::new();
    let line = |line: &str| groups.borrow_mut().line(line);
    let all = transcript::run(NAME, cargo, DEADLINE, line, |ended| {
        crates = groups.take().finish();
        let why = match ended {
            Ok(status) if status.success() || crates.values().any(|of| of.failed > 0) => None,
            Ok(status) => Some(format!("{NAME}: {status}")),
            Err(error) => Some(format!("{NAME}: {error:#}")),
        };
        crates.extend(why.map(|why| (String::new(), Counts::failed(why))));
        let mut all = Counts::default();
        crates.values().for_each(|of| all += of.clone());
        all
    });
    Outcome { crates, said: all.said }
}

/// The output, cut where cargo says `Doc-tests NAME`.
#[derive(Default)]
struct Groups {
    name: String,
    tallies: BTreeMap<String, Tally>,
}

impl Groups {
    fn line(&mut self, line: &str) {
        if let Some(name) = line.trim().strip_prefix("Doc-tests ") {
            self.name = name.to_owned();
        } else if !self.name.is_empty() {
            self.tallies.entry(self.name.clone()).or_default().line(line);
        }
    }

    fn finish(self) -> BTreeMap<String, Counts> {
        let end = |(name, tally): (String, Tally)| (name, tally.so_far());
        self.tallies.into_iter().map(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_to_the_crate_that_they_are_of() {
        let mut groups = Groups::default();
        for line in "\
   Compiling storycore
   Doc-tests storycore

running 2 tests
test sdk-core/src/lib.rs - (line 3) ... ok
test sdk-core/src/lib.rs - (line 9) ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out

   Doc-tests storycore_local
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
            .lines()
        {
            groups.line(line);
        }
        let results = groups.finish();
        assert_eq!((results["storycore"].passed, results["storycore"].failed), (1, 1));
        assert_eq!(results["storycore_local"].passed, 4);
    }
}

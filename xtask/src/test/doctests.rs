//! Documentation tests. cargo runs them for all crates at once, with the features that everything
//! else is built with, and names the crate before each group; here they are told apart by part.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, steps};
use crate::counts::{Counts, Tally};
use crate::process;
use crate::transcript::Transcript;

const DEADLINE: Duration = Duration::from_secs(40 * 60);

/// What came out, by the crate's name in Rust. The empty name holds what no crate said.
pub(super) type ByCrate = BTreeMap<String, Counts>;

/// The documentation tests of the crates that belong to `part`.
pub(super) fn of(cx: &Context, part: &str) -> Counts {
    let environment = match cx.environment() {
        Ok(environment) => environment,
        Err(counts) => return counts,
    };
    let results = cx.doctests.get_or_init(|| run(environment));
    let mut counts = Counts::default();
    for (name, result) in results {
        let package = cx.workspace.packages.iter().find(|p| p.name.replace('-', "_") == *name);
        let folder = package.and_then(|p| p.folder.strip_prefix(&cx.workspace.root).ok());
        let owner = steps::part_of(
            package.map_or("", |package| package.name.as_str()),
            &folder.map_or_else(Default::default, |folder| folder.to_string_lossy()),
        );
        if owner == part {
            counts += result.clone();
        }
    }
    counts
}

fn run(environment: &[(String, String)]) -> ByCrate {
    let mut cargo = process::cargo();
    cargo.args(["test", "--doc", "--workspace", "--all-features", "--no-fail-fast"]);
    cargo.envs(environment.iter().cloned());
    let mut groups = Groups::default();
    let mut said = Transcript::of("cargo test --doc");
    let status = process::listen(cargo, DEADLINE, |line| {
        said.line(line);
        groups.line(line);
    });
    let mut results = groups.finish();
    match status {
        Ok(status) if !status.success() && results.values().all(|counts| counts.failed == 0) => {
            let failed = Counts::failed(format!("cargo test --doc: {status}"));
            *results.entry(String::new()).or_default() += failed;
        }
        Ok(_) => {}
        Err(error) => {
            *results.entry(String::new()).or_default() += Counts::failed(format!("{error:#}"));
        }
    }
    if let Some(failed) = results.values_mut().find(|counts| counts.failed > 0) {
        failed.said.push(said);
    }
    results
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

    fn finish(self) -> ByCrate {
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

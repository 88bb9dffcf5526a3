//! The steps that are one command each, and the tests of the crates that belong to a part.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Context;
use crate::counts::Counts;
use crate::workspace::{check, tally};
use crate::{licences, process};

const COMPILE: Duration = Duration::from_secs(40 * 60);
const CONFORMANCE: Duration = Duration::from_secs(15 * 60);
const DEMO: Duration = Duration::from_secs(5 * 60);
const FAULTS: Duration = Duration::from_secs(30 * 60);
const FUZZ: Duration = Duration::from_secs(40 * 60);

pub(super) fn formatting(_: &Context) -> Counts {
    let mut cargo = process::cargo();
    cargo.args(["fmt", "--all", "--check"]);
    check("cargo fmt", cargo, COMPILE)
}

/// What is generated from the client is what would be generated now.
pub(super) fn bindings(cx: &Context) -> Counts {
    match crate::bindings::stale(&cx.workspace.root) {
        Ok(stale) if stale.is_empty() => Counts::passed(),
        Ok(stale) => {
            let names: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
            Counts::failed(format!("cargo xtask bindings would change {}", names.join(", ")))
        }
        Err(error) => Counts::failed(format!("bindings: {error:#}")),
    }
}

pub(super) fn licences(cx: &Context) -> Counts {
    licences::check(&cx.workspace.root, &cx.workspace.metadata)
}

pub(super) fn clippy(_: &Context) -> Counts {
    let mut cargo = process::cargo();
    cargo.args(["clippy", "--workspace", "--all-targets", "--all-features", "--keep-going"]);
    cargo.args(["--", "-D", "warnings"]);
    check("cargo clippy", cargo, COMPILE)
}

/// Every link in the documentation leads somewhere.
pub(super) fn documentation(_: &Context) -> Counts {
    let mut cargo = process::cargo();
    // Libraries alone: the command line's binary has the same name as the client.
    cargo.args(["doc", "--workspace", "--lib", "--no-deps", "--all-features"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    check("cargo doc", cargo, COMPILE)
}

/// The client must compile for those who take none of its features.
pub(super) fn bare_core(_: &Context) -> Counts {
    let mut cargo = process::cargo();
    cargo.args(["check", "--package", "storycore", "--no-default-features"]);
    check("cargo check --no-default-features", cargo, COMPILE)
}

/// The specifications are OpenAPI, and their examples fit them.
pub(super) fn openapi(cx: &Context) -> Counts {
    let python = match fuzzer(cx) {
        Ok(python) => python,
        Err(counts) => return counts,
    };
    let mut check = Command::new(python);
    check.arg("tests/schemathesis/check_spec.py").args(["spec/openapi.yaml", "spec/local.yaml"]);
    tally("spec", check, COMPILE)
}

/// The Python that has what `tests/schemathesis` needs.
fn fuzzer(cx: &Context) -> Result<PathBuf, Counts> {
    let file = "tests/schemathesis/requirements.txt";
    let requirements = std::fs::read_to_string(cx.workspace.root.join(file))
        .map_err(|error| Counts::failed(format!("{file}: {error}")))?;
    cx.setup
        .venv("schemathesis", &requirements)
        .map_err(|error| Counts::failed(format!("set-up of schemathesis: {error:#}")))
}

/// The scenarios against the Rust client, and the page that says what each guards.
pub(super) fn conformance(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(runner) = build.bins.get("conformance") else {
        return Counts::failed("conformance: the runner does not compile");
    };
    let mut run = Command::new(runner);
    run.envs(environment.iter().cloned());
    let mut counts = tally("conformance", run, CONFORMANCE);
    let mut page = Command::new(runner);
    page.arg("--check-readme");
    counts += check("tests/conformance/README.md", page, CONFORMANCE);
    counts
}

/// Fuzzes every operation of the specification against a running platform.
pub(super) fn schemathesis(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed("schemathesis: the storycore binary does not compile");
    };
    let python = match fuzzer(cx) {
        Ok(python) => python,
        Err(counts) => return counts,
    };
    let mut run = Command::new(python);
    run.arg("tests/schemathesis/run.py").arg(storycore).envs(environment.iter().cloned());
    tally("schemathesis", run, FUZZ)
}

/// Other people's tus clients against the platform, and our client against other people's tus servers.
pub(super) fn interop(cx: &Context) -> Counts {
    let build = match cx.build() {
        Ok(build) => build,
        Err(counts) => return counts,
    };
    let (Some(storycore), Some(faults)) =
        (build.bins.get("storycore"), build.bins.get("storycore-faults"))
    else {
        return Counts::failed("interop: storycore or storycore-faults does not compile");
    };
    let (python, modules) = match cx.setup.tus_clients(&cx.workspace.root) {
        Ok(tools) => tools,
        Err(error) => return Counts::failed(format!("set-up of interop: {error:#}")),
    };
    let mut run = Command::new(python);
    run.arg("tests/interop/run.py").args([storycore, faults]).arg(modules);
    let mut counts = Counts::default();
    match cx.setup.cargo_install("rustus", "0.5.10", "hashers") {
        Ok(rustus) => {
            run.arg(rustus);
        }
        Err(error) => counts += Counts::skipped(format!("our client against rustus: {error:#}")),
    }
    counts += tally("interop", run, CONFORMANCE);
    counts
}

/// Uploads that break on the way, by a seeded generator: some, or as many as are promised.
pub(super) fn faults(cx: &Context) -> Counts {
    let build = match cx.build() {
        Ok(build) => build,
        Err(counts) => return counts,
    };
    let Some(faults) = build.bins.get("storycore-faults") else {
        return Counts::failed("faults: the runner does not compile");
    };
    let mut run = Command::new(faults);
    run.args(["run", "--runs", if cx.is_long { "300" } else { "40" }]);
    tally("faults", run, FAULTS)
}

/// The main job end to end, as anybody runs it, without a terminal.
pub(super) fn demo(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed("demo: the storycore binary does not compile");
    };
    let mut demo = Command::new(storycore);
    demo.arg("demo").arg("--out").arg(cx.workspace.target.join("demo"));
    demo.envs(environment.iter().cloned());
    check("demo", demo, DEMO)
}

/// The part that a crate's tests belong to. A crate that nobody claims belongs to `core`, so that
/// no test is left out.
pub(super) fn part_of(name: &str, folder: &str) -> &'static str {
    match (name, folder) {
        ("storycore-local" | "storycore-cli", _) => "platform",
        (_, folder) if folder.starts_with("examples") => "examples",
        (_, folder) if folder.starts_with("tests/conformance") => "conformance",
        (_, folder) if folder.starts_with("tests/interop") => "interop",
        (_, folder) if folder.starts_with("tests/faults") => "faults",
        _ => "core",
    }
}

/// The tests of all crates that belong to `part`.
pub(super) fn packages(cx: &Context, part: &str) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let mut counts = Counts::default();
    let mut tested = 0;
    for package in &cx.workspace.packages {
        let folder = package.folder.strip_prefix(&cx.workspace.root).unwrap_or(&package.folder);
        if part_of(&package.name, &folder.to_string_lossy()) == part {
            let mut skip = Vec::new();
            if package.redis
                && let Err(error) = cx.setup.redis()
            {
                counts += Counts::skipped(format!("tests named after redis: {error:#}"));
                skip.push("redis");
            }
            if package.name == "storycore-local"
                && let Err(error) = cx.setup.mounts()
            {
                counts += Counts::skipped(format!("tests named after own_disk: {error:#}"));
                skip.push("own_disk");
            }
            counts += build.test(package, environment, &skip);
            tested += 1;
        }
    }
    if tested == 0 {
        counts += Counts::failed(format!("no crate of the workspace belongs to {part}"));
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_tested_by_some_part() {
        assert_eq!(part_of("storycore", "sdk-core"), "core");
        assert_eq!(part_of("storycore-cli", "cli"), "platform");
        assert_eq!(part_of("storycore-examples", "examples/rust"), "examples");
        assert_eq!(part_of("anything", "tests/conformance/rust"), "conformance");
        assert_eq!(part_of("a-new-crate", "somewhere"), "core");
    }
}

//! The steps that are JavaScript: the tests of the npm package, its declarations, and the conformance scenarios through it, with
//! the native library of this build.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Context;
use crate::counts::Counts;
use crate::process;
use crate::workspace::{check, tally};

/// Other JavaScript runtimes, and the npm packages that bring them.
const RUNTIMES: [(&str, &str); 2] = [("bun", "bun@1.4.5"), ("deno", "deno@2.9.6")];
const TSC: &str = "node_modules/.bin/tsc";
const TESTS: Duration = Duration::from_secs(20 * 60);

fn folder(cx: &Context) -> PathBuf {
    cx.workspace.root.join("bindings-node")
}

/// A program in `bindings-node`, with the native library and the platform of this build.
fn command(cx: &Context, program: &str) -> Result<Command, Counts> {
    let (environment, build) = (cx.environment()?, cx.build()?);
    let (Some(library), Some(storycore)) =
        (build.libraries.get("storycore_node"), build.bins.get("storycore"))
    else {
        return Err(Counts::failed("node: storycore-node or storycore-cli does not compile"));
    };
    let installed = cx.setup.npm_ci(&folder(cx));
    installed.map_err(|error| Counts::failed(format!("set-up of node: {error:#}")))?;
    let mut command = Command::new(program);
    command.current_dir(folder(cx));
    command.envs(environment.iter().cloned());
    command.env("NAPI_RS_NATIVE_LIBRARY_PATH", library).env("STORYCORE_CLI", storycore);
    Ok(command)
}

/// The tests of `bindings-node`, against the platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    let mut node = match command(cx, "node") {
        Ok(node) => node,
        Err(counts) => return counts,
    };
    let files = match test_files(cx) {
        Ok(files) => files,
        Err(error) => return Counts::failed(format!("node: {error:#}")),
    };
    node.args(["--test", "--test-reporter=./tests/reporter.mjs"]).args(files);
    tally("node", node, TESTS)
}

/// Named one by one: versions of Node differ in what they find in a folder.
fn test_files(cx: &Context) -> Result<Vec<PathBuf>> {
    let tests = folder(cx).join("tests");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&tests).context("bindings-node/tests")? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.js") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The README's example and a smoke set under the other runtimes that npm carries.
pub(super) fn runtimes(cx: &Context) -> Counts {
    let mut counts = Counts::default();
    for (runtime, package) in RUNTIMES {
        counts += match runtime_program(cx, runtime, package) {
            // Neither is made for every platform that Node is on; npm finds no binary there.
            Err(error) => Counts::skipped(format!("{package} does not run here: {error:#}")),
            Ok(program) => match command(cx, "node") {
                Ok(mut node) => {
                    node.arg("tests/runtimes.mjs").arg(runtime).arg(program);
                    tally(&format!("the package under {package}"), node, TESTS)
                }
                Err(counts) => counts,
            },
        };
    }
    counts
}

fn runtime_program(cx: &Context, runtime: &str, package: &str) -> Result<PathBuf> {
    let program = cx.setup.npm(runtime, &[package])?.join("node_modules/.bin").join(runtime);
    let mut version = Command::new(&program);
    version.arg("--version");
    process::output(version)?;
    Ok(program)
}

/// `tsc --strict` agrees with what users write, and every way of loading the package finds its types.
pub(super) fn declarations(cx: &Context) -> Counts {
    let mut counts = Counts::default();
    for (name, program, args) in [
        ("tsc --strict, of require", TSC, ["-p", "tests/types"].as_slice()),
        ("tsc --strict, of import", TSC, &["-p", "tests/types/tsconfig.esm.json"]),
        ("arethetypeswrong", "node", &["tests/types/wrong.mjs"]),
    ] {
        counts += match command(cx, program) {
            Ok(mut command) => {
                command.args(args);
                check(name, command, TESTS)
            }
            Err(counts) => return counts,
        };
    }
    counts
}

/// The scenarios through the JavaScript client.
pub(super) fn conformance(cx: &Context) -> Counts {
    let runner = match cx.build() {
        Ok(build) => build.bins.get("conformance").cloned(),
        Err(counts) => return counts,
    };
    let Some(runner) = runner else {
        return Counts::failed("node: the conformance runner does not compile");
    };
    let mut run = match command(cx, &runner.to_string_lossy()) {
        Ok(run) => run,
        Err(counts) => return counts,
    };
    run.args(["--language", "node", "--driver", "node tests/conformance/driver.js"]);
    tally("conformance of node", run, TESTS)
}

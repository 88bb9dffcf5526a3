//! The steps that are Python: the command line's wheel in an empty environment, and the tests of the Python package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Context;
use crate::counts::Counts;
use crate::process;
use crate::wheel;
use crate::workspace::tally;

const TESTS: Duration = Duration::from_secs(20 * 60);

/// `storycore-cli` as somebody gets it who has pip and no Rust.
pub(super) fn cli_wheel(cx: &Context) -> Counts {
    let root = &cx.workspace.root;
    let wheel = wheel::build(&cx.setup, &cx.workspace.target, &root.join("cli"), |line| {
        println!("{line}");
    });
    let wheel = match wheel {
        Ok(wheel) => wheel,
        Err(error) => return Counts::failed(format!("the wheel of storycore-cli: {error:#}")),
    };
    let mut run = Command::new("python3");
    run.arg("tests/wheels/cli.py").arg(wheel);
    tally("storycore-cli's wheel", run, TESTS)
}

/// The Python that has the wheel of this working tree, and what the tests need.
fn installed(cx: &Context, folder: &Path) -> Result<PathBuf> {
    let packages = std::fs::read_to_string(folder.join("tests/requirements.txt"))?;
    let python = cx.setup.venv("python", &packages)?;
    let wheel = wheel::build(&cx.setup, &cx.workspace.target, folder, |line| println!("{line}"))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.arg("--force-reinstall").arg(wheel);
    process::output(pip)?;
    Ok(python)
}

/// The tests of `bindings-python`, against the platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed("python: the storycore binary does not compile");
    };
    let folder = cx.workspace.root.join("bindings-python");
    let python = match installed(cx, &folder) {
        Ok(python) => python,
        Err(error) => return Counts::failed(format!("set-up of python: {error:#}")),
    };
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "tests"]);
    pytest.current_dir(&folder).envs(environment.iter().cloned());
    pytest.env("STORYCORE_CLI", storycore);
    tally("python", pytest, TESTS)
}

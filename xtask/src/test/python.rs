//! The steps that are Python: the command line's wheel in an empty environment, and the tests of the Python package.

use std::process::Command;
use std::time::Duration;

use super::Context;
use crate::counts::Counts;
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
    let python = std::fs::read_to_string(folder.join("tests/requirements.txt"))
        .map_err(anyhow::Error::from)
        .and_then(|packages| cx.setup.venv("python", &packages));
    let python = match python {
        Ok(python) => python,
        Err(error) => return Counts::failed(format!("set-up of python: {error:#}")),
    };
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "tests"]);
    pytest.current_dir(&folder).envs(environment.iter().cloned());
    pytest.env("STORYCORE_CLI", storycore).env("PYTHONPATH", folder.join("python"));
    tally("python", pytest, TESTS)
}

//! The steps that are Python: the command line's wheel in an empty environment, and the tests of the Python package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Context;
use crate::counts::Counts;
use crate::wheel::{self, Profile};
use crate::workspace::{check, tally};

/// The type checker of most editors; the PyPI package of that name would fetch this one by itself.
const PYRIGHT: &str = "pyright@1.1.414";
const TESTS: Duration = Duration::from_secs(20 * 60);

/// `storycore-cli` as somebody gets it who has pip and no Rust.
pub(super) fn cli_wheel(cx: &Context) -> Counts {
    let root = &cx.workspace.root;
    let target = &cx.workspace.target;
    let say = |line: &str| println!("{line}");
    let (folder, wheels) = (root.join("cli"), target.join("wheels"));
    let wheel = wheel::build(&cx.setup, target, &folder, &wheels, Profile::Own, say);
    let wheel = match wheel {
        Ok(wheel) => wheel,
        Err(error) => return Counts::failed(format!("the wheel of storycore-cli: {error:#}")),
    };
    let mut run = Command::new("python3");
    run.arg("tests/wheels/cli.py").arg(wheel);
    tally("storycore-cli's wheel", run, TESTS)
}

/// The Python called `name` that has the wheel of this working tree, and what `requirements` lists.
fn installed(cx: &Context, name: &str, requirements: &str) -> Result<PathBuf> {
    let root = &cx.workspace.root;
    let packages = std::fs::read_to_string(root.join(requirements))?;
    let python = cx.setup.venv(name, &packages)?;
    let package = root.join("bindings-python");
    let say = |line: &str| println!("{line}");
    let (target, wheels) = (&cx.workspace.target, cx.workspace.target.join("wheels"));
    let wheel = wheel::build(&cx.setup, target, &package, &wheels, Profile::Release, say)?;
    wheel::install(&python, &wheel)?;
    Ok(python)
}

/// The tests of `bindings-python`, against the platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    pytest(cx, "python", "bindings-python/tests")
}

/// Two type checkers take user code that is right, and refuse what is wrong in it.
pub(super) fn types(cx: &Context) -> Counts {
    let python = match installed(cx, "python", "bindings-python/tests/requirements.txt") {
        Ok(python) => python,
        Err(error) => return Counts::failed(format!("set-up of python: {error:#}")),
    };
    let modules = match cx.setup.npm("pyright", &[PYRIGHT]) {
        Ok(modules) => modules,
        Err(error) => return Counts::failed(format!("set-up of pyright: {error:#}")),
    };
    let sample = "bindings-python/tests/typing/sample.py";
    let mut mypy = Command::new(&python);
    mypy.args(["-m", "mypy", "--strict", "--warn-unused-ignores", "--cache-dir=/dev/null", sample]);
    let mut counts = check("mypy --strict", mypy, TESTS);
    let mut pyright = Command::new("node");
    pyright.arg(modules.join("node_modules/pyright/index.js"));
    pyright.arg("--project").arg("bindings-python/tests/typing");
    pyright.arg("--pythonpath").arg(&python);
    counts += check("pyright", pyright, TESTS);
    counts
}

/// The conformance scenarios through the sync client and through the async one.
pub(super) fn scenarios(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(runner) = build.bins.get("conformance") else {
        return Counts::failed("conformance: the runner does not compile");
    };
    let python = match installed(cx, "python", "bindings-python/tests/requirements.txt") {
        Ok(python) => python,
        Err(error) => return Counts::failed(format!("set-up of python: {error:#}")),
    };
    let Some(library) = build.libraries.get("_storycore") else {
        return Counts::failed("conformance: storycore-python does not compile");
    };
    let package = match with_movable_clock(cx, library) {
        Ok(package) => package,
        Err(error) => return Counts::failed(format!("set-up of conformance: {error:#}")),
    };
    let mut inside = Command::new(&python);
    inside.arg(cx.workspace.root.join("bindings-python/tests/conformance/inside.py"));
    inside.env("PYTHONPATH", &package);
    let mut counts = check("Python calls that break inside, and its clock", inside, TESTS);
    for client in ["sync", "async"] {
        let driver =
            format!("{} bindings-python/tests/conformance/driver.py {client}", python.display());
        let mut run = Command::new(runner);
        run.args(["--driver", &driver]).envs(environment.iter().cloned());
        run.env("PYTHONPATH", &package);
        counts += tally(&format!("conformance, Python {client}"), run, TESTS);
    }
    counts
}

/// A folder with the package over `library`, which has every feature: the wheel for users has no clock that can be moved.
fn with_movable_clock(cx: &Context, library: &Path) -> Result<PathBuf> {
    let folder = cx.workspace.target.join("python-conformance");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy(&cx.workspace.root.join("bindings-python/python"), &folder)?;
    std::fs::copy(library, folder.join("storycore/_storycore.abi3.so"))?;
    Ok(folder)
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else {
            std::fs::copy(&entry, &to)?;
        }
    }
    Ok(())
}

/// The examples in Python, each run as a reader would.
pub(super) fn examples(cx: &Context) -> Counts {
    pytest(cx, "python-examples", "examples/python/tests")
}

/// Runs the tests in `folder` with the Python called `name`.
fn pytest(cx: &Context, name: &str, folder: &str) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed(format!("{name}: the storycore binary does not compile"));
    };
    let python = match installed(cx, name, &format!("{folder}/requirements.txt")) {
        Ok(python) => python,
        Err(error) => return Counts::failed(format!("set-up of {name}: {error:#}")),
    };
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider", "."]);
    pytest.current_dir(cx.workspace.root.join(folder)).envs(environment.iter().cloned());
    pytest.env("STORYCORE_CLI", storycore);
    tally(name, pytest, TESTS)
}

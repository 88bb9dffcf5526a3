//! What somebody gets who clones the repository: both wheels, built from nothing but what is committed, in an environment with
//! nothing else in it, run the READMEs' examples. What is not committed yet takes no part.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Context;
use crate::counts::Counts;
use crate::process;
use crate::wheel::{self, Profile};
use crate::workspace::tally;

const TESTS: Duration = Duration::from_secs(10 * 60);

pub(super) fn wheels(cx: &Context) -> Counts {
    let environment = match cx.environment() {
        Ok(environment) => environment,
        Err(counts) => return counts,
    };
    let root = &cx.workspace.root;
    if !root.join(".git").exists() {
        return Counts::skipped("wheels of a clean clone: this folder is no git repository");
    }
    let folder = cx.workspace.target.join("clean-clone");
    let wheels = clone(root, &folder).and_then(|()| build(cx, &folder));
    let wheels = match wheels {
        Ok(wheels) => wheels,
        Err(error) => return Counts::failed(format!("wheels of a clean clone: {error:#}")),
    };
    let mut run = Command::new("python3");
    run.arg("tests/wheels/readme.py").arg(&folder).args(wheels);
    run.envs(environment.iter().cloned());
    tally("wheels of a clean clone", run, TESTS)
}

/// Brings `folder` to the commit that is checked out in `root`, with no file more. What is the same stays as it is, so that
/// it is not compiled again.
fn clone(root: &Path, folder: &Path) -> Result<()> {
    let git = |args: &[&str]| -> Result<()> {
        let mut git = Command::new("git");
        // Within a hook these name the repository around it.
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            git.env_remove(name);
        }
        git.arg("-C").arg(folder).args(args);
        process::output(git).map(drop)
    };
    std::fs::create_dir_all(folder)?;
    let root = root.to_str().context("the path of the repository is no UTF-8")?;
    git(&["init", "--quiet"])?;
    git(&["fetch", "--quiet", "--depth=1", &format!("file://{root}"), "HEAD"])?;
    git(&["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "FETCH_HEAD"])?;
    git(&["clean", "-ffdxq"])
}

/// The wheels of the package and of the command line. What they stand on is compiled once for all wheels.
fn build(cx: &Context, folder: &Path) -> Result<Vec<PathBuf>> {
    let target = &cx.workspace.target;
    let out = target.join("wheels/clean-clone");
    let build = |package: &str| {
        let say = |line: &str| println!("{line}");
        wheel::build(&cx.setup, target, &folder.join(package), &out, Profile::Release, say)
    };
    Ok(vec![build("bindings-python")?, build("cli")?])
}

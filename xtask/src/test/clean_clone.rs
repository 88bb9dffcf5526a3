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

/// What keeps the clone's crates apart from the working tree's in the target folder they share, by `KEY=VALUE` of cargo's
/// `--config`. Cargo tells a workspace's crates by their paths within it, so those of both would be the same to it; and it notes
/// the sources of what it built by their paths below the target folder, where the clone is. The working tree's next build would
/// look at the clone's files, find them unchanged and compile nothing. A setting that differs gives them names of their own;
/// crates of the registry have none, and are compiled once for both.
fn apart<'a>(packages: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let set = |name| format!("profile.release.package.{name}.codegen-units=5");
    packages.into_iter().map(set).collect()
}

/// The wheels of the package and of the command line. What they stand on is compiled once for all wheels.
fn build(cx: &Context, folder: &Path) -> Result<Vec<PathBuf>> {
    let target = &cx.workspace.target;
    let out = target.join("wheels/clean-clone");
    let config = apart(cx.workspace.packages.iter().map(|package| package.name.as_str()));
    let profile = Profile::ReleaseWith(&config);
    let build = |package: &str| {
        let say = |line: &str| println!("{line}");
        wheel::build(&cx.setup, target, &folder.join(package), &out, profile, say)
    };
    Ok(vec![build("bindings-python")?, build("cli")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_tree_is_compiled_though_the_clone_was() {
        let tree = tempfile::tempdir().unwrap();
        let target = tree.path().join("target");
        let built = |folder: &Path, says: &str, config: &[String]| {
            let manifest = "[package]\nname = \"one\"\nedition = \"2024\"\n[workspace]\n";
            let main = format!("fn main() {{ print!({says:?}) }}");
            std::fs::create_dir_all(folder.join("src")).unwrap();
            std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
            std::fs::write(folder.join("src/main.rs"), main).unwrap();
            let mut cargo = process::cargo();
            cargo.current_dir(folder).env("CARGO_TARGET_DIR", &target);
            cargo.args(["build", "--release", "--offline"]);
            cargo.args(config.iter().flat_map(|set| ["--config", set]));
            process::output(cargo).unwrap();
            process::output(Command::new(target.join("release/one"))).unwrap()
        };
        let clone = target.join("clean-clone");
        for version in ["first", "second"] {
            let (of_clone, of_tree) = (format!("clone, {version}"), format!("tree, {version}"));
            assert_eq!(built(&clone, &of_clone, &apart(["one"])), of_clone);
            assert_eq!(built(tree.path(), &of_tree, &[]), of_tree);
        }
    }
}

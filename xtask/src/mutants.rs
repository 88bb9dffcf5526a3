//! `cargo xtask mutants`: builds the conformance runner and lets it take the client's rules out, one after another. What
//! there is to take out, and how, is in `tests/conformance`.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process;
use crate::setup::Setup;
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let path = Setup::new(&workspace.target).path_with_ffmpeg()?;
    let mut build = process::cargo();
    build.args(["build", "--package", "storycore-conformance"]).current_dir(&workspace.root);
    if !build.status().context("cargo cannot be run")?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut mutants = process::cargo();
    mutants
        .args(["run", "--quiet", "--package", "storycore-conformance"])
        .args(["--bin", "conformance-mutants", "--"])
        .args(args)
        .current_dir(&workspace.root)
        .env("PATH", path);
    let status = mutants.status().context("cargo cannot be run")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

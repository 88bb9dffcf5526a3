//! `cargo xtask demo [VIDEO]`: builds the command line, sees to ffmpeg, and becomes
//! `storycore demo`, so that signals and the terminal reach it as if it had been called itself.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::setup::Setup;
use crate::workspace::{Build, Workspace};

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let path = Setup::new(&workspace.target).path_with_ffmpeg()?;
    println!("setup: building storycore");
    let build = Build::bin(&workspace, "storycore-cli", &[], false)?;
    let storycore = build.bins.get("storycore").context("the build made no storycore binary")?;
    let error = Command::new(storycore).arg("demo").args(args).env("PATH", path).exec();
    Err(error).with_context(|| format!("cannot run {}", storycore.display()))
}

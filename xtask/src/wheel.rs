//! Python packages of this workspace as wheels, built by maturin with the lock file's versions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::setup::Setup;

/// Pinned, so that two runs build alike; newer ones are taken by people, on purpose.
const MATURIN: &str = "maturin==1.16.0\n";
const BUILD: Duration = Duration::from_secs(40 * 60);

/// How a wheel is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Profile<'a> {
    /// As its `pyproject.toml` says: what people get.
    Own,
    /// Quicker to build, and larger: for tests.
    Release,
    /// The same with what is set here, each `KEY=VALUE` of cargo's `--config`.
    ReleaseWith(&'a [String]),
}

/// Builds the wheel of the crate in `folder` with `target` as cargo's, into a folder of its own in `wheels`; shows each line of
/// the build to `say`, and gives the wheel's path.
pub(crate) fn build(
    setup: &Setup,
    target: &Path,
    folder: &Path,
    wheels: &Path,
    profile: Profile<'_>,
    say: impl FnMut(&str),
) -> Result<PathBuf> {
    let python = setup.venv("maturin", MATURIN)?;
    let name = folder.file_name().context("a crate's folder has a name")?;
    let out = wheels.join(name);
    // Only this build's wheel is to be found there.
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    let mut maturin = process::building(python);
    maturin.args(["-m", "maturin", "build", "--out"]).arg(&out).env("CARGO_TARGET_DIR", target);
    let config = match profile {
        Profile::Own => None,
        Profile::Release => Some(&[][..]),
        Profile::ReleaseWith(config) => Some(config),
    };
    if let Some(config) = config {
        maturin.args(["--profile", "release"]);
        maturin.args(config.iter().flat_map(|set| ["--config", set]));
    }
    maturin.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    let status = process::listen(maturin, BUILD, say)?;
    if !status.success() {
        bail!("maturin build of {} failed ({status})", folder.display());
    }
    let mut wheels: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&out)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            wheels.push(path);
        }
    }
    match wheels.as_slice() {
        [wheel] => Ok(wheel.clone()),
        _ => bail!("maturin left {} wheels in {}, not one", wheels.len(), out.display()),
    }
}

/// Puts the wheel into `python`'s environment, in place of what was there of it; its dependencies are there already.
pub(crate) fn install(python: &Path, wheel: &Path) -> Result<()> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-index", "--no-deps", "--force-reinstall"]).arg(wheel);
    process::output(pip).map(drop)
}

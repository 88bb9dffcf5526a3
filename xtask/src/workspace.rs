//! The cargo workspace as cargo itself describes it, and its one build: every target of every
//! package with all features at once. Test binaries are then run straight from that build, because
//! `cargo test -p one-crate` would resolve other features and compile the dependencies again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::counts::{Counts, Tally};
use crate::{process, transcript};

/// A crate of this workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, absolute.
    pub(crate) folder: PathBuf,
    /// Targets that have tests to run: (kind, name).
    tests: Vec<(String, String)>,
    /// Names of its binaries, in the order of the alphabet.
    pub(crate) bins: Vec<String>,
    /// Whether it can speak to redis, so that its tests need one.
    pub(crate) redis: bool,
}

/// What `cargo metadata` says of this workspace.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// The whole answer, for the licence check.
    pub(crate) metadata: Value,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let mut cargo = process::cargo();
        cargo.args(["metadata", "--format-version", "1", "--all-features"]);
        let metadata: Value = serde_json::from_str(&process::output(cargo)?)?;
        let path = |value: &Value| value.as_str().map(PathBuf::from);
        let root = path(&metadata["workspace_root"]).context("cargo metadata: no root")?;
        let target = path(&metadata["target_directory"]).context("cargo metadata: no target")?;
        let members = metadata["workspace_members"].as_array().context("no members")?;
        let mut packages = Vec::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            if members.contains(&package["id"]) {
                packages.push(Package::read(package)?);
            }
        }
        Ok(Workspace { root, target, packages, metadata })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Package {
    fn read(package: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let name = text(&package["name"]).context("a package without a name")?;
        let manifest = text(&package["manifest_path"]).context("a package without a manifest")?;
        let folder = Path::new(&manifest).parent().context("a manifest without a folder")?;
        let targets = |of: fn(&Value) -> bool| {
            let all = package["targets"].as_array().into_iter().flatten();
            all.filter(move |target| of(target))
                .filter_map(|target| Some((text(&target["kind"][0])?, text(&target["name"])?)))
        };
        let tests = targets(|target| target["test"] == true).collect();
        let mut bins: Vec<String> =
            targets(|target| target["kind"][0] == "bin").map(|(_, name)| name).collect();
        bins.sort();
        let redis = package["features"].get("redis").is_some();
        Ok(Package { name, folder: folder.to_owned(), tests, bins, redis })
    }
}

/// The binaries that the one build made.
#[derive(Default)]
pub(crate) struct Build {
    /// Test binaries by (package folder, kind, target name).
    tests: BTreeMap<(PathBuf, String, String), PathBuf>,
    /// Ordinary binaries by name.
    pub(crate) bins: BTreeMap<String, PathBuf>,
    /// Libraries that other languages load, by name.
    pub(crate) libraries: BTreeMap<String, PathBuf>,
}

impl Build {
    /// Compiles everything that compiles; a crate that does not is told apart later, by its
    /// missing binaries, so that one broken crate does not silence the others.
    pub(crate) fn all(workspace: &Workspace) -> Result<Self> {
        let mut cargo = process::cargo();
        cargo.args(["build", "--workspace", "--all-targets", "--all-features", "--keep-going"]);
        Self::run(cargo, workspace)
    }

    /// Compiles a package's binaries the way a user would: those named, or all.
    pub(crate) fn bin(
        workspace: &Workspace,
        package: &str,
        names: &[&str],
        release: bool,
    ) -> Result<Self> {
        let mut cargo = process::cargo();
        cargo.args(["build", "--package", package]);
        if names.is_empty() {
            cargo.arg("--bins");
        }
        for name in names {
            cargo.args(["--bin", name]);
        }
        if release {
            cargo.arg("--release");
        }
        let build = Self::run(cargo, workspace)?;
        if build.bins.is_empty() {
            bail!("{package} does not compile: see above");
        }
        Ok(build)
    }

    /// Compiles a library that other languages load.
    pub(crate) fn library(
        workspace: &Workspace,
        package: &str,
        name: &str,
        how: &[&str],
    ) -> Result<PathBuf> {
        let mut cargo = process::cargo();
        cargo.args(["build", "--package", package, "--lib"]).args(how);
        let mut build = Self::run(cargo, workspace)?;
        build
            .libraries
            .remove(name)
            .with_context(|| format!("{package} does not compile: see above"))
    }

    fn run(mut cargo: Command, workspace: &Workspace) -> Result<Self> {
        cargo
            .current_dir(&workspace.root)
            .arg("--message-format=json-render-diagnostics")
            .stdout(Stdio::piped());
        let mut child = process::Reaped(cargo.spawn().context("cannot start cargo")?);
        let stdout = child.0.stdout.take().context("cargo has no output")?;
        let mut build = Build::default();
        for line in BufReader::new(stdout).lines() {
            if let Ok(message) = serde_json::from_str::<Value>(&line?) {
                build.artifact(&message);
            }
        }
        child.0.wait()?;
        Ok(build)
    }

    fn artifact(&mut self, message: &Value) {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        // A crate whose library is for another language may have unit tests, too: those are a program.
        if message["target"]["kind"][0] == "cdylib"
            && message["profile"]["test"] != true
            && let (Some(name), Some(file)) =
                // One that is static as well has several files.
                (
                    text(&message["target"]["name"]),
                    message["filenames"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(text)
                        .find(|file| !file.ends_with(".a") && !file.ends_with(".rlib")),
                )
        {
            self.libraries.insert(name, file.into());
        }
        let (Some(executable), Some(manifest), Some(kind), Some(name)) = (
            text(&message["executable"]),
            text(&message["manifest_path"]),
            text(&message["target"]["kind"][0]),
            text(&message["target"]["name"]),
        ) else {
            return;
        };
        if message["profile"]["test"] == true {
            let folder = Path::new(&manifest).parent().unwrap_or(Path::new("")).to_owned();
            self.tests.insert((folder, kind, name), executable.into());
        } else if kind == "bin" {
            self.bins.insert(name, executable.into());
        }
    }

    /// Runs every test binary of `package`, with the environment that `cargo test` would give,
    /// without the tests whose path holds a word of `skip`.
    pub(crate) fn test(
        &self,
        package: &Package,
        environment: &[(String, String)],
        skip: &[&str],
    ) -> Counts {
        let mut counts = Counts::default();
        for (kind, target) in &package.tests {
            let name = format!("{} ({kind} {target})", package.name);
            let key = (package.folder.clone(), kind.clone(), target.clone());
            let Some(executable) = self.tests.get(&key) else {
                counts += Counts::failed(format!("{name} does not compile"));
                continue;
            };
            let mut command = Command::new(executable);
            command
                .current_dir(&package.folder)
                .env("CARGO_MANIFEST_DIR", &package.folder)
                .env("CARGO_PKG_NAME", &package.name)
                .envs(self.bins.iter().map(|(bin, path)| (format!("CARGO_BIN_EXE_{bin}"), path)))
                .envs(environment.iter().cloned());
            command.args(skip.iter().flat_map(|word| ["--skip", *word]));
            counts += tally(&name, command, TEST_DEADLINE);
        }
        counts
    }
}

/// How long one test binary may take.
const TEST_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// Runs a test runner and counts what it says.
pub(crate) fn tally(name: &str, command: Command, deadline: Duration) -> Counts {
    tally_lines(name, command, deadline, Tally::line)
}

/// The same of a runner whose lines `read` brings into a form that is counted.
pub(crate) fn tally_lines(
    name: &str,
    command: Command,
    deadline: Duration,
    read: impl Fn(&mut Tally, &str),
) -> Counts {
    let tally = RefCell::new(Tally::default());
    let line = |line: &str| read(&mut tally.borrow_mut(), line);
    transcript::run(name, command, deadline, line, |ended| tally.take().finish(name, ended))
}

/// Runs a command that either passes or fails as a whole.
pub(crate) fn check(name: &str, command: Command, deadline: Duration) -> Counts {
    transcript::run(
        name,
        command,
        deadline,
        |_| {},
        |ended| match ended {
            Ok(status) if status.success() => Counts::passed(),
            Ok(status) => Counts::failed(format!("{name}: {status}")),
            Err(error) => Counts::failed(format!("{name}: {error:#}")),
        },
    )
}

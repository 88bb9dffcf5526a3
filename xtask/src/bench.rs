//! `cargo xtask bench [NAME…] [--quick] [--json]`: builds `benches/` for release and runs its
//! binaries, one a name. What they measure and print is theirs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::kotlin;
use crate::process;
use crate::setup::Setup;
use crate::test::swift;
use crate::wheel::{self, Profile};
use crate::workspace::{Build, Workspace};

const PACKAGE: &str = "storycore-benches";
const NAMES: [&str; 7] = ["core", "platform", "uploads", "webhooks", "python", "node", "mobile"];

/// What JavaScript users would pick instead. `fetch` is Node's own.
const NODE_PEERS: [&str; 2] = ["undici@7.30.2", "openai@7.57.0"];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    names: Vec<String>,
    /// Passed on: `--quick` and `--json`.
    flags: Vec<String>,
}

impl Request {
    fn parse(args: &[String]) -> Result<Self> {
        let (flags, names): (Vec<_>, Vec<_>) =
            args.iter().cloned().partition(|arg| arg.starts_with("--"));
        if let Some(flag) = flags.iter().find(|flag| !["--quick", "--json"].contains(&&***flag)) {
            bail!("there is no option `{flag}`; there are --quick and --json");
        }
        if let Some(name) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
            bail!("there is no benchmark `{name}`; there are {}", NAMES.join(" "));
        }
        Ok(Request { names, flags })
    }
}

pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let request = Request::parse(args)?;
    let workspace = Workspace::load()?;
    let package = workspace.package(PACKAGE).context("benches/ does not exist yet")?;
    let (chosen, missing): (Vec<&str>, Vec<&str>) = NAMES
        .into_iter()
        .filter(|name| request.names.is_empty() || request.names.iter().any(|n| n == name))
        .partition(|name| binary(&package.bins, name).is_some());
    // Messages go to stderr: stdout is the table, or with --json an object a line.
    for name in &missing {
        eprintln!("skipped: {name}: benches/ has no such binary yet");
    }
    if chosen.is_empty() || (!request.names.is_empty() && !missing.is_empty()) {
        bail!("nothing to measure for {}", missing.join(" "));
    }
    let setup = Setup::to_stderr(&workspace.target);
    let mut environment: Vec<(&str, OsString)> = vec![("PATH", setup.path_with_ffmpeg()?.into())];
    if chosen.contains(&"uploads") {
        let (python, modules) = setup.tus_clients(&workspace.root)?;
        environment.push(("STORYCORE_BENCH_PYTHON", python.into()));
        environment.push(("STORYCORE_BENCH_NPM", modules.into()));
    }
    if chosen.contains(&"python") {
        environment.extend(python(&setup, &workspace)?);
    }
    if chosen.contains(&"node") {
        environment.extend(node(&setup, &workspace)?);
    }
    if chosen.contains(&"mobile") {
        environment.extend(mobile(&setup, &workspace)?);
    }
    let binaries: Vec<&str> =
        chosen.iter().filter_map(|name| binary(&package.bins, name)).map(String::as_str).collect();
    let build = Build::bin(&workspace, PACKAGE, &binaries, true)?;
    let mut failed = false;
    for (name, binary) in chosen.into_iter().zip(binaries) {
        let binary = build.bins.get(binary).with_context(|| format!("no binary for {name}"))?;
        let status = Command::new(binary)
            .args(&request.flags)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        if !status.success() {
            eprintln!("{name} ended with {status}");
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the Python bench needs: our wheel, and a Python in which it stands beside what it is measured against.
fn python(setup: &Setup, workspace: &Workspace) -> Result<[(&'static str, OsString); 2]> {
    let requirements =
        std::fs::read_to_string(workspace.root.join("benches/python/requirements.txt"))
            .context("benches/python/requirements.txt")?;
    let package = workspace.root.join("bindings-python");
    let say = |line: &str| eprintln!("{line}");
    let wheels = workspace.target.join("wheels");
    let wheel = wheel::build(setup, &workspace.target, &package, &wheels, Profile::Own, say)?;
    let python = setup.venv("bench-python", &requirements)?;
    wheel::install(&python, &wheel)?;
    Ok([("STORYCORE_BENCH_SIDES", python.into()), ("STORYCORE_BENCH_WHEEL", wheel.into())])
}

/// What the Node bench needs: the native library as it is shipped, and a folder with what it is measured against.
fn node(setup: &Setup, workspace: &Workspace) -> Result<[(&'static str, OsString); 2]> {
    let mut build = Command::new("node");
    build.current_dir(workspace.root.join("bindings-node")).args(["scripts/build.mjs", "--print"]);
    let library = process::output(build)?;
    let peers = setup.npm("bench-node", &NODE_PEERS)?;
    Ok([
        ("STORYCORE_BENCH_NODE_LIBRARY", library.trim().into()),
        ("STORYCORE_BENCH_NODE_PEERS", peers.into()),
    ])
}

/// What the mobile bench needs: the library as an app carries it, to be weighed, and a program for each language over one that
/// counts its calls.
fn mobile(setup: &Setup, workspace: &Workspace) -> Result<Vec<(&'static str, OsString)>> {
    let weighed = library(workspace, "mobile", "")?;
    let counting = library(workspace, "mobile-bench", "conformance")?;
    let bindgen = Build::bin(workspace, "storycore-bindgen", &[], false)?;
    let bindgen = bindgen.bins.get("storycore-bindgen").context("storycore-bindgen")?;
    let swift = swift::bench(workspace, &counting, bindgen)?;
    let kotlin = kotlin::bench(setup, workspace, &counting, bindgen)?;
    Ok(vec![
        ("STORYCORE_BENCH_LIBRARY", weighed.into()),
        ("STORYCORE_BENCH_SWIFT", swift.into()),
        ("STORYCORE_BENCH_KOTLIN", kotlin.into()),
    ])
}

/// The library as it is built for an app by the scripts of a release.
fn library(workspace: &Workspace, profile: &str, features: &str) -> Result<PathBuf> {
    let size = "bindings-swift/mobile/size.toml";
    let mut how = vec!["--config", size, "--profile", profile, "--features", features];
    let unnamed = without_folders()?;
    how.extend(unnamed.iter().flat_map(|config| ["--config", config]));
    Build::library(workspace, "storycore-mobile", "storycore_mobile", &how)
}

/// Leaves this machine's folders out of the places in the source that panics name: they are nobody's business, and take 17 kB.
fn without_folders() -> Result<Vec<String>> {
    let sources = process::cargo_home()?.join("registry/src");
    let registries = std::fs::read_dir(&sources).with_context(|| sources.display().to_string())?;
    let remap = |registry: std::io::Result<std::fs::DirEntry>| {
        let flag = format!("--remap-path-prefix={}/=", registry?.path().display());
        Ok(format!("build.rustflags=[{}]", serde_json::Value::from(flag)))
    };
    registries.map(remap).collect()
}

/// The binary that measures `name`: called like it, or `NAME-bench` where that is taken, as by the
/// standard library's own `core`.
fn binary<'b>(bins: &'b [String], name: &str) -> Option<&'b String> {
    bins.iter().find(|bin| *bin == name || bin.strip_suffix("-bench") == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request> {
        Request::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn names_and_options_come_in_any_order() {
        let request = parse("--json core platform --quick").unwrap();
        assert_eq!(request.names, ["core", "platform"]);
        assert_eq!(request.flags, ["--json", "--quick"]);
    }

    #[test]
    fn what_does_not_exist_is_refused_by_name() {
        assert!(parse("cores").unwrap_err().to_string().contains("`cores`"));
        assert!(parse("--fast").unwrap_err().to_string().contains("`--fast`"));
    }
}

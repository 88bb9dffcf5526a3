//! Takes the client's rules out of it, one after another, and sees that scenarios fail: a rule that nothing misses is
//! guarded by nothing.
//!
//! `conformance-mutants [--all] [--side-by-side N] [NAME…]`: every mutant of `mutants/`, those of the files with the
//! given names, or those whose own names contain one of them. A mutant is built in a copy of the sources below the target folder; the Rust driver that comes out is
//! played the scenarios that are to guard the rule, or with `--all` every one. Builds follow one another, runs overlap them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a runner prints its results")]

#[path = "../mutant.rs"]
mod mutant;
#[path = "../scenario.rs"]
#[allow(dead_code, reason = "the names of scenarios are all that is asked for here")]
mod scenario;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::{Mutex, PoisonError, mpsc},
};

use anyhow::{Context as _, Result, bail, ensure};

use mutant::Mutant;

/// The longest that a scenario may take, in seconds: a mutant that hangs is noticed, not waited for.
const DEADLINE: &str = "45";

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance-mutants: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    all: bool,
    side_by_side: usize,
    names: Vec<String>,
}

fn arguments() -> Result<Arguments> {
    let mut parsed = Arguments { all: false, side_by_side: 3, names: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--all" => parsed.all = true,
            "--side-by-side" => {
                parsed.side_by_side =
                    args.next().context("--side-by-side needs a number")?.parse()?;
            }
            flag if flag.starts_with('-') => bail!("there is no {flag}"),
            name => parsed.names.push(name.to_owned()),
        }
    }
    Ok(parsed)
}

fn start() -> Result<ExitCode> {
    let arguments = arguments()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut mutants = mutant::load(&folder.join("mutants"))?;
    mutants.retain(|mutant| {
        let wanted = |n: &String| mutant.name.contains(n) || mutant.file == *n;
        arguments.names.is_empty() || arguments.names.iter().any(wanted)
    });
    ensure!(!mutants.is_empty(), "no mutant has such a name");
    let scenarios = scenario::load(&folder.join("scenarios"))?;
    let scenarios: Vec<_> = scenarios.into_iter().map(|scenario| scenario.name).collect();
    let wrong = mutant::problems(&mutants, &folder.join("../../sdk-core/src"), &scenarios);
    ensure!(wrong.is_empty(), "mutants/:\n{}", wrong.join("\n"));
    let beside = std::env::current_exe()?;
    let workshop = Workshop::set_up(folder, &beside)?;
    let healthy = workshop.build("healthy")?;
    let guards: Vec<String> = mutants.iter().flat_map(|mutant| mutant.guards.clone()).collect();
    let mut failed = workshop.play(&healthy, &guards, arguments.all)?;
    if !failed.is_empty() {
        // On a busy machine one may have come too late; all at once they make it busy.
        failed = workshop.play(&healthy, &failed, false)?;
    }
    ensure!(failed.is_empty(), "of the client as it is, these fail: {}", failed.join(" "));

    let unguarded = Mutex::new(Vec::new());
    let (sender, built) = mpsc::sync_channel::<(&Mutant, PathBuf)>(1);
    let built = Mutex::new(built);
    std::thread::scope(|scope| {
        for _ in 0..arguments.side_by_side.max(1) {
            scope.spawn(|| {
                loop {
                    let next = built.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((mutant, driver)) = next else { break };
                    let result = judge(&workshop, mutant, &driver, arguments.all);
                    if !report(mutant, result) {
                        note(&unguarded, mutant);
                    }
                }
            });
        }
        for mutant in &mutants {
            match workshop.build_mutant(mutant) {
                Ok(driver) => {
                    if sender.send((mutant, driver)).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    report(mutant, Err(error));
                    note(&unguarded, mutant);
                }
            }
        }
        drop(sender);
    });
    let unguarded = unguarded.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("\n{} noticed, {} not", mutants.len() - unguarded.len(), unguarded.len());
    for name in &unguarded {
        println!("    {name}");
    }
    Ok(if unguarded.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn note(unguarded: &Mutex<Vec<String>>, mutant: &Mutant) {
    unguarded.lock().unwrap_or_else(PoisonError::into_inner).push(mutant.name.clone());
}

/// What failed with the rule taken out, and which of the guards did not.
struct Judged {
    failed: Vec<String>,
    slept: Vec<String>,
}

fn judge(workshop: &Workshop, mutant: &Mutant, driver: &Path, all: bool) -> Result<Judged> {
    let failed = workshop.play(driver, &mutant.guards, all);
    fs::remove_file(driver)?;
    let failed = failed?;
    let slept = mutant.guards.iter().filter(|guard| !failed.contains(guard)).cloned().collect();
    Ok(Judged { failed, slept })
}

/// Prints how it went; whether the rule is guarded.
fn report(mutant: &Mutant, result: Result<Judged>) -> bool {
    match result {
        Err(error) => println!("mutant {} ... FAILED\n    {error:#}", mutant.name),
        Ok(Judged { failed, slept }) if failed.is_empty() || !slept.is_empty() => {
            println!("mutant {} ... SURVIVED\n    {}", mutant.name, mutant.rule);
            println!("    failed: {}\n    did not: {}", failed.join(" "), slept.join(" "));
        }
        Ok(Judged { failed, .. }) => {
            println!("mutant {} ... ok\n    failed: {}", mutant.name, failed.join(" "));
            return true;
        }
    }
    false
}

/// A copy of the sources, in which rules are taken out.
struct Workshop {
    sources: PathBuf,
    target: PathBuf,
    drivers: PathBuf,
    runner: PathBuf,
}

impl Workshop {
    fn set_up(conformance: &Path, beside: &Path) -> Result<Self> {
        let root = conformance.ancestors().nth(2).context("there is no workspace")?;
        let target = beside.ancestors().nth(2).context("there is no target folder")?;
        let folder = target.join("mutants");
        let sources = folder.join("sources");
        if sources.exists() {
            fs::remove_dir_all(&sources)?;
        }
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git cannot be run")?;
        ensure!(listed.status.success(), "git does not list the sources");
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            // One that was deleted is listed until that is committed.
            if root.join(path).is_file() {
                let to = sources.join(path);
                fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
                fs::copy(root.join(path), to)?;
            }
        }
        let drivers = folder.join("drivers");
        fs::create_dir_all(&drivers)?;
        let runner = folder.join("conformance");
        fs::copy(beside.with_file_name("conformance"), &runner)
            .context("build the runner first: cargo build -p storycore-conformance")?;
        Ok(Self { sources, target: folder.join("target"), drivers, runner })
    }

    /// The driver of the sources as they are now.
    fn build(&self, name: &str) -> Result<PathBuf> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "storycore-conformance"])
            .args(["--bin", "conformance-driver", "--target-dir"])
            .arg(&self.target)
            .current_dir(&self.sources)
            .output()?;
        let said = String::from_utf8_lossy(&built.stderr);
        ensure!(built.status.success(), "it does not compile:\n{said}");
        let driver = self.drivers.join(name);
        fs::copy(self.target.join("debug").join("conformance-driver"), &driver)?;
        Ok(driver)
    }

    fn build_mutant(&self, mutant: &Mutant) -> Result<PathBuf> {
        let mut before = Vec::new();
        for edit in &mutant.edits {
            let path = self.sources.join("sdk-core/src").join(&edit.file);
            let text = fs::read_to_string(&path).with_context(|| edit.file.clone())?;
            fs::write(&path, edit.apply(&text)?)?;
            before.push((path, text));
        }
        let built = self.build(&mutant.name);
        // The last change is taken back first, for files that were changed twice.
        for (path, text) in before.into_iter().rev() {
            fs::write(path, text)?;
        }
        built
    }

    /// The scenarios that fail.
    fn play(&self, driver: &Path, guards: &[String], all: bool) -> Result<Vec<String>> {
        let mut run = Command::new(&self.runner);
        run.args(["--jobs", "12", "--deadline", DEADLINE, "--driver"]).arg(driver);
        run.arg("--scenarios").arg(self.sources.join("tests/conformance/scenarios"));
        if !all {
            run.args(guards);
        }
        let output = run.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            said.contains(" passed, "),
            "the runner broke: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(str::to_owned)
            .collect())
    }
}

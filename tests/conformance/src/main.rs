//! Runs every scenario of `scenarios/` against the client of one language.
//!
//! `conformance [--driver COMMAND] [--language NAME] [--jobs N] [--deadline SECONDS] [--scenarios FOLDER] [--write-readme | --check-readme] [NAME…]`: the driver is a program that makes
//! the calls it is told on standard input and answers on standard output, one JSON object a line (see `driver.rs`); without
//! one, the Rust driver beside this binary runs. A language may leave out what `left_out.yaml` lists for it. Names choose the scenarios that contain them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a runner prints its results")]

mod driver;
mod files;
mod left_out;
mod matcher;
mod mutant;
mod places;
mod process;
mod proxy;
mod readme;
mod requests;
mod run;
mod scenario;
mod user;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;

use self::left_out::LeftOut;

/// The longest that one scenario may take unless told otherwise; one that hangs is a failure, not a stopped suite.
const SCENARIO_DEADLINE: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    driver: Vec<String>,
    language: Option<String>,
    jobs: usize,
    deadline: Duration,
    scenarios: Option<PathBuf>,
    readme: Option<bool>,
    names: Vec<String>,
}

fn arguments() -> Result<Arguments> {
    let mut parsed = Arguments {
        driver: Vec::new(),
        language: None,
        jobs: 4,
        deadline: SCENARIO_DEADLINE,
        scenarios: None,
        readme: None,
        names: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--driver" => {
                let command = args.next().context("--driver needs a command")?;
                parsed.driver = command.split_whitespace().map(str::to_owned).collect();
            }
            "--language" => {
                parsed.language = Some(args.next().context("--language needs a name")?);
            }
            "--jobs" => parsed.jobs = args.next().context("--jobs needs a number")?.parse()?,
            "--deadline" => {
                let seconds = args.next().context("--deadline needs a number of seconds")?;
                parsed.deadline = Duration::from_secs(seconds.parse()?);
            }
            "--scenarios" => {
                parsed.scenarios = Some(args.next().context("--scenarios needs a folder")?.into());
            }
            "--write-readme" => parsed.readme = Some(true),
            "--check-readme" => parsed.readme = Some(false),
            flag if flag.starts_with('-') => anyhow::bail!("there is no {flag}"),
            name => parsed.names.push(name.to_owned()),
        }
    }
    if parsed.driver.is_empty() {
        let beside = std::env::current_exe()?.with_file_name("conformance-driver");
        parsed.driver.push(beside.to_str().context("the driver's path is not UTF-8")?.to_owned());
    }
    Ok(parsed)
}

fn start() -> Result<ExitCode> {
    let arguments = arguments()?;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let scenarios =
        scenario::load(arguments.scenarios.as_deref().unwrap_or(&folder.join("scenarios")))?;
    if let Some(write) = arguments.readme {
        let mutants = mutant::load(&folder.join("mutants"))?;
        let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        let wrong = mutant::problems(&mutants, &folder.join("../../sdk-core/src"), &names);
        ensure!(wrong.is_empty(), "mutants/:\n{}", wrong.join("\n"));
        return readme::update(&folder.join("README.md"), &scenarios, &mutants, write);
    }
    let allowed = match &arguments.scenarios {
        // Others' scenarios are not in the list.
        Some(_) => LeftOut::default(),
        None => {
            LeftOut::of(arguments.language.as_deref(), &folder.join("left_out.yaml"), &scenarios)?
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(run_all(arguments, scenarios, &allowed)))
}

async fn run_all(
    arguments: Arguments,
    scenarios: Vec<scenario::Scenario>,
    allowed: &LeftOut,
) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chosen: Vec<_> = scenarios
        .into_iter()
        .filter(|s| {
            arguments.names.is_empty() || arguments.names.iter().any(|n| s.name.contains(n))
        })
        .collect();
    let command = Arc::new(arguments.driver);
    let deadline = arguments.deadline;
    let results = futures_util::stream::iter(chosen.into_iter().map(|scenario| {
        let command = Arc::clone(&command);
        async move {
            let result = tokio::time::timeout(deadline, run::run(&scenario, &command)).await;
            let result =
                result.unwrap_or_else(|_| Err(anyhow::anyhow!("did not end within {deadline:?}")));
            let refused = result.as_ref().err().and_then(|e| e.downcast_ref::<run::NotHere>());
            if let Some(why) = refused {
                if allowed.allows(&scenario) {
                    println!("skipped: {}: {why}", scenario.name);
                    return None;
                }
                println!(
                    "test {} ... FAILED\n    left out, which left_out.yaml does not allow: {why}",
                    scenario.name
                );
                return Some(false);
            }
            match &result {
                Ok(()) => println!("test {} ... ok", scenario.name),
                Err(error) => println!("test {} ... FAILED\n    {error:#}", scenario.name),
            }
            Some(result.is_ok())
        }
    }))
    .buffer_unordered(arguments.jobs.max(1))
    .collect::<Vec<_>>()
    .await;
    let count = |wanted| results.iter().filter(|result| **result == wanted).count();
    let (passed, failed, skipped) = (count(Some(true)), count(Some(false)), count(None));
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

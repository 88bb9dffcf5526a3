//! Runs every scenario of `scenarios/` against the client of one language.
//!
//! `conformance [--driver COMMAND] [--jobs N] [--write-readme | --check-readme] [NAME…]`: the driver is a program that makes
//! the calls it is told on standard input and answers on standard output, one JSON object a line (see `driver.rs`); without
//! one, the Rust driver beside this binary runs. Names choose the scenarios that contain them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a runner prints its results")]

mod driver;
mod matcher;
mod proxy;
mod readme;
mod run;
mod scenario;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures_util::StreamExt as _;

/// The longest that one scenario may take; one that hangs is a failure, not a stopped suite.
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
    jobs: usize,
    readme: Option<bool>,
    names: Vec<String>,
}

fn arguments() -> Result<Arguments> {
    let mut parsed = Arguments { driver: Vec::new(), jobs: 4, readme: None, names: Vec::new() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--driver" => {
                let command = args.next().context("--driver needs a command")?;
                parsed.driver = command.split_whitespace().map(str::to_owned).collect();
            }
            "--jobs" => parsed.jobs = args.next().context("--jobs needs a number")?.parse()?,
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
    let scenarios = scenario::load(&folder.join("scenarios"))?;
    if let Some(write) = arguments.readme {
        return readme::update(&folder.join("README.md"), &scenarios, write);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(run_all(arguments, scenarios)))
}

async fn run_all(arguments: Arguments, scenarios: Vec<scenario::Scenario>) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chosen: Vec<_> = scenarios
        .into_iter()
        .filter(|s| {
            arguments.names.is_empty() || arguments.names.iter().any(|n| s.name.contains(n))
        })
        .collect();
    let command = Arc::new(arguments.driver);
    let results = futures_util::stream::iter(chosen.into_iter().map(|scenario| {
        let command = Arc::clone(&command);
        async move {
            let result =
                tokio::time::timeout(SCENARIO_DEADLINE, run::run(&scenario, &command)).await;
            let result = result.unwrap_or_else(|_| {
                Err(anyhow::anyhow!("did not end within {SCENARIO_DEADLINE:?}"))
            });
            match &result {
                Ok(()) => println!("test {} ... ok", scenario.name),
                Err(error) => println!("test {} ... FAILED\n    {error:#}", scenario.name),
            }
            result.is_ok()
        }
    }))
    .buffer_unordered(arguments.jobs.max(1))
    .collect::<Vec<_>>()
    .await;
    let passed = results.iter().filter(|ok| **ok).count();
    let failed = results.len() - passed;
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! Many runs side by side, and what they showed: one line for each that broke a rule, with the command that runs it again,
//! then the figures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Result;
use futures_util::StreamExt as _;

use crate::{
    plan::Plan,
    run::{Seen, run},
};

/// What `run` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The seed of the first run; each next one has the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many runs.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How many side by side.
    #[arg(long, default_value_t = 6)]
    jobs: usize,
    /// Says what each run is and showed.
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) async fn matrix(args: Args) -> Result<ExitCode> {
    let program = std::env::current_exe()?;
    let begun = Instant::now();
    let seeds = args.seed..args.seed + args.runs;
    let mut ended = futures_util::stream::iter(seeds)
        .map(|seed| one(seed, program.clone(), args.verbose))
        .buffer_unordered(args.jobs.max(1));
    let mut figures = Figures::default();
    while let Some((plan, outcome)) = ended.next().await {
        figures.add(&plan, outcome);
    }
    figures.print(begun.elapsed().as_secs());
    Ok(if figures.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn one(seed: u64, program: PathBuf, verbose: bool) -> (Plan, Result<Seen>) {
    let plan = Plan::of(seed);
    if verbose {
        println!("{plan:#?}");
    }
    let outcome = tokio::spawn({
        let plan = plan.clone();
        async move { run(&plan, Path::new(&program)).await }
    });
    let outcome = outcome.await.unwrap_or_else(|error| Err(error.into()));
    if verbose {
        println!("seed {seed}: {outcome:#?}");
    }
    (plan, outcome)
}

/// What several runs sent again, and what their faults may cost.
#[derive(Default)]
struct Resent {
    runs: u64,
    bytes: u64,
    allowed: u64,
}

impl Resent {
    fn print(&self, which: &str) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "sent again in {} runs {which}: {:.1} MiB, of {:.1} MiB that their faults may cost",
            self.runs,
            mib(self.bytes),
            mib(self.allowed)
        );
    }
}

#[derive(Default)]
struct Figures {
    passed: u64,
    failed: u64,
    calls: u64,
    errors: u64,
    sent: u64,
    by_chunk: Resent,
    others: Resent,
    faults: BTreeMap<&'static str, u64>,
    changes: u64,
}

impl Figures {
    fn add(&mut self, plan: &Plan, outcome: Result<Seen>) {
        let seen = match outcome {
            Ok(seen) => seen,
            Err(error) => {
                self.failed += 1;
                let seed = plan.seed;
                println!(
                    "failed: seed {seed}: {error:#} (again: cargo run -p storycore-faults -- run --verbose --seed {seed})"
                );
                return;
            }
        };
        self.passed += 1;
        self.calls += seen.calls;
        self.errors += seen.errors;
        self.sent += seen.size;
        let of = if seen.is_by_chunk { &mut self.by_chunk } else { &mut self.others };
        of.runs += 1;
        of.bytes += seen.resent;
        of.allowed += seen.may_resend;
        self.changes += u64::from(seen.change.is_some());
        for (name, count) in seen.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }

    fn print(&self, seconds: u64) {
        for (name, count) in &self.faults {
            println!("{count:7}  {name}");
        }
        println!(
            "{:7}  file changed, cut, grown, replaced, touched or copied after a crash",
            self.changes
        );
        let struck: u64 = self.faults.values().sum();
        println!(
            "{} runs in {seconds} s: {struck} faults, {} calls of which {} ended in an error, {} MiB of files",
            self.passed + self.failed,
            self.calls,
            self.errors,
            self.sent >> 20
        );
        self.by_chunk.print("whose faults cost a chunk a stream at most");
        self.others.print(
            "that lost a part, or changed a byte without a chunk's checksum, or sent one request",
        );
        println!("{} passed, {} failed", self.passed, self.failed);
    }
}

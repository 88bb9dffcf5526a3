//! What the benches share: the form of a result, the median of interleaved runs, and the CPU time of a process.
//!
//! Every bench is a binary named for what `cargo xtask bench NAME` calls it. It takes `--quick` (shorter runs) and `--json`
//! (one object a line), and measures its peer in the same run, since these machines are noisy.
#![allow(clippy::print_stdout, reason = "printing is what a bench is for")]

use serde::Serialize;

pub mod fixed;
pub mod load;
pub mod local;
pub mod process;
pub mod servers;
pub mod side;
pub mod turns;

/// One measurement against a peer or a fixed goal.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The bench's name.
    pub bench: &'static str,
    /// What was measured, with its unit.
    pub metric: String,
    /// What it was measured against, with its version; `none` for a fixed goal.
    pub peer: String,
    /// Our figure.
    pub ours: f64,
    /// The peer's figure, or the goal where there is no peer.
    pub theirs: f64,
    /// `ours / theirs`: the median over the interleaved runs.
    pub ratio: f64,
    /// The spread of the ratio: (largest - smallest) / median.
    pub spread: f64,
    /// What `ratio` is to reach; nothing where a figure is only told.
    pub goal: Option<Goal>,
    /// Whether it does.
    pub holds: Option<bool>,
}

/// What a ratio is to reach.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    /// Whether `value` reaches it.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Row {
    /// From interleaved runs, each a pair of our figure and the peer's.
    ///
    /// # Panics
    /// When there are no runs.
    pub fn new(
        bench: &'static str,
        metric: impl Into<String>,
        peer: impl Into<String>,
        runs: &[(f64, f64)],
        goal: Goal,
    ) -> Self {
        let told = Self::told(bench, metric, peer, runs);
        Self { goal: Some(goal), holds: Some(goal.holds(told.ratio)), ..told }
    }

    /// As [`Row::new`], of figures that are worth knowing and have no goal.
    ///
    /// # Panics
    /// When there are no runs.
    pub fn told(
        bench: &'static str,
        metric: impl Into<String>,
        peer: impl Into<String>,
        runs: &[(f64, f64)],
    ) -> Self {
        let ratios: Vec<f64> = runs.iter().map(|(ours, theirs)| ours / theirs).collect();
        let ratio = median(&ratios);
        let (least, most) = ratios
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), r| (l.min(*r), m.max(*r)));
        Self {
            bench,
            metric: metric.into(),
            peer: peer.into(),
            ours: median(&runs.iter().map(|r| r.0).collect::<Vec<_>>()),
            theirs: median(&runs.iter().map(|r| r.1).collect::<Vec<_>>()),
            ratio,
            spread: (most - least) / ratio,
            goal: None,
            holds: None,
        }
    }
}

/// The middle of the values.
///
/// # Panics
/// When there are none.
pub fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "a median needs values");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// What a bench was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Shorter runs, for a look.
    pub quick: bool,
    /// One JSON object a line.
    pub json: bool,
}

impl Options {
    /// From the command line.
    pub fn from_args() -> Self {
        let has = |flag: &str| std::env::args().skip(1).any(|arg| arg == flag);
        Self { quick: has("--quick"), json: has("--json") }
    }

    /// Prints a result.
    pub fn print(self, row: &Row) {
        if self.json {
            println!("{}", serde_json::to_string(row).expect("a row is plain data"));
            return;
        }
        let goal = match row.goal {
            Some(Goal::AtLeast(least)) => format!(">= {least}"),
            Some(Goal::AtMost(most)) => format!("<= {most}"),
            None => String::new(),
        };
        println!(
            "{:<10} {:<58} {:>14} {:>14} {:>7.2} ±{:>3.0}% {:>8} {:<5} vs {}",
            row.bench,
            row.metric,
            figure(row.ours),
            figure(row.theirs),
            row.ratio,
            row.spread * 50.0,
            goal,
            match row.holds {
                Some(true) => "holds",
                Some(false) => "MISSED",
                None => "",
            },
            row.peer,
        );
    }
}

fn figure(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

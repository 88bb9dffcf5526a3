//! Sides that do the same in turn, each time in another order; every ratio is of one turn.

use std::{collections::BTreeMap, io};

use crate::{
    Goal, Options, Row,
    side::{Figures, Side},
};

/// The name of our side.
pub const OURS: &str = "ours";

/// What is measured, and how many at once.
pub type Measured = (&'static str, usize);

/// What each side gave, a figure a turn.
pub type Results = BTreeMap<&'static str, Vec<Figures>>;

/// A comparison: our figure with a peer's, both of the same measurement.
#[derive(Debug)]
pub struct Compared {
    /// What is measured.
    pub measured: Measured,
    /// The row's words.
    pub metric: &'static str,
    /// The other side.
    pub peer: &'static str,
    /// Which figure of it.
    pub figure: fn(Figures) -> f64,
    /// What our figure, by theirs, is to reach.
    pub goal: Goal,
}

/// A row.
pub const fn row(
    measured: Measured,
    metric: &'static str,
    peer: &'static str,
    figure: fn(Figures) -> f64,
    goal: Goal,
) -> Compared {
    Compared { measured, metric, peer, figure, goal }
}

/// Measures and prints `rows`, in their order; `start` starts a side by its name. Gives what each measurement gave.
///
/// # Errors
/// When a side cannot be started, or ends.
pub fn compare(
    bench: &'static str,
    options: Options,
    rows: &[Compared],
    start: impl Fn(&str) -> io::Result<Side>,
) -> io::Result<BTreeMap<Measured, Results>> {
    let mut names = vec![OURS];
    let mut all: Vec<Measured> = Vec::new();
    for row in rows {
        if !names.contains(&row.peer) {
            names.push(row.peer);
        }
        if !all.contains(&row.measured) {
            all.push(row.measured);
        }
    }
    let mut sides = BTreeMap::new();
    for name in &names {
        sides.insert(*name, start(name)?);
    }
    // Short ones: a virtual machine's cores change their speed within seconds, and a ratio is of one turn.
    let (seconds, turns) = if options.quick { (0.5, 3) } else { (1.0, 15) };
    let mut gave = BTreeMap::new();
    for measured in all {
        let rows = || rows.iter().filter(|row| row.measured == measured);
        let mut taking_part: Vec<&'static str> =
            names.iter().copied().filter(|n| *n == OURS || rows().any(|r| r.peer == *n)).collect();
        let mut results = Results::new();
        let (what, at_once) = measured;
        for turn in 0..=turns {
            for name in &taking_part {
                let side = sides.get_mut(name).ok_or_else(|| io::Error::other("no such side"))?;
                // The first turn warms up: connections, caches, compilers.
                let figures = side.measure(what, at_once, if turn == 0 { 0.3 } else { seconds })?;
                if turn > 0 {
                    results.entry(name).or_default().push(figures);
                }
            }
            taking_part.rotate_left(1);
        }
        for row in rows() {
            let pairs: Vec<(f64, f64)> = results[OURS]
                .iter()
                .zip(&results[row.peer])
                .map(|(ours, theirs)| ((row.figure)(*ours), (row.figure)(*theirs)))
                .collect();
            options.print(&Row::new(bench, row.metric, &sides[row.peer].name, &pairs, row.goal));
        }
        gave.insert(measured, results);
    }
    Ok(gave)
}

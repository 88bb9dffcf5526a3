//! What is measured, in which order and with which goal (the list of the issue that asked for the package).

use std::{fs, io};

use serde_json::json;
use storycore_benches::{
    Goal, Options, Row, process,
    side::Figures,
    turns::{self, Compared, Measured, OURS, row},
};

use crate::side::Node;

const BENCH: &str = "node";
const KEY: &str = "a-key-for-the-bench-only";

const MANY: Measured = ("get", 64);
const ALONE: Measured = ("get", 1);
const PAGE: Measured = ("page", 1);
const PAGES: Measured = ("page", 16);

#[rustfmt::skip]
const COMPARED: [Compared; 7] = [
    row(MANY, "64 in flight, calls/s", "undici", Figures::rate, Goal::AtLeast(3.0)),
    row(MANY, "64 in flight, calls/s", "fetch", Figures::rate, Goal::AtLeast(18.0)),
    row(MANY, "64 in flight, calls/s", "openai", Figures::rate, Goal::AtLeast(20.0)),
    row(ALONE, "one at a time, calls/s", "undici", Figures::rate, Goal::AtLeast(1.3)),
    row(ALONE, "one at a time, calls/s", "fetch", Figures::rate, Goal::AtLeast(2.0)),
    row(PAGE, "page of 100, one at a time, pages/s", "undici", Figures::rate, Goal::AtLeast(1.5)),
    row(PAGES, "page of 100, 16 in flight, pages/s", "undici", Figures::rate, Goal::AtLeast(1.5)),
];

pub(crate) fn run(options: Options, node: &Node) -> io::Result<()> {
    let server = process::Server::this_binary(&["serve"])?;
    let url = server.ready.trim();
    let results = turns::compare(BENCH, options, &COMPARED, |name| node.start(name, url, KEY))?;
    let busy: Vec<(f64, f64)> =
        results[&MANY][OURS].iter().map(|figures| (figures.busy(), 0.5)).collect();
    let metric = "64 in flight, share of the time that the event loop is busy";
    options.print(&Row::new(BENCH, metric, "none", &busy, Goal::AtMost(1.0)));
    weight(options, node)?;
    memory(options, node, url)?;
    upload(options, node)
}

/// What the package takes before it does anything.
fn weight(options: Options, node: &Node) -> io::Result<()> {
    node.load()?; // The first one fills the system's file cache.
    let turns = if options.quick { 5 } else { 25 };
    let took: Vec<(f64, f64)> =
        (0..turns).map(|_| Ok((node.load()?, 10.0))).collect::<io::Result<_>>()?;
    options.print(&Row::new(BENCH, "require, ms", "none", &took, Goal::AtMost(1.0)));
    let megabytes = fs::metadata(&node.library)?.len() as f64 / 1e6;
    options.print(&Row::new(BENCH, ".node, MB", "none", &[(megabytes, 6.0)], Goal::AtMost(1.0)));
    Ok(())
}

/// Memory that stays where it was after very many calls that end badly.
fn memory(options: Options, node: &Node, url: &str) -> io::Result<()> {
    let calls = if options.quick { 20_000 } else { 100_000 };
    for (what, words) in [("failing", "rejected"), ("aborted", "aborted")] {
        let mut side = node.start_grown(OURS, url, KEY)?;
        let told = side.ask(&json!({"what": what, "calls": calls}))?;
        let more = told["mib"].as_f64().unwrap_or(f64::NAN);
        let metric = format!("{calls} {words} calls, MiB more than after a fifth");
        // What the allocators of V8 and of the system leave here and there; a leak of 100 bytes a call would be 8 MiB.
        options.print(&Row::new(BENCH, metric, "none", &[(more, 4.0)], Goal::AtMost(1.0)));
    }
    Ok(())
}

/// A large file: its memory, and whether the event loop notices.
fn upload(options: Options, node: &Node) -> io::Result<()> {
    let platform = process::Server::this_binary(&["platform"])?;
    let (url, key) =
        platform.ready.trim().split_once(' ').ok_or_else(|| io::Error::other("no address"))?;
    let mib: u64 = if options.quick { 128 } else { 1024 };
    let mut side = node.start(OURS, url, key)?;
    let went = side.ask(&json!({"what": "upload", "mib": mib}))?;
    let figure = |name: &str| went[name].as_f64().unwrap_or(f64::NAN);
    let metric = format!("upload of {mib} MiB, MiB more at the peak");
    // Buffers have 64 MiB by design, whatever the file's size; 8 are for all else.
    let more = figure("mib");
    options.print(&Row::new(BENCH, metric, "none", &[(more, 72.0)], Goal::AtMost(1.0)));
    let metric = format!("upload of {mib} MiB, event loop delay p99, ms");
    let delay = figure("p99");
    options.print(&Row::new(BENCH, metric, "none", &[(delay, 5.0)], Goal::AtMost(1.0)));
    let metric = format!("upload of {mib} MiB, s");
    options.print(&Row::told(BENCH, metric, "none", &[(figure("seconds"), 1.0)]));
    Ok(())
}

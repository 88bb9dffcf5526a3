//! What is measured, in which order and with which goal (the list of the issue that asked for the package).

use std::{fs, io, path::Path, time::Instant};

use serde_json::json;
use storycore_benches::{
    Goal, Options, Row, process,
    side::Figures,
    turns::{self, Compared, Measured, OURS, row},
};

use crate::side;

const BENCH: &str = "python";
const KEY: &str = "a-key-for-the-bench-only";

const ALONE: Measured = ("sync", 1);
const THREADS: Measured = ("sync", 16);
const ASYNC: Measured = ("async", 64);
const PAGE: Measured = ("page", 1);
const PAGE_READ: Measured = ("page_read", 1);

#[rustfmt::skip]
const COMPARED: [Compared; 12] = [
    row(ALONE, "sync, one thread, calls/s", "httpx_pydantic", Figures::rate, Goal::AtLeast(3.5)),
    row(ALONE, "sync, one thread, CPU µs a call", "httpx_pydantic", Figures::cpu_us, Goal::AtMost(1.0 / 6.0)),
    row(ALONE, "sync, one thread, calls/s", "pycurl_msgspec", Figures::rate, Goal::AtLeast(1.0)),
    row(ALONE, "sync, one thread, calls/s", "openai_sdk", Figures::rate, Goal::AtLeast(6.0)),
    row(THREADS, "sync, 16 threads, calls/s", "httpx_pydantic", Figures::rate, Goal::AtLeast(35.0)),
    row(THREADS, "sync, 16 threads, calls/s", "pycurl_msgspec", Figures::rate, Goal::AtLeast(3.0)),
    row(ASYNC, "async, 64 in flight, calls/s", "aiohttp_msgspec", Figures::rate, Goal::AtLeast(7.0)),
    row(ASYNC, "async, 64 in flight, µs of the loop's thread a call", "aiohttp_msgspec", Figures::own_thread_us, Goal::AtMost(0.08)),
    row(ASYNC, "async, 64 in flight, CPU µs a call, all threads", "aiohttp_msgspec", Figures::cpu_us, Goal::AtMost(1.0 / 3.0)),
    row(ASYNC, "async, 64 in flight, calls/s", "openai_sdk", Figures::rate, Goal::AtLeast(80.0)),
    row(PAGE, "page of 100, pages/s", "httpx_pydantic", Figures::rate, Goal::AtLeast(3.5)),
    row(PAGE_READ, "page of 100, every field read, pages/s", "httpx_pydantic", Figures::rate, Goal::AtLeast(2.5)),
];

pub(crate) fn run(options: Options, python: &Path, wheel: &Path) -> io::Result<()> {
    let server = process::Server::this_binary(&["serve"])?;
    let url = server.ready.trim();
    turns::compare(BENCH, options, &COMPARED, |name| side::start(python, name, url, KEY))?;
    imports(options, python)?;
    let megabytes = fs::metadata(wheel)?.len() as f64 / 1e6;
    options.print(&Row::new(BENCH, "wheel, MB", "none", &[(megabytes, 5.0)], Goal::AtMost(1.0)));
    memory(options, python, url)
}

/// What an import adds to an interpreter that does nothing.
fn imports(options: Options, python: &Path) -> io::Result<()> {
    let programs = ["pass", "import storycore", "import openai"];
    for program in programs {
        side::python(python, program)?; // Compiles what is compiled once.
    }
    let turns = if options.quick { 5 } else { 25 };
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        let mut took = [0.0; 3];
        for (program, took) in programs.iter().zip(&mut took) {
            let started = Instant::now();
            side::python(python, program)?;
            *took = started.elapsed().as_secs_f64() * 1e3;
        }
        let [bare, ours, openai] = took;
        alone.push((ours - bare, 8.0));
        beside.push((ours - bare, openai - bare));
    }
    let metric = "import, ms more than `python -c pass`";
    options.print(&Row::new(BENCH, metric, "none", &alone, Goal::AtMost(1.0)));
    options.print(&Row::new(BENCH, metric, "import openai", &beside, Goal::AtMost(0.1)));
    Ok(())
}

/// Memory that stays where it was: after very many errors, and while a large file goes up.
fn memory(options: Options, python: &Path, url: &str) -> io::Result<()> {
    let calls = if options.quick { 10_000 } else { 100_000 };
    for what in ["failing", "failing_async"] {
        let mut side = side::start(python, OURS, url, KEY)?;
        let more = side.ask(&json!({"what": what, "calls": calls}))?;
        let more = more["mib"].as_f64().unwrap_or(f64::NAN);
        let metric = format!("{calls} calls that fail ({what}), MiB more than after a tenth");
        options.print(&Row::new(BENCH, metric, "none", &[(more, 2.0)], Goal::AtMost(1.0)));
    }
    let platform = process::Server::this_binary(&["platform"])?;
    let (url, key) =
        platform.ready.trim().split_once(' ').ok_or_else(|| io::Error::other("no address"))?;
    let mib: u64 = if options.quick { 128 } else { 1024 };
    let mut side = side::start(python, OURS, url, key)?;
    let went = side.ask(&json!({"what": "upload", "mib": mib}))?;
    let more = went["mib"].as_f64().unwrap_or(f64::NAN);
    let metric = format!("upload of {mib} MiB, MiB more at the peak");
    // The client's own bound, in every language (docs/benchmarks.md, uploads).
    options.print(&Row::new(BENCH, metric, "none", &[(more, 48.0)], Goal::AtMost(1.0)));
    Ok(())
}

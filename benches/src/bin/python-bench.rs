//! The Python package beside what one would use instead: calls, CPU, time on the event loop's thread, pages, import, memory.
//! Each side is a process of its own (`benches/python/worker.py`) that measures what it is told to; they take turns. The
//! server is `fixed.rs`, on other cores than the clients; the upload goes to the local platform.
//!
//! Needs what `cargo xtask bench python` sets up: `STORYCORE_BENCH_SIDES`, a Python with all the sides installed, and
//! `STORYCORE_BENCH_WHEEL`, ours.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a bench is for")]

#[path = "python/rows.rs"]
mod rows;
#[path = "python/side.rs"]
mod side;

use std::{env, io, path::PathBuf, process::ExitCode};

use storycore_benches::{Options, servers};

fn main() -> ExitCode {
    let done = servers::asked_for().unwrap_or_else(|| measure(Options::from_args()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: Options) -> io::Result<()> {
    let needed = |name: &str| {
        env::var_os(name).map(PathBuf::from).ok_or_else(|| {
            io::Error::other(format!("{name} is not set: run it by `cargo xtask bench python`"))
        })
    };
    let python = needed("STORYCORE_BENCH_SIDES")?;
    let wheel = needed("STORYCORE_BENCH_WHEEL")?;
    rows::run(options, &python, &wheel)
}

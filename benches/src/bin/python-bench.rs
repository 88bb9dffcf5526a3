//! The Python package beside what one would use instead: calls, CPU, time on the event loop's thread, pages, import, memory.
//! Each side is a process of its own (`benches/python/worker.py`) that measures what it is told to; they take turns. The
//! server is `fixed.rs`, on other cores than the clients; the upload goes to the local platform.
//!
//! Needs what `cargo xtask bench python` sets up: `STORYCORE_BENCH_SIDES`, a Python with all the sides installed, and
//! `STORYCORE_BENCH_WHEEL`, ours.

#[path = "python/rows.rs"]
mod rows;
#[path = "python/side.rs"]
mod side;

use std::process::ExitCode;

use storycore_benches::servers::{self, told};

fn main() -> ExitCode {
    servers::run(|options| {
        let python = told("STORYCORE_BENCH_SIDES")?;
        let wheel = told("STORYCORE_BENCH_WHEEL")?;
        rows::run(options, &python, &wheel)
    })
}

//! The npm package beside what one would use instead: calls, pages, the event loop's time, loading, memory, a large upload.
//! Each side is a process of its own (`benches/node/worker.mjs`) that measures what it is told to; they take turns. The server
//! is `fixed.rs`, on other cores than the clients; the upload goes to the local platform.
//!
//! Needs what `cargo xtask bench node` sets up: `STORYCORE_BENCH_NODE_PEERS`, a folder with the peers in its `node_modules`, and
//! `STORYCORE_BENCH_NODE_LIBRARY`, the native library as it is shipped.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a bench is for")]

#[path = "node/rows.rs"]
mod rows;
#[path = "node/side.rs"]
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
            io::Error::other(format!("{name} is not set: run it by `cargo xtask bench node`"))
        })
    };
    let peers = needed("STORYCORE_BENCH_NODE_PEERS")?;
    let library = needed("STORYCORE_BENCH_NODE_LIBRARY")?;
    rows::run(options, &side::Node { peers, library })
}

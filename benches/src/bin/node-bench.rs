//! The npm package beside what one would use instead: calls, pages, the event loop's time, loading, memory, a large upload.
//! Each side is a process of its own (`benches/node/worker.mjs`) that measures what it is told to; they take turns. The server
//! is `fixed.rs`, on other cores than the clients; the upload goes to the local platform.
//!
//! Needs what `cargo xtask bench node` sets up: `STORYCORE_BENCH_NODE_PEERS`, a folder with the peers in its `node_modules`, and
//! `STORYCORE_BENCH_NODE_LIBRARY`, the native library as it is shipped.

#[path = "node/rows.rs"]
mod rows;
#[path = "node/side.rs"]
mod side;

use std::process::ExitCode;

use storycore_benches::servers::{self, told};

fn main() -> ExitCode {
    servers::run(|options| {
        let peers = told("STORYCORE_BENCH_NODE_PEERS")?;
        let library = told("STORYCORE_BENCH_NODE_LIBRARY")?;
        rows::run(options, &side::Node { peers, library })
    })
}

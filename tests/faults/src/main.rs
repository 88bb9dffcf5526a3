//! Uploads that cannot be lost, put to the test: a generator makes runs of a seed, each an upload with several faults at
//! random bytes; client and platform are processes of their own, and a proxy between them cuts, stalls and refuses.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a runner prints its results")]

mod client;
mod download;
mod http;
mod judge;
mod matrix;
mod plan;
mod proxy;
mod run;
mod script;
mod server;

use std::{io::Read as _, process::ExitCode};

use clap::Parser as _;

/// Uploads under faults.
#[derive(clap::Parser)]
enum Command {
    /// Runs the matrix, or one run of it.
    Run(matrix::Args),
    /// Uploads one file with the client, and says how that ended.
    Upload(client::Args),
    /// Downloads one asset with the client, and says how that ended.
    Download(download::Args),
    /// Serves a local platform.
    Serve(server::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(args) => matrix::matrix(args).await,
        Command::Upload(args) => client::run(args).await,
        Command::Download(args) => download::run(args).await,
        Command::Serve(args) => server::run(args).await.map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("storycore-faults: {error:#}");
        ExitCode::FAILURE
    })
}

/// Ends this process when its standard input ends: a runner that is killed leaves nothing behind.
fn leash() {
    std::thread::spawn(|| {
        let mut end = [0; 64];
        while std::io::stdin().read(&mut end).is_ok_and(|count| count > 0) {}
        std::process::exit(1);
    });
}

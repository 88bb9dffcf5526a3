//! `storycore`, the command line: reads the arguments, runs one command until it ends or a signal
//! ends it, and turns an error into one line on stderr. What the commands do is in their files.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

mod demo;
mod dev;
mod signals;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use signals::Interrupted;

/// The StoryCore platform on this machine.
#[derive(Parser)]
#[command(name = "storycore", version, disable_help_subcommand = true)]
enum Command {
    /// Run the platform until Ctrl-C.
    Dev(dev::Args),
    /// Do the main job on a film: upload it, process it, receive the webhook, download the result.
    Demo(demo::Args),
    #[command(hide = true)]
    DemoUpload(demo::large::Args),
}

fn main() -> ExitCode {
    let command = Command::parse(); // Exits with 2 on bad usage.
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start threads")),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Dev(args) => {
                log("warn,storycore_local=info");
                dev::run(args).await
            }
            Command::DemoUpload(args) => {
                log("error");
                demo::large::upload(args).await
            }
            Command::Demo(args) => {
                log("error");
                demo::run(args).await
            }
        }
    });
    // Work on blocking threads that outlives the command is not worth waiting for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Logs go to stderr, as much as `RUST_LOG` says, else `default`.
fn log(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// One line, whatever the causes contain. After a signal, the code by which shells know one.
fn fail(error: &anyhow::Error) -> ExitCode {
    let words = format!("{error:#}");
    eprintln!("error: {}", words.split_whitespace().collect::<Vec<_>>().join(" "));
    if error.is::<Interrupted>() { ExitCode::from(130) } else { ExitCode::FAILURE }
}

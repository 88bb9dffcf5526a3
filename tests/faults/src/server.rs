//! `serve`: the local platform in a process of its own, so that it can be killed. The line `READY URL KEY` says that it is up.

use std::{io::Write as _, path::PathBuf};

use anyhow::Result;
use storycore_local::Config;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where its data is.
    #[arg(long)]
    data: PathBuf,
}

/// Serves until it is killed, or until its standard input ends.
pub(crate) async fn run(args: Args) -> Result<()> {
    crate::leash();
    let running = storycore_local::start(Config::in_directory(args.data)).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "READY {} {}", running.url(), running.api_key())?;
    stdout.flush()?;
    std::future::pending().await
}

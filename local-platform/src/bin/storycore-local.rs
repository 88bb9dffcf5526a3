//! The platform alone in a process of its own, for programs that start and kill it, as the tests do: `storycore-local DIRECTORY`
//! prints `READY url key` and serves until its standard input ends. People use `storycore dev`.

use std::io::{Read as _, Write as _};

use storycore_local::{Config, start};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).ok_or("usage: storycore-local DIRECTORY")?;
    let running = start(Config::in_directory(directory)).await?;
    writeln!(std::io::stdout(), "READY {} {}", running.url(), running.api_key())?;
    // It ends with whoever started it, however that ended.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    running.shutdown().await;
    Ok(())
}

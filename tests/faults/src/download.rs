//! `download`: one asset, once, through the client's public surface, as a process of its own, so that it can be given a disk of its
//! own. It says on one line of JSON how that ended.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use serde_json::json;
use storycore::Client;

/// What `download` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the platform is.
    #[arg(long)]
    url: String,
    /// Its API key.
    #[arg(long, env = "STORYCORE_API_KEY", hide_env_values = true)]
    api_key: String,
    /// The asset's id.
    id: String,
    /// Where its content goes.
    to: PathBuf,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let client = Client::builder().base_url(args.url).api_key(args.api_key).build()?;
    let outcome = client.media().download(&args.id, &args.to).await;
    let folder = args.to.parent().unwrap_or(&args.to);
    let mut left: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        left.push(entry?.file_name().to_string_lossy().into_owned());
    }
    let said = match &outcome {
        Ok(asset) => json!({"downloaded": asset.id, "left": left}),
        Err(error) => {
            json!({"failed": error.kind().to_string(), "message": error.to_string(), "left": left})
        }
    };
    println!("{said}");
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

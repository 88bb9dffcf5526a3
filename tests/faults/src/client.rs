//! `upload`: one file, once, through the client's public surface. A process of its own, so that it can be killed; it says on
//! one line of JSON how it ended. It decides nothing: every failure is the client's own.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use storycore::{
    Client, Error,
    models::{Asset, UploadOptions},
    platform::{Platform, Resource},
    upload::{Journal, Uploaded},
};

/// What `upload` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the platform is.
    #[arg(long)]
    url: String,
    /// Its API key; without one, none is sent.
    #[arg(long, env = "STORYCORE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Below this path, such as /files, the platform has tus and nothing else.
    #[arg(long)]
    tus: Option<String>,
    /// The journal's file; without one, none is kept.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// The user's own journal.
    #[arg(long, conflicts_with = "journal")]
    user_journal: bool,
    /// Bytes of a chunk; without it, the client chooses.
    #[arg(long)]
    chunk_size: Option<u64>,
    /// The most requests side by side.
    #[arg(long, default_value_t = 16)]
    streams: usize,
    /// Smaller files go as one multipart request.
    #[arg(long)]
    multipart_below: Option<u64>,
    /// Sends no checksum of a chunk.
    #[arg(long)]
    no_checksums: bool,
    /// Failures in a row that are survived.
    #[arg(long)]
    retries: Option<u32>,
    /// Milliseconds without a byte after which a request is given up.
    #[arg(long)]
    stall_ms: Option<u64>,
    /// Milliseconds that one attempt of another request may take.
    #[arg(long)]
    attempt_ms: Option<u64>,
    /// Ends when its standard input does, so that it outlives no runner.
    #[arg(long)]
    leashed: bool,
    /// The file.
    file: PathBuf,
}

/// How it ended, as one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// The asset, and what it took.
    Uploaded { asset: Box<Asset>, sent: u64, failures: u32, restarts: Vec<String> },
    /// The client's error.
    Failed { kind: String, message: String, status: Option<u16>, is_retryable: bool },
}

impl From<Result<Uploaded, Error>> for Ended {
    fn from(outcome: Result<Uploaded, Error>) -> Self {
        match outcome {
            Ok(Uploaded { asset, sent, failures, restarts, .. }) => {
                Self::Uploaded { asset: Box::new(asset), sent, failures, restarts }
            }
            Err(error) => Self::Failed {
                kind: error.kind().to_string(),
                message: error.to_string(),
                status: error.status(),
                is_retryable: error.is_retryable(),
            },
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if args.leashed {
        crate::leash();
    }
    let ended = Ended::from(upload(args).await);
    println!("{}", serde_json::to_string(&ended)?);
    Ok(match ended {
        Ended::Uploaded { .. } => ExitCode::SUCCESS,
        Ended::Failed { .. } => ExitCode::FAILURE,
    })
}

async fn upload(args: Args) -> Result<Uploaded, Error> {
    let mut client = Client::builder().base_url(args.url);
    client = match args.api_key {
        Some(key) => client.api_key(key),
        None => client.anonymous(),
    };
    if let Some(path) = args.tus {
        client = client.platform(Platform::new("tus").resource(Resource::Uploads, path));
    }
    if let Some(ms) = args.attempt_ms {
        client = client.attempt_timeout(Duration::from_millis(ms));
    }
    let client = client.build()?;
    let journal = match args.journal {
        Some(path) => Journal::At(path),
        None if args.user_journal => Journal::User,
        None => Journal::Off,
    };
    let mut upload = client
        .media()
        .prepare_upload(args.file, UploadOptions::new("document"))
        .journal(journal)
        .max_streams(args.streams)
        .chunk_checksums(!args.no_checksums);
    if let Some(bytes) = args.chunk_size {
        upload = upload.chunk_size(bytes);
    }
    if let Some(bytes) = args.multipart_below {
        upload = upload.multipart_below(bytes);
    }
    if let Some(retries) = args.retries {
        upload = upload.retries(retries);
    }
    if let Some(ms) = args.stall_ms {
        upload = upload.stall_timeout(Duration::from_millis(ms));
    }
    upload.send().await
}

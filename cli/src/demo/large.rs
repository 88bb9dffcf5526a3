//! The demo's large file: a client process uploads it, is killed in the middle for real, and another process finishes
//! what it began. Both are this program, called as `storycore demo-upload`, which nobody else needs.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use storycore::{
    Client,
    models::{ListParams, UploadOptions},
    upload::Journal,
};
use storycore_local::Running;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::screen::Screen;

const MIB: u64 = 1024 * 1024;
const SIZE: u64 = 256 * MIB;
/// Where the first process is killed, in hundredths.
const KILLED_AT: u64 = 45;
const KEY: &str = "STORYCORE_API_KEY";

/// What `storycore demo-upload` takes; the key is in the environment, where `ps` does not show it.
#[derive(clap::Args)]
pub(crate) struct Args {
    url: String,
    file: PathBuf,
    journal: PathBuf,
}

/// What it says, a line at a time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// Bytes that the platform has.
    Acknowledged(u64),
    Done {
        asset: String,
        sha256: String,
        sent: u64,
    },
}

/// A folder that goes with the demo, however that ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Uploads a large file, kills it, resumes it.
pub(crate) async fn show(
    client: &Client,
    platform: &Running,
    out: &Path,
    screen: &Screen,
) -> Result<()> {
    let folder = Folder(out.join(format!(".large-{}", std::process::id())));
    std::fs::create_dir(&folder.0).context("cannot make a folder for the large file")?;
    let file = folder.0.join("large.bin");
    let to = file.clone();
    tokio::task::spawn_blocking(move || make(&to)).await?.context("cannot make a large file")?;
    screen.say(&format!("large file {} MiB, uploaded by a process of its own", SIZE / MIB));

    let mut uploading = Uploading::start(platform, &folder.0, &file)?;
    let mut progress = screen.progress("large upload");
    let mut arrived = 0;
    while arrived * 100 < SIZE * KILLED_AT {
        match uploading.next().await? {
            Said::Acknowledged(bytes) => arrived = bytes,
            Said::Done { .. } => {
                bail!("the large file was there before its upload could be killed")
            }
        }
        progress.at(arrived * 100 / SIZE);
    }
    drop(progress);
    uploading.child.kill().await.context("cannot kill the uploading process")?;
    screen.say(&format!(
        "killed     that process (SIGKILL), with {} of {} MiB acknowledged",
        arrived / MIB,
        SIZE / MIB
    ));

    screen.say("again      by another process, which asks the platform what has arrived and sends the rest");
    let mut uploading = Uploading::start(platform, &folder.0, &file)?;
    let mut progress = screen.progress("large upload, resumed");
    let (asset, sha256, sent) = loop {
        match uploading.next().await? {
            Said::Acknowledged(bytes) => progress.at(bytes * 100 / SIZE),
            Said::Done { asset, sha256, sent } => break (asset, sha256, sent),
        }
    };
    drop(progress);
    uploading.child.wait().await?;
    let kept = SIZE.saturating_sub(sent);
    screen.say(&format!(
        "resumed    {} MiB were kept, {} MiB sent",
        kept / MIB,
        sent.div_ceil(MIB)
    ));
    let found = ListParams::new().filter("type", "document");
    let found = client.media().items(found).collect().await?;
    if found.len() != 1 || found[0].id != asset {
        bail!("{} assets came of one large file", found.len());
    }
    screen.say(&format!(
        "           it is {asset}, one asset, sha256 {}… as the file's",
        &sha256[..12]
    ));
    Ok(())
}

/// A file that no part of repeats another.
fn make(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    let mut block: Vec<u8> = (0..=255).cycle().take(MIB as usize).collect();
    for number in 0..SIZE / MIB {
        block[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&block)?;
    }
    Ok(())
}

/// A process that uploads.
struct Uploading {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Uploading {
    fn start(platform: &Running, folder: &Path, file: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["demo-upload", platform.url()])
            .args([file, &folder.join("journal.sqlite3")])
            .env(KEY, platform.api_key())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a process that uploads")?;
        let stdout = child.stdout.take().context("the process has no standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    async fn next(&mut self) -> Result<Said> {
        match self.lines.next_line().await? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!("the uploading process ended with {}", self.child.wait().await?),
        }
    }
}

/// The uploading process.
pub(crate) async fn upload(args: Args) -> Result<()> {
    let key = std::env::var(KEY).with_context(|| format!("{KEY} is not set"))?;
    let client = Client::builder().base_url(args.url).api_key(key).build()?;
    let upload = client
        .media()
        .prepare_upload(args.file, UploadOptions::new("document"))
        .journal(Journal::At(args.journal))
        // Smaller than a file of this size would have: a crash costs what was under way of each stream.
        .chunk_size(4 * MIB)
        .on_progress(|progress| say(&Said::Acknowledged(progress.acknowledged)));
    let done = upload.send().await?;
    let sha256 = done.asset.sha256.context("the asset has no sha256")?;
    say(&Said::Done { asset: done.asset.id.to_string(), sha256, sent: done.sent });
    Ok(())
}

fn say(what: &Said) {
    let line = serde_json::to_string(what).expect("it is plain data");
    // Who does not listen any more has ended.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

//! One run of ffmpeg: started, followed, ended.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader},
    process::Command,
};
use tokio_util::sync::CancellationToken;

use super::{INPUT, Programs, SAFE_INPUT, Task};

/// The end of what ffmpeg said that is kept while it runs.
const SAID: usize = 16 * 1024;
/// Lines of it that tell why it failed, and their length.
const LINES: usize = 4;
const LENGTH: usize = 1_000;

/// Why a run failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// ffmpeg's own words.
    Words(String),
    /// It could not be run.
    System(std::io::Error),
    /// It was told to end, and has.
    Cancelled,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

/// Does `task` on the [`INPUT`] in `folder`, and returns the path of what came out. `progress` hears the share that is
/// done, from 0 to 1, about ten times a second, where `duration_s` is known.
pub(crate) async fn run(
    programs: &Programs,
    task: &Task,
    folder: &Path,
    duration_s: Option<f64>,
    cancel: &CancellationToken,
    mut progress: impl FnMut(f64),
) -> Result<PathBuf, Failure> {
    let output = folder.join("output").with_extension(task.extension());
    let mut child = Command::new(&programs.ffmpeg)
        .current_dir(folder)
        .args(["-hide_banner", "-nostdin", "-y", "-v", "error"])
        .args(["-progress", "pipe:1", "-stats_period", "0.1"])
        .args(task.before_input(duration_s))
        .args(SAFE_INPUT)
        .args(["-i", INPUT])
        .args(task.after_input())
        .arg(output.file_name().unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let follow = async {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(done_us) = line.strip_prefix("out_time_us=")
                && let (Ok(done_us), Some(whole)) = (done_us.parse::<i64>(), duration_s)
            {
                progress((done_us.max(0) as f64 / 1e6 / whole).min(1.0));
            }
        }
    };
    let end = async {
        tokio::select! {
            status = child.wait() => return status.map_err(Failure::from),
            () = cancel.cancelled() => {}
        }
        // Gone when this returns: the folder that it writes to is removed next.
        child.kill().await?;
        Err(Failure::Cancelled)
    };
    let (status, said, ()) = tokio::join!(end, last_words(stderr), follow);
    let status = status?;
    if !status.success() {
        return Err(Failure::Words(words(&said, status)));
    }
    match tokio::fs::metadata(&output).await {
        Ok(made) if made.len() > 0 => Ok(output),
        _ if said.trim().is_empty() => {
            Err(Failure::Words("ffmpeg found nothing to put into the output".to_owned()))
        }
        _ => Err(Failure::Words(words(&said, status))),
    }
}

/// The end of what the child says; its beginning is let go, however much it says.
async fn last_words(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut said = Vec::new();
    let mut block = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut block).await {
        said.extend_from_slice(&block[..read]);
        if said.len() > 2 * SAID {
            said.drain(..said.len() - SAID);
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// The last lines, which say why it failed, without the addresses in ffmpeg's memory that stand before them.
pub(super) fn words(said: &str, status: ExitStatus) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in said.lines().map(|line| plain(line.trim())).filter(|line| !line.is_empty()) {
        if lines.last().is_none_or(|last| last != line) {
            lines.push(line.to_owned());
        }
    }
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    let text: String = lines.join("\n").chars().take(LENGTH).collect();
    if text.is_empty() { format!("ffmpeg ended with {status} and said nothing") } else { text }
}

/// `[mov,mp4 @ 0x55d0c8] moov atom not found` without its first word.
fn plain(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((context, rest)) if context.contains(" @ 0x") => rest,
        _ => line,
    }
}

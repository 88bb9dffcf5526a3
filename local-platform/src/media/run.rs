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

/// The beginning and the end of what ffmpeg said that are kept while it runs.
const BEGAN: usize = 4 * 1024;
const SAID: usize = 16 * 1024;
/// Lines of it that tell why it failed: what it met with first, and how that ended. Their length.
const FIRST: usize = 2;
const LAST: usize = 4;
const LENGTH: usize = 1_000;
/// Lines that tell nothing: the first two are said by each of its threads, from ffmpeg 7 on, whatever they end for.
const EMPTY: [&str; 3] = [
    "Task finished with error code",
    "Terminating thread with return code",
    "Last message repeated",
];

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
    let (status, said, ()) = tokio::join!(end, what_it_says(stderr), follow);
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

/// What the child says, without the middle of it where that is much.
async fn what_it_says(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut said = Vec::new();
    let mut block = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut block).await {
        said.extend_from_slice(&block[..read]);
        if said.len() > 2 * SAID {
            said.drain(BEGAN..said.len() - SAID);
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Why it failed: the first lines mostly name the cause, the last ones what came of it. Without the addresses in ffmpeg's memory that
/// stand before them.
pub(super) fn words(said: &str, status: ExitStatus) -> String {
    let all = || said.lines().map(|line| plain(line.trim())).filter(|line| !line.is_empty());
    let names_a_cause = |line: &&str| !EMPTY.iter().any(|empty| line.starts_with(empty));
    let mut lines: Vec<&str> = all().filter(names_a_cause).collect();
    if lines.is_empty() {
        // They are more than nothing.
        lines = all().collect();
    }
    lines.dedup();
    if lines.len() > FIRST + LAST {
        lines.splice(FIRST..lines.len() - LAST, ["…"]);
    }
    let text: String = lines.join("\n").chars().take(LENGTH).collect();
    if text.is_empty() { format!("ffmpeg ended with {status} and said nothing") } else { text }
}

/// `[vost#0:0/png @ 0x55a6d0] [enc:png @ 0x55a6cf] Could not open encoder` without the words in brackets.
fn plain(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((context, rest)) if context.contains(" @ 0x") => plain(rest),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ffmpeg 7.0 says at `-v error`, each time of a real file.
    #[test]
    fn the_line_that_names_the_cause_is_among_the_words() {
        let failed = ExitStatus::default();
        let silent = "Stream map '0:a:0' matches no streams.
To ignore this, add a trailing '?' to the map.
Failed to set value '0:a:0' for option 'map': Invalid argument
Error parsing options for output file output.mp3.
Error opening output files: Invalid argument
";
        assert_eq!(words(silent, failed), silent.trim_end());
        let huge = "[libx264 @ 0x2e835280] [IMGUTILS @ 0x7fe133c56300] Picture size 40000x40000 is invalid
[vost#0:0/libx264 @ 0x2e873a80] Error while opening encoder - maybe incorrect parameters such as bit_rate, rate, width or height.
[vf#0:0 @ 0x2e8c6300] Error sending frames to consumers: Invalid argument
[vf#0:0 @ 0x2e8c6300] Task finished with error code: -22 (Invalid argument)
[vf#0:0 @ 0x2e8c6300] Terminating thread with return code -22 (Invalid argument)
[vost#0:0/libx264 @ 0x2e873a80] Could not open encoder before EOF
[vost#0:0/libx264 @ 0x2e873a80] Task finished with error code: -22 (Invalid argument)
[vost#0:0/libx264 @ 0x2e873a80] Terminating thread with return code -22 (Invalid argument)
[out#0/mp4 @ 0x2e865cc0] Nothing was written into output file, because at least one of its streams received no packets.
";
        assert_eq!(
            words(huge, failed),
            "Picture size 40000x40000 is invalid
Error while opening encoder - maybe incorrect parameters such as bit_rate, rate, width or height.
Error sending frames to consumers: Invalid argument
Could not open encoder before EOF
Nothing was written into output file, because at least one of its streams received no packets."
        );
    }

    #[test]
    fn where_nothing_else_is_said_the_lines_without_a_cause_are_told() {
        let said = "[vf#0:0 @ 0x2e8c6300] Task finished with error code: -22 (Invalid argument)\n";
        let expected = "Task finished with error code: -22 (Invalid argument)";
        assert_eq!(words(said, ExitStatus::default()), expected);
    }

    #[tokio::test]
    async fn of_much_that_is_said_the_beginning_and_the_end_are_told() {
        let mut said = "Invalid NAL unit size (0 > 4584).\nmissing picture\n".to_owned();
        for n in 0..10_000 {
            said += &format!("[h264 @ 0x4033f580] error {n}\n");
        }
        let kept = what_it_says(Some(said.as_bytes())).await;
        assert!(kept.len() <= BEGAN + 2 * SAID, "{} bytes", kept.len());
        let expected = "Invalid NAL unit size (0 > 4584).\nmissing picture\n…\nerror 9996\nerror 9997\nerror 9998\nerror 9999";
        assert_eq!(words(&kept, ExitStatus::default()), expected);
    }
}

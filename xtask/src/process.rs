//! Running other programs: each line goes to a listener as it comes, and they are ended when they take too long.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long after a program's end its output may stay open. Longer means that it left a process
/// behind that holds the pipe.
const DRAIN: Duration = Duration::from_secs(5);

/// Where cargo keeps crates on this machine.
pub(crate) fn cargo_home() -> Result<std::path::PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return std::path::absolute(home).context("CARGO_HOME");
    }
    Ok(std::env::home_dir().context("there is no CARGO_HOME and no home")?.join(".cargo"))
}

/// `cargo`, as [`building`] runs it.
pub(crate) fn cargo() -> Command {
    building(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that is or runs cargo, without what the `cargo run` around this process has set for xtask itself: build
/// scripts that watch those variables would otherwise be run again at each change of caller.
pub(crate) fn building(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let own = name.to_string_lossy();
        if own.starts_with("CARGO_PKG_")
            || own.starts_with("CARGO_MANIFEST_")
            || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"].contains(&&*own)
            // Of `.cargo/config.toml`, which the other cargo reads by itself: from here it would outdo `--config`.
            || own == "LIBSQLITE3_FLAGS"
        {
            command.env_remove(&name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs `command` without input. Its output and errors, in one stream as they come, go to `line`.
///
/// # Errors
/// When it cannot be started, outlives `deadline` (it is killed) or leaves a process behind.
pub(crate) fn listen(
    command: Command,
    deadline: Duration,
    line: impl FnMut(&str),
) -> Result<ExitStatus> {
    listen_until(command, deadline, DRAIN, line)
}

fn listen_until(
    mut command: Command,
    deadline: Duration,
    drain: Duration,
    mut line: impl FnMut(&str),
) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = Reaped(command.spawn().with_context(|| format!("cannot start {name}"))?);
    drop(command); // It holds the writing end, and the reader below waits for the last one.

    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.send((Instant::now(), text)).is_err() {
                break;
            }
        }
    });

    let end = Instant::now() + deadline;
    let mut exited: Option<(ExitStatus, Instant)> = None;
    loop {
        let is_left_behind = match lines.recv_timeout(Duration::from_millis(50)) {
            Ok((read, text)) => {
                line(&text);
                // When it was read counts: the listener may be slow to take what was said before the end.
                exited.is_some_and(|(_, since)| read > since + drain)
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                exited.is_some_and(|(_, since)| since.elapsed() > drain)
            }
        };
        if is_left_behind {
            bail!("{name} ended and left a process behind that holds its output");
        }
        if exited.is_none() {
            exited = child.0.try_wait()?.map(|status| (status, Instant::now()));
        }
        if exited.is_none() && Instant::now() > end {
            bail!("{name} was still running after {} s and was stopped", deadline.as_secs());
        }
    }
    match exited {
        Some((status, _)) => Ok(status),
        None => Ok(child.0.wait()?),
    }
}

/// Runs `command` for its output; what it says on stderr becomes the error when it fails.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {name}, is it installed?"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, words.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A child that does not outlive its owner, whatever way the owner ends.
pub(crate) struct Reaped(pub(crate) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_heard_in_order_and_the_status_is_kept() {
        let mut heard = Vec::new();
        let status = listen(
            shell("echo one; echo two >&2; printf three; exit 3"),
            Duration::from_secs(30),
            |line| heard.push(line.to_owned()),
        );
        assert_eq!(heard, ["one", "two", "three"]);
        assert_eq!(status.unwrap().code(), Some(3));
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let error = listen(shell("exec sleep 600"), Duration::from_millis(200), |_| {});
        assert!(error.unwrap_err().to_string().contains("still running"));
    }

    #[test]
    fn a_process_left_behind_is_noticed() {
        let mut pid = String::new();
        let result = listen(shell("sleep 600 & echo $!"), Duration::from_secs(60), |line| {
            pid = line.to_owned();
        });
        let mut kill = Command::new("kill");
        kill.arg(&pid);
        output(kill).unwrap();
        assert!(result.unwrap_err().to_string().contains("left a process behind"));
    }

    #[test]
    fn a_process_left_behind_is_noticed_though_it_goes_on_speaking() {
        // It ends by itself, as nobody reads any more; the count is for when it does not.
        let chatter = "for i in $(seq 200); do echo $i; sleep 0.05; done &";
        let drain = Duration::from_millis(400);
        let result = listen_until(shell(chatter), Duration::from_secs(60), drain, |_| {});
        assert!(result.unwrap_err().to_string().contains("left a process behind"));
    }

    #[test]
    fn a_listener_may_be_slower_than_the_program() {
        // The reader has so long to read what there is when a busy machine lets it.
        let (mut heard, drain) = (0, Duration::from_secs(2));
        let status = listen_until(shell("seq 12"), Duration::from_secs(60), drain, |_| {
            std::thread::sleep(drain / 8);
            heard += 1;
        });
        assert!(status.unwrap().success());
        assert_eq!(heard, 12);
    }
}

//! Nothing that a command started outlives it, however it ends. The command runs in a second process of this program; each of
//! the two sees the other end, and ends whatever was started below it. What has lost its parent on the way stays below
//! them, which Linux alone can do: elsewhere the command runs as it is.

use std::{
    io::Read as _,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// The first argument of the second process, and what it becomes when the first has ended.
pub(crate) const WITHIN: &str = "--within";
pub(crate) const END: &str = "--end";
/// How long a process may take to end by itself when it is told to.
const BY_ITSELF: Duration = Duration::from_secs(3);
/// How long it is looked for those that do not end even when they are killed.
const KILLED: Duration = Duration::from_secs(10);

/// Runs this program with `args` in a second process, and gives its exit code.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn around(args: &[String]) -> Result<ExitCode> {
    keep_orphans()?;
    let program = std::env::current_exe().context("this program")?;
    let mut second = Command::new(program);
    // Its input ends with this process, even one that was killed. A group of its own: a terminal's ^C ends this process alone,
    // and the second one has the time to end the rest.
    second.arg(WITHIN).args(args).stdin(Stdio::piped()).process_group(0);
    let mut second = second.spawn().context("the second process of xtask")?;
    let input = second.stdin.take();
    let status = second.wait();
    drop(input);
    end_all();
    let code = status?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Makes this the second process, which ends with the first.
///
/// # Errors
/// When the system does not let it keep what has lost its parent.
pub(crate) fn within() -> Result<()> {
    keep_orphans()?;
    std::thread::spawn(|| {
        // Nothing is ever written there.
        let _ = std::io::stdin().read(&mut [0]);
        // The same process with the same ones below it, and without the thread that would start the next.
        let failed = Command::new("/proc/self/exe").arg(END).exec();
        eprintln!("xtask: what was started cannot be ended: {failed}");
        std::process::exit(1);
    });
    Ok(())
}

/// From now on a process below this one that loses its parent has this one as its parent.
fn keep_orphans() -> Result<()> {
    let me = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(me)).context("PR_SET_CHILD_SUBREAPER")
}

/// Ends every process below this one: tells them to, and kills those that do not.
pub(crate) fn end_all() {
    use rustix::process::Signal;
    let start = Instant::now();
    let mut told = Vec::new();
    while start.elapsed() < BY_ITSELF + KILLED {
        let below = below(std::process::id());
        if below.is_empty() {
            return;
        }
        let signal = if start.elapsed() < BY_ITSELF { Signal::TERM } else { Signal::KILL };
        for id in below {
            if told.contains(&(id, signal)) {
                continue;
            }
            told.push((id, signal));
            let id = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw);
            // One that has just ended is as good.
            let _ = id.map(|id| rustix::process::kill_process(id, signal));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    for id in below(std::process::id()) {
        eprintln!("xtask: process {id} could not be ended");
    }
}

/// The processes below one, without those that have ended and that nobody has asked about yet.
fn below(top: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| {
            Some((id, parent(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?))
        })
        .collect();
    let mut below = vec![top];
    let mut next = 0;
    while let Some(&one) = below.get(next) {
        below.extend(all.iter().filter(|(_, parent)| *parent == one).map(|(id, _)| *id));
        next += 1;
    }
    below.remove(0);
    below
}

/// The parent in a line of `/proc/ID/stat`: `12 (a name) S 7 …`. Nothing for a process that has ended.
fn parent(stat: &str) -> Option<u32> {
    // The name may hold anything, brackets too.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_below_its_parent_until_it_has_ended() {
        assert_eq!(parent("12 (a) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (a) b (c) R 7 12"), Some(7));
        assert_eq!(parent("12 (a) Z 7 12 12 0"), None);
        let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(below(std::process::id()).contains(&sleep.id()));
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(!below(std::process::id()).contains(&sleep.id()));
    }
}

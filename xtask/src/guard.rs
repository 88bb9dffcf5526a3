//! Nothing that a command started outlives it, however it ends. The command runs in a third process of this program: the first
//! two see each other's end and the command's, and end whatever was started below them. What has lost its parent on the way
//! stays below the second, which Linux alone can do: elsewhere the command runs as it is.

use std::{
    io::Read as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// The first argument of the second process, and that of the third.
pub(crate) const WITHIN: &str = "--within";
pub(crate) const PERFORM: &str = "--perform";
/// How long a process may take to end by itself when it is told to.
const BY_ITSELF: Duration = Duration::from_secs(3);
/// How long it is looked for those that do not end even when they are killed.
const KILLED: Duration = Duration::from_secs(10);

/// Runs this program with `args` in a third process, and gives its exit code.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn around(args: &[String]) -> Result<ExitCode> {
    let mut second = this_program(WITHIN, args)?;
    // Its input ends with this process, even one that was killed. A group of its own: a terminal's ^C ends this process alone,
    // and the second one has the time to end the rest.
    let second = start(second.stdin(Stdio::piped()).process_group(0))?;
    to_its_end(&second)
}

/// Is the second process, which ends with the first.
///
/// # Errors
/// When it cannot start the third.
pub(crate) fn within(args: &[String]) -> Result<ExitCode> {
    // What reads its input is to see the end of it.
    let third = start(this_program(PERFORM, args)?.stdin(Stdio::null()))?;
    std::thread::spawn(|| {
        // Nothing is ever written there, and an interruption is not its end.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        // The third, too, and so this one.
        end_all();
    });
    to_its_end(&third)
}

fn this_program(what: &str, args: &[String]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program")?);
    command.arg(what).args(args);
    Ok(command)
}

fn start(command: &mut Command) -> Result<Child> {
    keep_orphans()?;
    command.spawn().context("the next process of xtask")
}

/// Waits for the one process that this one started, and then ends what is left below it.
fn to_its_end(started: &Child) -> Result<ExitCode> {
    let code = wait_for(started);
    end_all();
    Ok(code?.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Waits for a process and gives its exit code, if it has one. Meanwhile each orphan that ends is waited for, too: it would be
/// kept as a zombie for as long as this process runs, which may be hours.
fn wait_for(process: &Child) -> Result<Option<u8>> {
    use rustix::process::{WaitOptions, wait};
    loop {
        let ended = rustix::io::retry_on_intr(|| wait(WaitOptions::empty()));
        let Some((id, status)) = ended.context("waiting for a process")? else { continue };
        if u32::try_from(id.as_raw_nonzero().get()).is_ok_and(|id| id == process.id()) {
            return Ok(status.exit_status().and_then(|code| u8::try_from(code).ok()));
        }
    }
}

/// From now on a process below this one that loses its parent has this one as its parent.
fn keep_orphans() -> Result<()> {
    let me = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(me)).context("PR_SET_CHILD_SUBREAPER")
}

/// Ends every process below this one: tells them to, and kills those that do not.
fn end_all() {
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

//! xtask is ended from outside, and with it everything that it started.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine: it is there for what hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// What xtask takes for cargo: it notes what its parent has for input, starts a process whose parent ends, another such that ends soon
/// itself, one in a session of its own, one that does not listen to being told to end, and waits. Each writes its id down.
const CARGO: &str = "#!/bin/sh
cd FOLDER; exec > /dev/null 2>&1
readlink /proc/$PPID/fd/0 > input
sh -c 'sleep 600 & echo $! > orphan.part; mv orphan.part orphan'
sh -c 'sleep 0.2 & echo $! > brief.part; mv brief.part brief'
setsid sh -c 'echo $$ > session.part; mv session.part session; exec sleep 600' &
sh -c 'trap \"\" TERM INT; echo $$ > deaf.part; mv deaf.part deaf; while :; do sleep 1; done' &
echo $$ > cargo.part; mv cargo.part cargo
wait
";
const STARTED: [&str; 4] = ["orphan", "session", "deaf", "cargo"];

/// xtask at work on that; all of it is killed when a test fails.
struct Running {
    xtask: Child,
    folder: PathBuf,
    started: Vec<u32>,
}

impl Running {
    fn start(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ended-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let cargo = folder.join("cargo.sh");
        let text = CARGO.replace("FOLDER", &format!("'{}'", folder.display()));
        // By a process of its own: what another test starts while this one writes has the file open for writing, too, and
        // what anybody has open for writing cannot be run.
        let write = ["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", &text];
        let written = Command::new("sh").args(write).arg(&cargo).status().unwrap();
        assert!(written.success());
        // What a shell starts in the background ignores ^C, and so would xtask.
        let mut xtask = Command::new("env");
        xtask.args(["--default-signal=INT", env!("CARGO_BIN_EXE_xtask")]);
        xtask.args(["test", "core"]).env("CARGO", cargo);
        xtask.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // As a shell starts it at a terminal.
        xtask.process_group(0);
        let xtask = xtask.spawn().unwrap();
        let mut running = Self { xtask, folder, started: Vec::new() };
        for name in STARTED {
            let id = running.id_of(name);
            running.started.push(id);
            assert!(is_running(id), "{name}");
        }
        running
    }

    fn id_of(&self, name: &str) -> u32 {
        let file = self.folder.join(name);
        eventually(&format!("{name} is not started"), || file.exists());
        std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    fn signal(&self, signal: &str) {
        send(signal, &self.xtask.id().to_string());
    }

    /// How xtask ended.
    fn status(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("xtask still runs", || {
            status = self.xtask.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn all_end(&mut self) {
        for (id, name) in self.started.iter().zip(STARTED) {
            eventually(&format!("{name} still runs"), || !is_running(*id));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.xtask.kill();
        let _ = self.xtask.wait();
        for id in self.started.iter().filter(|id| is_running(**id)) {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn send(signal: &str, to: &str) {
    assert!(Command::new("kill").args([signal, "--", to]).status().unwrap().success());
}

fn is_running(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

#[track_caller]
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn told_to_end_it_ends_what_it_started() {
    for (signal, number) in [("-TERM", 15), ("-INT", 2)] {
        let mut running = Running::start(signal);
        running.signal(signal);
        assert_eq!(running.status().signal(), Some(number));
        running.all_end();
    }
}

#[test]
fn told_to_end_by_a_terminal_it_ends_what_it_started() {
    let mut running = Running::start("terminal");
    // ^C is for all of the group.
    send("-INT", &format!("-{}", running.xtask.id()));
    assert_eq!(running.status().signal(), Some(2));
    running.all_end();
}

#[test]
fn what_it_starts_has_nothing_to_read() {
    let running = Running::start("input");
    // Of a pipe that nobody writes to it would wait for the end.
    let input = std::fs::read_to_string(running.folder.join("input"));
    assert_eq!(input.unwrap(), "/dev/null\n");
}

#[test]
fn an_orphan_that_ends_is_not_kept() {
    let running = Running::start("brief");
    let brief = Path::new("/proc").join(running.id_of("brief").to_string());
    eventually("it is a zombie", || !brief.exists());
}

#[test]
fn killed_it_ends_what_it_started() {
    let mut running = Running::start("kill");
    running.signal("-KILL");
    running.status();
    running.all_end();
}

#[test]
fn what_it_started_ends_with_a_command_that_fails() {
    let mut running = Running::start("fails");
    // Its cargo, which it waits for.
    send("-KILL", &running.started[STARTED.len() - 1].to_string());
    running.all_end();
    assert_eq!(running.status().code(), Some(1));
}

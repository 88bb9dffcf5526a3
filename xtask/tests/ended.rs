//! xtask is ended from outside, and with it everything that it started.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine: it is there for what hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// What xtask takes for cargo: it starts a process whose parent ends, one in a session of its own, one that does not listen to
/// being told to end, and waits. Each writes its id down.
const CARGO: &str = "#!/bin/sh
cd FOLDER; exec > /dev/null 2>&1
sh -c 'sleep 600 & echo $! > orphan.part; mv orphan.part orphan'
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
        std::fs::write(&cargo, text).unwrap();
        std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(["test", "core"]).env("CARGO", cargo);
        xtask.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let xtask = xtask.spawn().unwrap();
        let mut running = Self { xtask, folder, started: Vec::new() };
        for name in STARTED {
            let file = running.folder.join(name);
            eventually(&format!("{name} is not started"), || file.exists());
            let id = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
            running.started.push(id);
            assert!(is_running(id), "{name}");
        }
        running
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.xtask.id().to_string()]).status();
        assert!(sent.unwrap().success());
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

fn is_running(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}

#[track_caller]
fn eventually(what: &str, done: impl Fn() -> bool) {
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
        assert_eq!(running.xtask.wait().unwrap().signal(), Some(number));
        running.all_end();
    }
}

#[test]
fn killed_it_ends_what_it_started() {
    let mut running = Running::start("kill");
    running.signal("-KILL");
    running.xtask.wait().unwrap();
    running.all_end();
}

#[test]
fn what_it_started_ends_with_a_command_that_fails() {
    let mut running = Running::start("fails");
    // Its cargo, which it waits for.
    let cargo = running.started[STARTED.len() - 1].to_string();
    assert!(Command::new("kill").args(["-KILL", &cargo]).status().unwrap().success());
    running.all_end();
    assert_eq!(running.xtask.wait().unwrap().code(), Some(1));
}

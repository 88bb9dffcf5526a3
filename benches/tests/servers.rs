//! The servers of a bench end with it, also when it is killed and can end nothing itself: else they would hold a core, or the
//! memory of gigabytes of files, while something else is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(missing_docs)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine: it is there for what hangs.
const LONG: Duration = Duration::from_secs(60);

/// What stands for a bench: it starts a server, which says its id first, and waits.
const BENCH: &str = r#"sh -c 'echo $$; exec "$@"' sh "$@" & wait"#;

/// Both of them, which end when this goes.
struct Running {
    bench: Child,
    /// Nothing once it has ended.
    server: Option<Pid>,
}

impl Running {
    /// A bench whose server is ready, and what that says.
    fn start(server: &[&str]) -> (Self, BufReader<ChildStdout>) {
        let mut bench = Command::new("sh")
            .args(["-c", BENCH, "sh", env!("CARGO_BIN_EXE_uploads")])
            .args(server)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(bench.stdout.take().unwrap());
        let mut running = Self { bench, server: None };
        let mut line = || {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            line
        };
        running.server = Pid::from_raw(line().trim().parse().unwrap());
        assert!(line().starts_with("http://"), "{server:?} is not ready");
        (running, said)
    }

    fn kill_bench(&mut self) {
        let _ = self.bench.kill();
        let _ = self.bench.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_bench();
        if let Some(server) = self.server {
            let _ = kill_process(server, Signal::KILL);
        }
    }
}

#[test]
fn the_servers_of_uploads_end_when_their_bench_is_killed() {
    for server in [&["platform"][..], &["sink"], &["shaper", "127.0.0.1:1"]] {
        let (mut running, mut said) = Running::start(server);
        running.kill_bench();
        let (ended, end) = mpsc::channel();
        // There is no more to read when nobody is left who could write.
        std::thread::spawn(move || ended.send(said.read_to_end(&mut Vec::new())));
        let end = end.recv_timeout(LONG);
        assert!(end.is_ok(), "{server:?} goes on without its bench");
        running.server = None;
    }
}

//! A platform in a process of its own, to be killed.

use super::little_disk::little_disk;
use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_storycore-local");

/// The process; killed when dropped. It ends by itself when this one does, with which its standard input ends.
pub struct Platform {
    pub url: String,
    pub key: String,
    child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Platform {
    /// Starts it with its data in `directory`.
    pub fn start(directory: &Path) -> Self {
        Self::start_under(&[], directory)
    }

    /// The same, started by another program: its own arguments, to which the platform's command is added.
    pub fn start_under(starter: &[&str], directory: &Path) -> Self {
        let command = starter.iter().chain([&PROGRAM]).map(OsStr::new);
        let words: Vec<&OsStr> = command.chain([directory.as_os_str()]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some((url, key)) =
            line.trim_end().strip_prefix("READY ").and_then(|l| l.split_once(' '))
        else {
            let _ = child.kill();
            panic!("the platform did not start: {:?}", child.wait());
        };
        Self { url: url.into(), key: key.into(), child, _stdout: stdout }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A path as the process has it, which may have file systems of its own.
    pub fn sees(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            println!("the platform had ended by itself: {status}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.end();
    }
}

/// What starts a program with a file system of 16 MiB at `directory`, for what a limit on each file does not show: it cannot
/// be lifted again. Tests that need one are named after it: where nobody may mount, `--skip own_disk` leaves them out, as
/// `cargo xtask test` does, with the reason in its table.
pub fn own_disk(directory: &Path) -> Vec<String> {
    let (starter, is_own) = little_disk(directory);
    assert!(is_own, "this system lets nobody mount: --skip own_disk");
    starter
}

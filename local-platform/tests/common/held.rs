//! The real ffmpeg, as slow as a test wants it: a run then ends when the test lets it, however fast or slow the machine is, and
//! its film can be so small that it costs next to nothing.

use std::{path::PathBuf, process::Command};

use tokio::net::unix::pipe;

use super::media::eventually;

/// An ffmpeg that holds every run, until it is let go.
pub struct Held {
    folder: tempfile::TempDir,
}

const PROGRAM: &str = "#!/bin/sh
if [ -p GATE ]; then : > BEGUN; read -r _ < GATE; fi
if [ -e PACE ]; then set -- $(cat PACE) \"$@\"; fi
exec ffmpeg \"$@\"
";

impl Held {
    /// It does not look at its input before it is let go.
    pub fn at_a_gate() -> Self {
        let held = Self::open();
        let made = Command::new("mkfifo").arg(held.path("gate")).status().unwrap();
        assert!(made.success());
        held
    }

    /// It takes as long as watching its input does.
    pub fn at_the_films_pace() -> Self {
        let held = Self::open();
        std::fs::write(held.path("pace"), "-re").unwrap();
        held
    }

    /// The same, over and over: ten minutes of a film of two seconds, which bounds a run that nobody is left to end.
    pub fn in_a_circle() -> Self {
        let held = Self::open();
        std::fs::write(held.path("pace"), "-re -stream_loop 300").unwrap();
        held
    }

    fn open() -> Self {
        let held = Self { folder: tempfile::tempdir().unwrap() };
        let mut text = PROGRAM.to_owned();
        for name in ["gate", "begun", "pace"] {
            let path = format!("'{}'", held.path(name).display());
            text = text.replace(&name.to_uppercase(), &path);
        }
        // By a process of its own: what another test starts while this one writes has the file open for writing, too, and
        // what anybody has open for writing cannot be run.
        let written = Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", &text])
            .arg(held.program())
            .status()
            .unwrap();
        assert!(written.success());
        held
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the platform is to run in place of ffmpeg.
    pub fn program(&self) -> PathBuf {
        self.path("ffmpeg")
    }

    /// Whether a run stands at the gate.
    pub fn has_begun(&self) -> bool {
        self.path("begun").exists()
    }

    /// Lets the run at the gate go on, and holds none that begins from now on.
    pub async fn let_go(&self) {
        let gate = self.path("gate");
        if !gate.exists() {
            return std::fs::remove_file(self.path("pace")).unwrap();
        }
        // Opened when the run has opened it, too: that it is closed then is what the run waits for.
        // This is refused until then, and does not wait as other opening does: a run that has died never opens it.
        let mut opened = None;
        eventually("no run opens the gate", || {
            opened = pipe::OpenOptions::new().open_sender(&gate).ok();
            opened.is_some()
        })
        .await;
        std::fs::remove_file(gate).unwrap();
        drop(opened);
    }
}

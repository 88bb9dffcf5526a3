//! The demo's own use of ffmpeg: making a clip when none is given, and playing the result to its
//! end. What the platform does with ffmpeg is the platform's.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// An ffmpeg, and the time spent in it.
pub(crate) struct Ffmpeg {
    program: PathBuf,
    spent: Mutex<Duration>,
}

impl Ffmpeg {
    /// The one that the platform will use too: `STORYCORE_FFMPEG`, then the one on the path.
    pub(crate) fn find() -> Self {
        let named = std::env::var_os("STORYCORE_FFMPEG").filter(|value| !value.is_empty());
        let program = named.map_or_else(|| PathBuf::from("ffmpeg"), PathBuf::from);
        Self { program, spent: Mutex::new(Duration::ZERO) }
    }

    /// How long all runs took together.
    pub(crate) fn spent(&self) -> Duration {
        *self.spent.lock().expect("nothing panics while it holds this lock")
    }

    /// Makes ten seconds of a moving test picture and a tone: H.264 and AAC in MP4.
    pub(crate) async fn make_clip(&self, to: &Path) -> Result<()> {
        let mut arguments = Vec::new();
        arguments.extend(["-f", "lavfi", "-i", "testsrc2=duration=10:size=1280x720:rate=25"]);
        arguments.extend(["-f", "lavfi", "-i", "sine=frequency=440:duration=10"]);
        arguments.extend(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]);
        arguments.extend(["-c:a", "aac", "-movflags", "+faststart", "-f", "mp4", "-y"]);
        self.run(&arguments, Some(to)).await.context("cannot make a clip")
    }

    /// Decodes every frame and sample; an error in any of them is an error here.
    pub(crate) async fn play(&self, video: &Path) -> Result<()> {
        let file = video.to_str().context("a path that is not UTF-8")?;
        let arguments = ["-xerror", "-i", file, "-map", "0", "-f", "null", "-"];
        self.run(&arguments, None)
            .await
            .with_context(|| format!("{} does not play", video.display()))
    }

    async fn run(&self, arguments: &[&str], to: Option<&Path>) -> Result<()> {
        let start = Instant::now();
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-v", "error"])
            .args(arguments)
            .args(to)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.map_err(|error| self.not_started(&error))?;
        *self.spent.lock().expect("nothing panics while it holds this lock") += start.elapsed();
        let words = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !words.trim().is_empty() {
            let last = words.lines().rfind(|line| !line.trim().is_empty());
            bail!("ffmpeg: {}", last.map_or_else(|| output.status.to_string(), str::to_owned));
        }
        Ok(())
    }

    fn not_started(&self, error: &io::Error) -> anyhow::Error {
        let program = self.program.display();
        if error.kind() == io::ErrorKind::NotFound {
            anyhow::anyhow!(
                "{program} was not found: install ffmpeg, or set STORYCORE_FFMPEG to its path"
            )
        } else {
            anyhow::anyhow!("{program} cannot be run: {error}")
        }
    }
}

//! The examples, run as a reader would: against `storycore dev` on a free port, in an empty folder
//! that holds `clip.mp4`; and the demo, without a terminal.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Context;
use crate::counts::Counts;
use crate::process::{self, Reaped};
use crate::workspace::check;

const DEADLINE: Duration = Duration::from_secs(5 * 60);

pub(super) fn run(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(examples) = cx.workspace.package("storycore-examples") else {
        return Counts::failed("examples/rust is not in the workspace");
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed("examples: the storycore binary does not compile");
    };
    let folder = cx.workspace.target.join("examples-run");
    match prepare(&folder, environment).and_then(|()| Platform::start(storycore, environment)) {
        Err(error) => Counts::failed(format!("examples: {error:#}")),
        Ok(platform) => {
            let mut counts = Counts::default();
            for name in &examples.bins {
                let Some(example) = build.bins.get(name) else {
                    counts += Counts::failed(format!("example {name} does not compile"));
                    continue;
                };
                println!("-- {name}");
                let mut command = Command::new(example);
                command
                    .current_dir(&folder)
                    .envs(environment.iter().cloned())
                    .env("STORYCORE_BASE_URL", &platform.url)
                    .env("STORYCORE_API_KEY", &platform.api_key);
                counts += check(&format!("example {name}"), command, DEADLINE);
            }
            if let Err(error) = platform.stop() {
                counts += Counts::failed(format!("storycore dev: {error:#}"));
            }
            counts
        }
    }
}

pub(super) fn demo(cx: &Context) -> Counts {
    let (environment, build) = match (cx.environment(), cx.build()) {
        (Ok(environment), Ok(build)) => (environment, build),
        (Err(counts), _) | (_, Err(counts)) => return counts,
    };
    let Some(storycore) = build.bins.get("storycore") else {
        return Counts::failed("demo: the storycore binary does not compile");
    };
    let mut command = Command::new(storycore);
    command.arg("demo").arg("--out").arg(cx.workspace.target.join("demo"));
    command.envs(environment.iter().cloned());
    check("demo", command, DEADLINE)
}

/// An empty folder with a clip of three seconds.
fn prepare(folder: &Path, environment: &[(String, String)]) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .envs(environment.iter().cloned())
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=duration=3:size=640x360:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=3"])
        .args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"])
        .arg(folder.join("clip.mp4"));
    process::output(ffmpeg).map(drop)
}

/// `storycore dev` as a process of its own.
struct Platform {
    process: Reaped,
    url: String,
    api_key: String,
}

impl Platform {
    fn start(storycore: &Path, environment: &[(String, String)]) -> Result<Self> {
        let mut command = Command::new(storycore);
        command
            .args(["dev", "--in-memory", "--json", "--listen", "127.0.0.1:0"])
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = Reaped(command.spawn().context("cannot start storycore dev")?);
        let stdout = process.0.stdout.take().context("storycore dev has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line)
            .with_context(|| format!("storycore dev said {line:?} in place of its ready line"))?;
        let field = |name: &str| {
            ready[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {line}"))
        };
        Ok(Platform { url: field("url")?, api_key: field("api_key")?, process })
    }

    fn stop(self) -> Result<()> {
        let status = self.process.terminate(Duration::from_secs(30))?;
        if !status.success() {
            bail!("ended with {status} when asked to stop");
        }
        Ok(())
    }
}

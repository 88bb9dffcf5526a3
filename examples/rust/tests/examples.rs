//! Every example is run as a reader would run it, in a folder that holds `clip.mp4`, against a
//! platform of its own; and the README shows each of them as it is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use storycore_local::{Config, Running};

/// Runs one example; what it printed, once it has ended well.
async fn run(example: &str, folder: &Path, platform: &Running) -> String {
    let mut command = Command::new(example);
    command
        .current_dir(folder)
        .env("STORYCORE_BASE_URL", platform.url())
        .env("STORYCORE_API_KEY", platform.api_key())
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    said.into_owned()
}

fn ffmpeg(arguments: &[&str], folder: &Path) {
    let program = std::env::var_os("STORYCORE_FFMPEG").unwrap_or_else(|| "ffmpeg".into());
    let mut command = Command::new(program);
    command.args(["-v", "error", "-xerror", "-nostdin"]).args(arguments).current_dir(folder);
    let output = command.output().expect("these tests need ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with a clip of three seconds.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let picture = ["-f", "lavfi", "-i", "testsrc2=duration=3:size=320x180:rate=25"];
    let tone = ["-f", "lavfi", "-i", "sine=duration=3", "-c:v", "libx264", "-c:a", "aac"];
    let arguments = [&picture[..], &tone, &["-pix_fmt", "yuv420p", "clip.mp4"]].concat();
    ffmpeg(&arguments, folder.path());
    folder
}

#[tokio::test]
async fn the_main_job_makes_a_film_that_plays() {
    let platform = storycore_local::start(Config::in_memory()).await.unwrap();
    let folder = folder();
    let said = run(env!("CARGO_BIN_EXE_main_job"), folder.path(), &platform).await;
    assert!(said.starts_with("result.mp4 is clip"), "{said}");
    ffmpeg(&["-i", "result.mp4", "-map", "0", "-f", "null", "-"], folder.path());
    platform.shutdown().await;
}

#[tokio::test]
async fn the_everyday_calls_do_what_their_comments_say() {
    let platform = storycore_local::start(Config::in_memory()).await.unwrap();
    let folder = folder();
    let said = run(env!("CARGO_BIN_EXE_everyday"), folder.path(), &platform).await;
    for line in [
        "no such project",
        "Autumn is at Some(50.0) %",
        "Spring is at Some(50.0) %",
        "Summer is at Some(50.0) %",
        "video_processing is completed",
        " is genuine",
        "the receiver answered with Some(200)",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    platform.shutdown().await;
}

#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(here.join("../../README.md")).unwrap();
    let mut shown: Vec<&str> = readme
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a code block has an end").0)
        .collect();
    let mut examples = 0;
    for entry in std::fs::read_dir(here.join("src/bin")).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        // The head is for the reader of the file alone: what it is, and the lint that it allows.
        let body: String = source
            .split_inclusive('\n')
            .skip_while(|line| line.starts_with("//!") || line.starts_with("#![") || *line == "\n")
            .collect();
        let at = shown.iter().position(|block| *block == body);
        let at =
            at.unwrap_or_else(|| panic!("README.md does not show {} as it is", path.display()));
        shown.remove(at);
        examples += 1;
    }
    assert!(examples >= 2, "{examples} examples");
    assert!(shown.is_empty(), "README.md shows Rust that no example is: {shown:?}");
}

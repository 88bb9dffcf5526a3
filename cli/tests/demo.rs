//! `storycore demo`, as somebody with a film runs it, and with what is no film.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Ended, Storycore, listens, one_line};

fn demo(out: &std::path::Path, more: &[&str]) -> Ended {
    let args = [&["demo", "--out", out.to_str().unwrap()], more].concat();
    Storycore::run(&args)
}

/// What stands behind `name` in the summary.
fn summary<'o>(output: &'o str, name: &str) -> &'o str {
    let line = output.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{output}")).trim()
}

#[test]
fn without_a_film_it_makes_one_and_ends_with_three_files() {
    let folder = tempfile::tempdir().unwrap();
    let ended = demo(&folder.path().join("out"), &[]);
    assert_eq!(ended.status.code(), Some(0), "{}\n{}", ended.stdout, ended.stderr);
    for name in ["original", "result", "thumbnail"] {
        let file = std::fs::metadata(summary(&ended.stdout, name)).unwrap();
        assert!(file.len() > 1000, "{name}");
    }
    assert!(ended.stdout.contains("upload: 100 %"), "{}", ended.stdout);
    assert!(ended.stdout.contains("video_processing: 100 %"), "{}", ended.stdout);
    assert!(ended.stdout.contains("its signature is good"), "{}", ended.stdout);
    assert!(ended.stdout.contains("the result plays"), "{}", ended.stdout);
    assert!(summary(&ended.stdout, "time").contains("ffmpeg"), "{}", ended.stdout);
    // A large upload is killed in its middle, and what had arrived is not sent again.
    assert!(ended.stdout.contains("(SIGKILL)"), "{}", ended.stdout);
    let (_, kept) = ended.stdout.split_once("  resumed    ").unwrap();
    let number = |text: &str| text.split(' ').next().unwrap().parse::<u64>().unwrap();
    let (kept, sent) = kept.split_once(" MiB were kept, ").unwrap();
    assert!(number(kept) >= 64 && number(kept) + number(sent) == 256, "{}", ended.stdout);
    assert!(ended.stdout.contains("one asset"), "{}", ended.stdout);
    let left = std::fs::read_dir(folder.path().join("out")).unwrap().count();
    assert_eq!(left, 3, "the large file is gone");
    // Nothing for a terminal: no moving bar, no colour.
    assert!(!ended.stdout.contains(['\r', '\u{1b}']), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");

    // The clip that it made is a film like any other.
    let film = summary(&ended.stdout, "original").to_owned();
    let again = demo(&folder.path().join("again"), &[&film]);
    assert_eq!(again.status.code(), Some(0), "{}\n{}", again.stdout, again.stderr);
    assert_eq!(summary(&again.stdout, "original"), film);
}

#[test]
fn a_film_that_is_not_there_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let ended = demo(folder.path(), &["no-such-film.mp4"]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    one_line(&ended.stderr, &["no-such-film.mp4", "No such file"]);
}

#[test]
fn what_is_no_film_ends_in_one_line_with_the_words_of_ffmpeg() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.mp4");
    std::fs::write(&letter, "Dear reader, this is no film.\n".repeat(100)).unwrap();
    let out = folder.path().join("out");
    let ended = demo(&out, &[letter.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stdout);
    one_line(&ended.stderr, &["letter.mp4", "Invalid data found"]);
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 0);
}

#[test]
fn without_ffmpeg_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Storycore::command(&["demo", "--out", folder.path().to_str().unwrap()]);
    command.env("STORYCORE_FFMPEG", "/no/such/ffmpeg");
    let ended = Storycore::from(command).ended();
    assert_eq!(ended.status.code(), Some(1));
    one_line(&ended.stderr, &["/no/such/ffmpeg", "install ffmpeg"]);
}

#[test]
fn ctrl_c_stops_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Storycore::spawn(&["demo", "--out", folder.path().to_str().unwrap()]);
    let url = loop {
        let line = demo.line();
        assert_ne!(line, "", "it ended before the platform ran");
        if let Some(at) = line.find("http://") {
            break line[at..].trim().to_owned();
        }
    };
    demo.signal("-INT");
    let ended = demo.ended();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    one_line(&ended.stderr, &["interrupted"]);
    assert!(!listens(&url));
    assert!(!folder.path().join("result.mp4").exists());
}

#[test]
fn a_film_that_the_demo_would_overwrite_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("result.mp4");
    std::fs::write(&film, "a film of somebody's").unwrap();
    let ended = demo(folder.path(), &[film.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1));
    one_line(&ended.stderr, &["result.mp4", "--out"]);
    assert_eq!(std::fs::read_to_string(&film).unwrap(), "a film of somebody's");
}

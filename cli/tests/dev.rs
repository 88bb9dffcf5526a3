//! `storycore dev`, used as a person or a supervisor does: started as a process, read, signalled.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::TcpListener;

use common::{Storycore, listens, one_line};

const FREE: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

fn dev<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FREE.into_iter().chain(more.iter().copied()).collect()
}

/// The ready line's URL, whichever form the line has.
fn url(line: &str) -> String {
    let start = line.find("http://").unwrap_or_else(|| panic!("no URL in {line:?}"));
    line[start..].split([' ', '"']).next().unwrap().to_owned()
}

#[test]
fn the_json_line_has_what_a_client_needs_and_nothing_else_is_printed() {
    let mut platform = Storycore::spawn(&dev(&["--in-memory", "--json", "--api-key", KEY]));
    let line = platform.line();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let fields: Vec<&str> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["api_key", "organization_id", "url"]);
    assert_eq!(ready["api_key"], KEY);
    assert!(listens(ready["url"].as_str().unwrap()));
    platform.signal("-TERM");
    let ended = platform.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains(KEY), "the key is in the log");
}

const KEY: &str = "a-key-for-this-test-only";

#[test]
fn a_person_reads_one_line_and_ctrl_c_frees_the_port() {
    let mut platform = Storycore::spawn(&dev(&["--in-memory"]));
    let line = platform.line();
    let url = url(&line);
    assert!(line.contains("API key") && line.contains("Ctrl-C"), "{line}");
    assert!(listens(&url));
    platform.signal("-INT");
    let ended = platform.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!listens(&url));
}

#[test]
fn a_data_directory_keeps_its_key_and_serves_one_platform_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("not/there/yet");
    let args = dev(&["--json", "--data", data.to_str().unwrap()]);
    let mut first = Storycore::spawn(&args);
    let ready: serde_json::Value = serde_json::from_str(&first.line()).unwrap();

    let second = Storycore::run(&args);
    assert_eq!(second.status.code(), Some(1));
    one_line(&second.stderr, &["in use by another storycore", "--data"]);

    first.signal("-INT");
    assert_eq!(first.ended().status.code(), Some(0));
    let mut third = Storycore::spawn(&args);
    let again: serde_json::Value = serde_json::from_str(&third.line()).unwrap();
    assert_eq!(again["api_key"], ready["api_key"]);
    assert_eq!(again["organization_id"], ready["organization_id"]);
    third.signal("-TERM");
    assert_eq!(third.ended().status.code(), Some(0));
}

#[test]
fn without_data_it_goes_into_the_users_state_directory() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Storycore::command(&FREE);
    command.env("XDG_STATE_HOME", home.path()).env("HOME", home.path());
    let mut platform = Storycore::from(command);
    assert!(listens(&url(&platform.line())));
    let files = walk(home.path());
    assert!(files.iter().any(|file| file.ends_with("storycore.db")), "{files:?}");
    platform.signal("-TERM");
    assert_eq!(platform.ended().status.code(), Some(0));
}

#[test]
fn a_taken_port_is_one_line_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Storycore::run(&["dev", "--in-memory", "--listen", &address]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stdout, "");
    one_line(&ended.stderr, &[&address, "--listen"]);
}

#[test]
fn it_ends_with_the_program_that_started_it() {
    let mut command = Storycore::command(&dev(&["--in-memory", "--stop-with-stdin"]));
    command.stdin(std::process::Stdio::piped());
    let mut platform = Storycore::from(command);
    let url = url(&platform.line());
    assert!(listens(&url));
    platform.close_stdin(); // As the system does when that program is killed.
    let ended = platform.ended();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!listens(&url));
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ended = Storycore::run(&dev(&["--data", path]));
    assert_eq!(ended.status.code(), Some(1));
    one_line(&ended.stderr, &[path]);
}

#[test]
fn a_key_that_cannot_be_one_is_refused() {
    let ended = Storycore::run(&dev(&["--in-memory", "--api-key", "short"]));
    assert_eq!(ended.status.code(), Some(1));
    one_line(&ended.stderr, &["API key", "16"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [
        &["dev", "--in-memory", "--data", "somewhere"][..],
        &["dev", "--listen", "nowhere"],
        &["devv"],
        &[],
    ] {
        let ended = Storycore::run(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("--help"), "{args:?}: {}", ended.stderr);
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn listen_takes_localhost_and_says_what_is_missing() {
    let mut platform = Storycore::spawn(&["dev", "--in-memory", "--listen", "localhost:0"]);
    assert!(listens(&url(&platform.line())));
    for bad in ["localhost", "4010", "127.0.0.1", "example.com:80"] {
        let ended = Storycore::run(&["dev", "--in-memory", "--listen", bad]);
        assert!(!ended.status.success());
        assert!(ended.stderr.contains("such as 127.0.0.1:4010"), "{}", ended.stderr);
    }
}

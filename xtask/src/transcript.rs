//! What the programs of a test run say. All of it goes to a file as it comes; shown is what a program said that failed, above
//! the table and its reasons, where a reader looks first. What passes may say what it likes: many a test makes a program fail on purpose.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::counts::Counts;
use crate::process;

/// So many lines of a program are shown, its last ones: runners end in what failed.
const SHOWN: usize = 400;
/// And so many characters of a line: the frames of a backtrace may have thousands.
const WIDTH: usize = 1000;

/// Where everything goes.
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// From now on everything goes to a new file in `folder`, whose path this gives.
///
/// # Errors
/// When it cannot be written there.
pub(crate) fn begin(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("xtask-test.log");
    std::fs::create_dir_all(folder)?;
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    *FILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(path)
}

/// What one program says: the last lines of it, and how many there were before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    name: String,
    left_out: u64,
    lines: VecDeque<String>,
}

impl Transcript {
    fn of(name: &str) -> Self {
        write(&format!("\n-- {name}"));
        Self { name: name.to_owned(), left_out: 0, lines: VecDeque::new() }
    }

    fn line(&mut self, line: &str) {
        write(line);
        if self.lines.len() == SHOWN {
            self.lines.pop_front();
            self.left_out += 1;
        }
        self.lines.push_back(line.to_owned());
    }

    /// As it is shown of a program that failed.
    pub(crate) fn shown(&self) -> String {
        let mut text = format!("{}\n", self.name);
        if self.left_out > 0 {
            text.push_str(&format!("({} lines before these)\n", self.left_out));
        }
        for line in &self.lines {
            let mut characters = line.chars();
            text.extend(characters.by_ref().take(WIDTH));
            text.push_str(if characters.next().is_some() { " …\n" } else { "\n" });
        }
        text
    }
}

/// Runs the program called `name`; each line also goes to `line`, and `counted` makes its counts of how it ended. Those have
/// what it said when it failed.
pub(crate) fn run(
    name: &str,
    mut command: Command,
    deadline: Duration,
    mut line: impl FnMut(&str),
    counted: impl FnOnce(Result<ExitStatus>) -> Counts,
) -> Counts {
    let mut transcript = Transcript::of(name);
    // Where a panic was is in its message. A backtrace adds the types of futures, page after page. This also holds where the
    // variable is set, as continuous integration sets it for cargo; who wants the backtrace runs what failed by hand.
    command.env("RUST_BACKTRACE", "0");
    let start = Instant::now();
    let ended = process::listen(command, deadline, |text| {
        transcript.line(text);
        line(text);
    });
    let counts = counted(ended);
    let Counts { passed, failed, .. } = counts;
    println!("   {name}: {passed} passed, {failed} failed in {} s", start.elapsed().as_secs());
    if failed > 0 { counts.with(transcript) } else { counts }
}

fn write(line: &str) {
    if let Some(file) = &mut *FILE.lock().unwrap_or_else(PoisonError::into_inner) {
        // A full disk is told by the tests themselves.
        let _ = writeln!(file, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_not_all_of_a_long_one() {
        let mut transcript = Transcript::of("a runner");
        for number in 0..SHOWN + 2 {
            transcript.line(&number.to_string());
        }
        transcript.line(&"é".repeat(WIDTH + 1));
        let shown = transcript.shown();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[..3], ["a runner", "(3 lines before these)", "3"]);
        assert_eq!(lines.last().unwrap(), &format!("{} …", "é".repeat(WIDTH)));
        assert_eq!(lines.len(), SHOWN + 2);
    }

    #[test]
    fn what_a_program_said_is_kept_when_it_failed() {
        let run = |script: &str| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            run(
                "a shell",
                shell,
                Duration::from_secs(60),
                |_| {},
                |ended| match ended {
                    Ok(status) if status.success() => Counts::passed(),
                    _ => Counts::failed("the shell"),
                },
            )
        };
        assert_eq!(run("echo all is well").said, []);
        let said = run("echo $RUST_BACKTRACE; echo it broke >&2; exit 1").said;
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].shown(), "a shell\n0\nit broke\n");
    }
}

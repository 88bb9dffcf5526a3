//! Uploads side by side with what users would pick instead: a large file in one stream against `curl`, tus with checksums
//! against other tus clients, many streams against one over a slow line, and many small files against a loop.
//!
//! Servers, the slow line and each client are processes of their own, so that CPU and memory are known; all of them are
//! this binary, told by its first argument what to be.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a bench is for")]

mod client;
mod large;
mod peers;
mod shaper;
mod sink;
mod slow_line;
mod stage;

use std::io;

use storycore_benches::{Options, process};

/// What is measured, by the names that the binary takes.
const SUBJECTS: [&str; 4] = ["one-request", "tus", "streams", "many-files"];

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["platform"] => within_the_bench(stage::serve_platform),
        ["sink"] => within_the_bench(sink::serve),
        ["shaper", target] => within_the_bench(|| shaper::serve(target)),
        ["client", rest @ ..] => within_the_bench(|| client::run(rest)),
        words => measure(Options::from_args(), words),
    };
    outcome.map_err(io::Error::other)
}

/// What a process of the bench does, until that ends.
fn within_the_bench(work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    process::end_with_the_bench()?;
    work()
}

/// All rows, or those of the subjects that are named.
fn measure(options: Options, words: &[&str]) -> Result<(), Failure> {
    let subjects: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).copied().collect();
    if let Some(odd) = subjects.iter().find(|subject| !SUBJECTS.contains(subject)) {
        return Err(format!("there is no `{odd}`; there are {}", SUBJECTS.join(" ")).into());
    }
    let asked = |subject| subjects.is_empty() || subjects.contains(&subject);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The children end and the files go also when somebody stops it.
    runtime.block_on(async {
        let all = async {
            if asked("one-request") {
                large::one_stream(options).await?;
            }
            if asked("tus") {
                large::tus(options).await?;
            }
            if asked("streams") {
                slow_line::streams(options).await?;
            }
            if asked("many-files") {
                slow_line::many_files(options).await?;
            }
            Ok(())
        };
        tokio::select! {
            outcome = all => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

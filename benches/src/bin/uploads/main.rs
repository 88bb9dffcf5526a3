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

use storycore_benches::Options;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["platform"] => stage::serve_platform(),
        ["sink"] => sink::serve(),
        ["shaper", target] => shaper::serve(target),
        ["client", rest @ ..] => client::run(rest),
        _ => measure(Options::from_args()),
    };
    outcome.map_err(io::Error::other)
}

fn measure(options: Options) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The children end and the files go also when somebody stops it.
    runtime.block_on(async {
        let all = async {
            large::one_stream(options).await?;
            large::tus(options).await?;
            slow_line::streams(options).await?;
            slow_line::many_files(options).await
        };
        tokio::select! {
            outcome = all => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

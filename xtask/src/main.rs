//! `cargo xtask`: the project's own commands. It depends on no crate of the workspace, so that it
//! builds in seconds and still runs when they do not compile.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks")]

mod bench;
mod bindings;
mod counts;
mod demo;
#[cfg(target_os = "linux")]
mod guard;
mod kotlin;
mod licences;
mod mutants;
mod process;
mod setup;
mod table;
mod test;
mod transcript;
mod wheel;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo [VIDEO] [--out DIR]         the main job, end to end, on a local platform
cargo xtask test [PART…] [FLAG…]             all parts, or those named:
                                             core platform conformance interop faults
                                             python node swift kotlin examples
                                             (--long: 300 runs of faults and not 40;
                                             --targets: swift checks the mobile crate for Android and iOS, too;
                                             --without PART: all but that, by name in the table)
cargo xtask mutants [--all] [NAME…]          takes the client's rules out, one by one, and sees scenarios fail
cargo xtask bindings [--check]               writes the languages' bindings from sdk-core, or sees that they are current
cargo xtask bench [NAME…] [--quick] [--json] measurements against what one would use instead:
                                             core platform uploads webhooks python node mobile
";

fn main() -> ExitCode {
    let args: Result<Vec<String>, _> =
        std::env::args_os().skip(1).map(std::ffi::OsString::into_string).collect();
    let args = match args {
        Ok(args) => args,
        Err(odd) => {
            eprintln!("error: {} is not UTF-8: give it another name", odd.display());
            return ExitCode::from(2);
        }
    };
    run(&args).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The commands that start much, some of it for long, run guarded.
#[cfg(target_os = "linux")]
fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    match args.split_first() {
        Some((command, rest)) if command == guard::WITHIN => guard::within(rest),
        Some((command, rest)) if command == guard::PERFORM => perform(rest),
        Some((command, _)) if ["test", "mutants", "bench"].contains(&command.as_str()) => {
            guard::around(args)
        }
        _ => perform(args),
    }
}

#[cfg(not(target_os = "linux"))]
fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    perform(args)
}

fn perform(args: &[String]) -> anyhow::Result<ExitCode> {
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match command {
        "test" => test::run(rest),
        "demo" => demo::run(rest),
        "mutants" => mutants::run(rest),
        "bench" => bench::run(rest),
        "bindings" => bindings::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprint!("error: there is no command `{other}`\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

//! What benches of other languages are made of: they start their own binary again as a server, on the servers' cores, and are
//! told by `cargo xtask bench` where the other language's parts are.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints")]

use std::{env, io, path::PathBuf, process::ExitCode};

use crate::{
    Options, fixed, local,
    side::{SERVER, pin},
};

/// A bench's `main`: a server where the command line asks for one, else `measure`.
pub fn run(measure: impl FnOnce(Options) -> io::Result<()>) -> ExitCode {
    match asked_for().unwrap_or_else(|| measure(Options::from_args())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What `cargo xtask bench` says in the variable `name`.
///
/// # Errors
///
/// The variable is not set, since something else started this.
pub fn told(name: &str) -> io::Result<PathBuf> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| {
        io::Error::other(format!("{name} is not set: run it by `cargo xtask bench`"))
    })
}

/// Runs the server that the command line asks for: `serve` is the fixed one, `platform` the local platform. Nothing when it
/// asks for none.
fn asked_for() -> Option<io::Result<()>> {
    let serve: fn() -> io::Result<()> = match env::args().nth(1).as_deref() {
        Some("serve") => || fixed::serve(|url| println!("{url}")),
        Some("platform") => local::serve,
        _ => return None,
    };
    Some(pin(SERVER).and_then(|()| serve()))
}

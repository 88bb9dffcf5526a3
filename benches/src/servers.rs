//! The servers that benches of other languages start: their own binary with another argument, on the servers' cores.
#![allow(clippy::print_stdout, reason = "where it is, a server says on standard output")]

use std::{env, io};

use crate::{
    fixed, local,
    side::{SERVER, pin},
};

/// Runs the server that the command line asks for: `serve` is the fixed one, `platform` the local platform. Nothing when it
/// asks for none.
pub fn asked_for() -> Option<io::Result<()>> {
    match env::args().nth(1).as_deref() {
        Some("serve") => Some(pin(SERVER).and_then(|()| fixed::serve(|url| println!("{url}")))),
        Some("platform") => Some(pin(SERVER).and_then(|()| local::serve())),
        _ => None,
    }
}

//! How Python takes part: a worker with one client in it, and programs that only begin and end.

use std::{io, path::Path, process::Stdio};

use storycore_benches::side::{Side, on_client_cores};

/// Starts the side called `module` in `benches/python/sides`, against `url`.
pub(crate) fn start(python: &Path, module: &str, url: &str, key: &str) -> io::Result<Side> {
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/worker.py");
    let mut command = on_client_cores(python);
    command.arg(worker).args([module, url, key]).env_remove("PYTHONPATH");
    Side::start(command)
}

/// A Python program, run to its end on the clients' cores.
pub(crate) fn python(python: &Path, program: &str) -> io::Result<()> {
    let mut command = on_client_cores(python);
    let status = command.args(["-c", program]).stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program}: {status}"))) }
}

//! How Node takes part: a worker with one client in it, and programs that only load the package.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use storycore_benches::side::{Side, on_client_cores};

/// What runs our side and the others.
pub(crate) struct Node {
    /// The folder in whose `node_modules` the peers are.
    pub(crate) peers: PathBuf,
    /// Our native library.
    pub(crate) library: PathBuf,
}

impl Node {
    /// Starts the side called `name` in `benches/node/sides`, against `url`.
    pub(crate) fn start(&self, name: &str, url: &str, key: &str) -> io::Result<Side> {
        self.start_with(&[], name, url, key)
    }

    /// The same with V8's young generation as large from the beginning as it may become: what grows then is a leak, and not
    /// the room that V8 gives itself, which comes to 30 MiB with some 35 000 calls.
    pub(crate) fn start_grown(&self, name: &str, url: &str, key: &str) -> io::Result<Side> {
        self.start_with(&["--min-semi-space-size=16"], name, url, key)
    }

    fn start_with(&self, flags: &[&str], name: &str, url: &str, key: &str) -> io::Result<Side> {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/worker.mjs");
        let mut command = self.node();
        // Memory is read after a collection that is asked for.
        command.arg("--expose-gc").args(flags).arg(worker).args([name, url, key]).arg(&self.peers);
        Side::start(command)
    }

    /// Milliseconds that loading the package takes in a fresh process.
    pub(crate) fn load(&self) -> io::Result<f64> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings-node");
        let program = "const began = performance.now(); require(process.argv[1]); \
            console.log(performance.now() - began)";
        let mut command = self.node();
        let output = command.args(["--eval", program]).arg(package).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| {
            io::Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)))
        })
    }

    fn node(&self) -> Command {
        let mut command = on_client_cores(Path::new("node"));
        command.env("NAPI_RS_NATIVE_LIBRARY_PATH", &self.library).env_remove("NODE_OPTIONS");
        command
    }
}

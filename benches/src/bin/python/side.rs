//! A side of the comparison: a Python process that is told what to measure, a JSON object a line each way.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::available_parallelism,
};

use serde::Deserialize;
use serde_json::{Value, json};

/// Where servers run, of four cores.
pub(crate) const SERVER: [usize; 2] = [2, 3];
/// Where clients run.
const CLIENT: [usize; 2] = [0, 1];

/// What one measurement gave.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Figures {
    /// How many calls.
    pub(crate) calls: f64,
    /// In how many seconds.
    pub(crate) seconds: f64,
    /// With how much CPU, all threads.
    pub(crate) cpu: f64,
    /// With how much CPU of the thread that the event loop runs on.
    pub(crate) own_thread: f64,
}

impl Figures {
    pub(crate) fn rate(self) -> f64 {
        self.calls / self.seconds
    }

    pub(crate) fn cpu_us(self) -> f64 {
        self.cpu / self.calls * 1e6
    }

    pub(crate) fn own_thread_us(self) -> f64 {
        self.own_thread / self.calls * 1e6
    }
}

/// A Python process with one client in it; it ends when this goes.
pub(crate) struct Side {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The libraries and their versions.
    pub(crate) name: String,
}

impl Side {
    /// Starts the side called `module` in `benches/python/sides`, against `url`.
    pub(crate) fn start(python: &Path, module: &str, url: &str, key: &str) -> io::Result<Self> {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/worker.py");
        let mut command = Command::new(python);
        command.arg(worker).args([module, url, key, &cores(CLIENT)]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Nothing of the machine's own settings takes part: proxies, other servers.
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PYTHONPATH"] {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        let missing = || io::Error::other("the worker has no pipes");
        let requests = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut side = Self { child, requests, answers, name: String::new() };
        let ready = side.answer(module)?;
        side.name = ready["name"].as_str().unwrap_or(module).to_owned();
        Ok(side)
    }

    /// Measures `what` for `seconds`.
    pub(crate) fn measure(
        &mut self,
        what: &str,
        at_once: usize,
        seconds: f64,
    ) -> io::Result<Figures> {
        let task = json!({"what": what, "at_once": at_once, "seconds": seconds});
        serde_json::from_value(self.ask(&task)?).map_err(io::Error::other)
    }

    /// Does `task` and gives what it says.
    pub(crate) fn ask(&mut self, task: &Value) -> io::Result<Value> {
        writeln!(self.requests, "{task}")?;
        let name = self.name.clone();
        self.answer(&name)
    }

    fn answer(&mut self, name: &str) -> io::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        // Its complaint is on stderr already.
        serde_json::from_str(&line).map_err(|_| io::Error::other(format!("{name} has ended")))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python program, run to its end on the clients' cores.
pub(crate) fn python(python: &Path, program: &str) -> io::Result<()> {
    let pinned = enough_cores();
    let mut command = if pinned { Command::new("taskset") } else { Command::new(python) };
    if pinned {
        command.args(["-c", &cores(CLIENT)]).arg(python);
    }
    let status = command.args(["-c", program]).stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{program}: {status}"))) }
}

/// Keeps this process to `cores`, where there are enough for both sides.
pub(crate) fn pin(cores: [usize; 2]) -> io::Result<()> {
    if enough_cores() {
        let mut set = rustix::thread::CpuSet::new();
        cores.into_iter().for_each(|core| set.set(core));
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    Ok(())
}

fn enough_cores() -> bool {
    available_parallelism().is_ok_and(|cores| cores.get() >= 4)
}

/// As `taskset` takes them; nothing where there are too few.
fn cores(cores: [usize; 2]) -> String {
    if enough_cores() { cores.map(|core| core.to_string()).join(",") } else { String::new() }
}

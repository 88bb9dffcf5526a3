//! A side of a comparison: a process of another language that is told what to measure, a JSON object a line each way; and the
//! cores that clients and servers keep to.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread::available_parallelism,
};

use serde::Deserialize;
use serde_json::{Value, json};

/// Where servers run, of four cores: one is enough for the fixed server, which answers 1.5 times what the fastest side asks.
pub const SERVER: &[usize] = &[3];
/// Where clients run: a call in flight with others takes three threads of ours, an event loop's and two runtimes'.
pub const CLIENT: &[usize] = &[0, 1, 2];

/// What one measurement gave.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Figures {
    /// How many calls.
    pub calls: f64,
    /// In how many seconds.
    pub seconds: f64,
    /// With how many seconds of CPU, all threads.
    pub cpu: f64,
    /// For how many seconds the thread was busy that the event loop runs on.
    pub own_thread: f64,
}

impl Figures {
    /// Calls a second.
    pub fn rate(self) -> f64 {
        self.calls / self.seconds
    }

    /// Microseconds of CPU a call.
    pub fn cpu_us(self) -> f64 {
        self.cpu / self.calls * 1e6
    }

    /// Microseconds of the event loop's thread a call.
    pub fn own_thread_us(self) -> f64 {
        self.own_thread / self.calls * 1e6
    }

    /// The share of the time that the event loop's thread was busy.
    pub fn busy(self) -> f64 {
        self.own_thread / self.seconds
    }
}

/// A process with one client in it; it ends when this goes.
#[derive(Debug)]
pub struct Side {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The libraries and their versions.
    pub name: String,
}

impl Side {
    /// Starts a worker, which says its `name` first.
    ///
    /// # Errors
    /// When it cannot be started, or ends at once.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // Nothing of the machine's own settings takes part.
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        let program = format!("{command:?}");
        let mut child = command.spawn()?;
        let missing = || io::Error::other("the worker has no pipes");
        let requests = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut side = Self { child, requests, answers, name: program };
        let ready = side.answer()?;
        let name = ready["name"].as_str();
        side.name = name.ok_or_else(|| io::Error::other("a worker without a name"))?.to_owned();
        Ok(side)
    }

    /// Measures `what` for `seconds`.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn measure(&mut self, what: &str, at_once: usize, seconds: f64) -> io::Result<Figures> {
        let task = json!({"what": what, "at_once": at_once, "seconds": seconds});
        serde_json::from_value(self.ask(&task)?).map_err(io::Error::other)
    }

    /// Does `task` and gives what it says.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn ask(&mut self, task: &Value) -> io::Result<Value> {
        writeln!(self.requests, "{task}")?;
        self.answer()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn answer(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        // Its complaint is on stderr already.
        serde_json::from_str(&line).map_err(|_| io::Error::other(format!("{} ended", self.name)))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this process to `cores`, where there are enough for both sides.
///
/// # Errors
/// When the system refuses.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    if enough_cores() {
        let mut set = rustix::thread::CpuSet::new();
        cores.iter().for_each(|core| set.set(*core));
        rustix::thread::sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// `program` on the clients' cores, where there are enough for both sides.
pub fn on_client_cores(program: &std::path::Path) -> Command {
    if !enough_cores() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command
        .args(["-c", &CLIENT.iter().map(usize::to_string).collect::<Vec<_>>().join(",")])
        .arg(program);
    command
}

fn enough_cores() -> bool {
    available_parallelism().is_ok_and(|cores| cores.get() >= 4)
}

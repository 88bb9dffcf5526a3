//! What a process has used, read from the kernel, and children that end with the bench.

use std::{
    fs, io,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// Kernel ticks a second; Linux has shown user space 100 on every architecture for decades.
const TICKS: f64 = 100.0;

/// Seconds of CPU that a process has used, user and system, all its threads.
///
/// # Errors
/// When the process is gone or the system has no `/proc`.
pub fn cpu_seconds(pid: u32) -> io::Result<f64> {
    stat_seconds(&format!("/proc/{pid}/stat"), 11)
}

/// Seconds of CPU that this process's children have used, of those that ended and were waited for.
///
/// # Errors
/// When the system has no `/proc`.
pub fn children_cpu_seconds() -> io::Result<f64> {
    stat_seconds("/proc/self/stat", 13)
}

/// The sum of two neighbouring fields of a `stat`, counted from the one after the name.
fn stat_seconds(path: &str, first: usize) -> io::Result<f64> {
    let stat = fs::read_to_string(path)?;
    // The second field is the name in parentheses, which may itself hold spaces.
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok());
    match (ticks(first), ticks(first + 1)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS),
        _ => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "/proc/PID/stat has another form here"))
        }
    }
}

/// The most memory that a process has had at once, in MiB.
///
/// # Errors
/// When the process is gone or the system has no `/proc`.
pub fn peak_memory_mib(pid: u32) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
        })
        .map(|kib| kib / 1024.0)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no VmHWM"))
}

/// Ends this process when the thread ends that started it, a bench's first one: also when the bench is killed, and can end nothing
/// itself.
///
/// # Errors
/// When the system refuses.
pub fn end_with_the_bench() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// A child that is ended when this goes.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The first line that it printed.
    pub ready: String,
}

impl Server {
    /// Starts this very binary with other arguments and waits for its first line.
    ///
    /// # Errors
    /// When it cannot be started or ends without a line.
    pub fn this_binary(args: &[&str]) -> io::Result<Self> {
        Self::this_binary_with(args, &[])
    }

    /// The same with variables of its own in its environment.
    ///
    /// # Errors
    /// When it cannot be started or ends without a line.
    pub fn this_binary_with(args: &[&str], variables: &[(&str, &Path)]) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = String::new();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        BufReader::new(stdout).read_line(&mut ready)?;
        if ready.is_empty() {
            return Err(io::Error::other("the server ended before it was ready"));
        }
        Ok(Self { child, ready })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

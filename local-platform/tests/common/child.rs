//! A platform in a process of its own, to be killed: this test program again, running one ignored test.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The variable that names the data directory.
pub const DATA: &str = "STORYCORE_TEST_DATA";

/// The process; killed when dropped.
pub struct Platform {
    pub url: String,
    pub key: String,
    child: Child,
    /// Kept open: the test runner in the child prints to it again after a minute, and would end on a closed pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Platform {
    /// Starts the ignored test `name`, which must be nothing but [`serve`], with its data in `directory`.
    pub fn start(name: &str, directory: &Path) -> Self {
        Self::start_under(&[], name, directory)
    }

    /// The same, started by another program: its own arguments, to which those of the platform are added.
    pub fn start_under(starter: &[&str], name: &str, directory: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = match starter {
            [] => Command::new(program),
            [starter, arguments @ ..] => {
                let mut command = Command::new(starter);
                command.args(arguments).arg(program);
                command
            }
        };
        let mut child = command
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(DATA, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while stdout.read_line(&mut line).unwrap() > 0 {
            // The test runner may have begun the line.
            if let Some((_, ready)) = line.trim_end().split_once("READY ") {
                let (url, key) = ready.split_once(' ').unwrap();
                return Self { url: url.into(), key: key.into(), child, _stdout: stdout };
            }
            line.clear();
        }
        let _ = child.kill();
        panic!("the child did not start: {:?}", child.wait());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A path as the process has it, which may have file systems of its own.
    pub fn sees(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            println!("the platform had ended by itself: {status}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the child does: serve until it is killed. Without the variable, which only [`Platform::start`] sets, there is
/// nothing to do.
pub async fn serve() {
    let Some(directory) = std::env::var_os(DATA) else { return };
    let config = storycore_local::Config::in_directory(directory);
    let running = storycore_local::start(config).await.unwrap();
    println!("READY {} {}", running.url(), running.api_key());
    std::future::pending().await
}

/// What starts a program with 16 MiB of disk at `directory`: a file system of its own where the system lets us mount
/// one, else a limit on each file.
pub fn little_disk(directory: &Path) -> (Vec<String>, bool) {
    let unshare = ["unshare", "--map-root-user", "--mount"];
    let mount =
        format!("mount -t tmpfs -o size=16m tmpfs '{}' && exec \"$0\" \"$@\"", directory.display());
    let mounts = Command::new(unshare[0])
        .args(&unshare[1..])
        .args(["sh", "-c", &mount, "true"])
        .status()
        .is_ok_and(|status| status.success());
    if mounts {
        let words = unshare.into_iter().chain(["sh", "-c", &mount]);
        return (words.map(str::to_owned).collect(), true);
    }
    let limit = "trap '' XFSZ; ulimit -f 32768; exec \"$0\" \"$@\"";
    (["sh", "-c", limit].map(str::to_owned).to_vec(), false)
}

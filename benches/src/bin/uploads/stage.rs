//! What the measurements stand on: a platform of its own, files in memory, and what a finished client says of itself.

use std::{
    io::{self, ErrorKind::NotFound, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread::JoinHandle,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use storycore::Client;
use storycore_benches::process;
use tempfile::TempDir;

use crate::Failure;

pub(crate) const MIB: u64 = 1024 * 1024;

/// The client may not need more, in MiB.
pub(crate) const MEMORY: f64 = 48.0;

/// What an upload took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Took {
    /// From the first request to the last answer, without the start of the process.
    pub(crate) seconds: f64,
    /// Of the whole process.
    pub(crate) cpu_seconds: f64,
    /// The most memory that the process had; zero where it is not known.
    pub(crate) peak_mib: f64,
}

/// A folder, removed in the end: in `STORYCORE_BENCH_FOLDER`, or else where files cost no disk.
pub(crate) fn folder() -> io::Result<TempDir> {
    let memory = PathBuf::from("/dev/shm");
    let place = match std::env::var_os("STORYCORE_BENCH_FOLDER") {
        Some(named) => named.into(),
        None if memory.is_dir() => memory,
        None => std::env::temp_dir(),
    };
    tempfile::Builder::new().prefix("storycore-bench-").tempdir_in(place)
}

/// Memory for files in a folder that this machine has from its host, where it is a virtual one: a host takes memory back some
/// seconds after it was freed and gives it out again page by page, at a tenth of the speed of memory that is there, which is no
/// upload's doing. Held until it is dropped, and let go of little by little, as files are written.
pub(crate) struct Warm {
    end: Option<mpsc::Sender<()>>,
    letting_go: Option<JoinHandle<io::Result<()>>>,
}

/// How much of it is free ahead of the files, and how often that is looked after.
const AHEAD: u64 = 512 * MIB;
const OFTEN: Duration = Duration::from_millis(50);

impl Warm {
    pub(crate) fn hold(folder: &Path, size: u64) -> io::Result<Self> {
        let before = used(folder)?;
        let mut file = tempfile::tempfile_in(folder)?;
        let block = vec![0; 1 << 20];
        for _ in 0..size.div_ceil(block.len() as u64) {
            file.write_all(&block)?;
        }
        let (end, ended) = mpsc::channel();
        let folder = folder.to_owned();
        let letting_go = std::thread::spawn(move || {
            while ended.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
                let taken = used(&folder)?.saturating_sub(before);
                file.set_len(size.saturating_sub(taken + AHEAD).min(file.metadata()?.len()))?;
            }
            Ok(())
        });
        Ok(Self { end: Some(end), letting_go: Some(letting_go) })
    }

    /// Lets go of what is left.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> io::Result<()> {
        drop(self.end.take());
        match self.letting_go.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("what held memory broke")),
            None => Ok(()),
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("memory was not held to the end: {error}");
        }
    }
}

/// What the files below a folder take of their file system, in bytes. Files may come and go meanwhile.
fn used(folder: &Path) -> io::Result<u64> {
    let gone = |error: io::Error| if error.kind() == NotFound { Ok(0) } else { Err(error) };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    let mut sum = 0;
    for entry in entries {
        let entry = entry?;
        sum += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => used(&entry.path())?,
            Ok(metadata) => metadata.blocks() * 512,
            Err(error) => gone(error)?,
        };
    }
    Ok(sum)
}

/// A file of bytes that no compression and no sparse file makes smaller (xorshift64*).
pub(crate) fn file(folder: &Path, name: &str, size: u64) -> io::Result<PathBuf> {
    let path = folder.join(name);
    let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(&path)?);
    let mut state = size | 1;
    let mut left = size;
    while left > 0 {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
        let count = word.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&word[..count])?;
        left -= count as u64;
    }
    file.flush()?;
    Ok(path)
}

/// A local platform in a process of its own.
pub(crate) struct Platform {
    _process: process::Server,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Platform {
    /// Starts one whose files lie in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failure> {
        let process = process::Server::this_binary_with(&["platform"], &[("TMPDIR", folder)])?;
        let (url, key) = process.ready.trim().split_once(' ').ok_or("no address")?;
        let (url, key) = (url.to_owned(), key.to_owned());
        Ok(Self { _process: process, url, key })
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::builder().base_url(&self.url).api_key(&*self.key).build()?)
    }

    /// Checks that there are exactly `count` assets, and removes them.
    pub(crate) async fn clear(&self, count: usize) -> Result<(), Failure> {
        let client = self.client()?;
        let mut assets = client.media().items(storycore::models::ListParams::new());
        let mut ids = Vec::new();
        while let Some(asset) = assets.next_item().await? {
            ids.push(asset.id);
        }
        if ids.len() != count {
            return Err(format!("{} assets came of {count} files", ids.len()).into());
        }
        for id in ids {
            client.media().delete(&id).await?;
        }
        Ok(())
    }
}

/// The platform's process, which prints where it is.
pub(crate) fn serve_platform() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let platform = storycore_local::start(storycore_local::Config::in_memory()).await?;
        println!("{} {}", platform.url(), platform.api_key());
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Runs a program to its end: its last line, its exit, and the CPU that it used.
pub(crate) async fn ended(mut command: tokio::process::Command) -> Result<(String, f64), Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    let before = process::children_cpu_seconds()?;
    let output = command.spawn()?.wait_with_output().await?;
    let cpu = process::children_cpu_seconds()? - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    good(output.status, &shown)?;
    Ok((text.lines().last().unwrap_or_default().to_owned(), cpu))
}

fn good(status: ExitStatus, shown: &str) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(format!("{shown} ended with {status}").into()) }
}

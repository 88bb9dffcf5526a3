//! How a platform is started and why it may refuse to start. Every refusal is one line that says what to do.

use std::{net::SocketAddr, path::PathBuf};

/// Where the platform keeps its database and its files.
#[derive(Debug, Clone)]
pub enum Data {
    /// In this directory, made if it is not there, kept from one start to the next.
    Directory(PathBuf),
    /// In a fresh temporary directory that is removed at shutdown.
    InMemory,
}

/// How to start a platform.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to serve on; port 0 takes a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// Where its data lies. Default [`Data::InMemory`].
    pub data: Data,
    /// The text of the first, all-powerful key. Default: the one the data directory already has, or a new random one.
    pub api_key: Option<String>,
    /// Refuse every query parameter and body field that `spec/openapi.yaml` does not know. Default off.
    pub strict: bool,
    /// Take webhook addresses on loopback, as a development machine needs. Default on.
    pub allow_loopback_webhooks: bool,
    /// The `ffmpeg` to run. Default: `STORYCORE_FFMPEG`, then the one on the path.
    pub ffmpeg: Option<PathBuf>,
    /// How many jobs run at a time. Default: half the machine's cores, at least 1.
    pub job_workers: usize,
}

impl Config {
    /// A platform on a free loopback port that forgets everything at shutdown.
    pub fn in_memory() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data: Data::InMemory,
            api_key: None,
            strict: false,
            allow_loopback_webhooks: true,
            ffmpeg: None,
            job_workers: (cores / 2).max(1),
        }
    }

    /// A platform on a free loopback port that keeps its data in `directory`.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self { data: Data::Directory(directory.into()), ..Self::in_memory() }
    }
}

/// Why a platform did not start; the text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another program listens on the address.
    #[error("{0} is in use: stop what listens there, or choose another with --listen 127.0.0.1:0")]
    PortTaken(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another platform has the data directory open.
    #[error("{0} is in use by another storycore: stop that one, or choose another with --data")]
    DataLocked(PathBuf),
    /// The data directory was written by a newer version.
    #[error("{0} was written by a newer storycore: update this one, or choose another with --data")]
    DataTooNew(PathBuf),
    /// The data directory cannot be read or written.
    #[error("cannot use {path} for data: {reason}")]
    Data {
        /// The data directory.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// There is no room for the data.
    #[error("no space left for {0}: free some, or choose another disk with --data")]
    DiskFull(PathBuf),
    /// The given first key cannot be one.
    #[error("the API key must be 16 to 255 visible ASCII characters")]
    BadKey,
    /// Something of this process, such as its random source, failed.
    #[error("{0}")]
    Other(String),
}

//! Where an upload's bytes come from, and the thread that reads them ahead: pieces of 256 KiB through a channel four deep, so
//! that memory stays flat and the disk is never waited for by the network's task (measured: an async file gets a tenth of it).

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::sync::mpsc;

use crate::error::Error;

const PIECE: usize = 256 * 1024;
const AHEAD: usize = 4;

/// What is uploaded.
#[derive(Debug, Clone)]
pub enum UploadSource {
    /// A file on this machine.
    Path(PathBuf),
    /// Bytes, under a file's name.
    Bytes {
        /// The name that the platform is told.
        file_name: String,
        /// The bytes.
        bytes: Bytes,
    },
}

impl UploadSource {
    /// Bytes under a file's name.
    pub fn bytes(file_name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::Bytes { file_name: file_name.into(), bytes: bytes.into() }
    }

    /// The name that the platform is told.
    pub(crate) fn file_name(&self) -> String {
        match self {
            Self::Path(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Bytes { file_name, .. } => file_name.clone(),
        }
    }

    /// How many bytes there are.
    pub(crate) async fn size(&self) -> Result<u64, Error> {
        match self {
            Self::Bytes { bytes, .. } => Ok(bytes.len() as u64),
            Self::Path(path) => {
                let data = tokio::fs::metadata(path).await.map_err(|e| cannot_read(path, e))?;
                if data.is_file() {
                    Ok(data.len())
                } else {
                    Err(Error::upload(format!("{} is no file", path.display())))
                }
            }
        }
    }

    /// The bytes, in pieces; exactly `size` of them or an error.
    pub(crate) fn pieces(&self, size: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        match self {
            Self::Bytes { bytes, .. } => {
                let _ = sender.try_send(Ok(bytes.clone()));
            }
            Self::Path(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || read_ahead(&path, size, &sender));
            }
        }
        futures_util::stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((piece, receiver))
        })
    }
}

/// Reads until the end, an error, or nobody listening.
fn read_ahead(path: &Path, size: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let changed = || io::Error::other(format!("{} changed while it was read", path.display()));
    let read = || -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut left = size;
        while left > 0 {
            let mut piece = BytesMut::zeroed(PIECE.min(usize::try_from(left).unwrap_or(PIECE)));
            match file.read(&mut piece)? {
                0 => return Err(changed()),
                count => {
                    piece.truncate(count);
                    left -= count as u64;
                    if sender.blocking_send(Ok(piece.freeze())).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        if file.read(&mut [0])? > 0 { Err(changed()) } else { Ok(()) }
    };
    if let Err(error) = read() {
        let _ = sender.blocking_send(Err(error));
    }
}

pub(crate) fn cannot_read(path: &Path, error: io::Error) -> Error {
    Error::upload(format!("{} cannot be read: {error}", path.display())).with_source(error)
}

impl From<&str> for UploadSource {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for UploadSource {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for UploadSource {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&PathBuf> for UploadSource {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.clone())
    }
}

impl From<&Path> for UploadSource {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

//! Downloads: into memory, piece by piece, or into a file that is there whole or not at all. This file is what a caller sees
//! of the latter: a [`Download`] and its knob. What arrives is collected by `part`, asked for by `fetch`.

mod content;
mod fetch;
mod part;
mod stream;

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{Bytes, BytesMut};

pub use self::stream::ContentStream;
use self::{content::Stop, fetch::Fetch, part::Part};
use crate::{
    client::Client,
    error::{Error, ErrorKind},
    models::Asset,
    transport::{Request, Response},
};

/// The most that is read into memory.
const MAX_MEMORY: usize = 64 * 1024 * 1024;
/// The longest silence in the middle of a download.
const SILENCE: Duration = Duration::from_secs(30);
/// Times that a download is begun anew because the content became another one.
const MOST_RESTARTS: u32 = 3;
/// Times that one which cannot be taken up is begun anew after it broke.
const MOST_BREAKS: u32 = 5;
/// Links that lead to a target, one to the next: as many as Linux follows.
const MOST_LINKS: u32 = 40;

/// The whole body of a download.
pub(crate) async fn whole(client: &Client, request: &Request) -> Result<Bytes, Error> {
    let mut response = client.transport().open(request, client.options()).await?;
    let mut body = BytesMut::new();
    while let Some(piece) = piece(&mut response).await? {
        if body.len() + piece.len() > MAX_MEMORY {
            return Err(Error::new(
                ErrorKind::Upload,
                "the asset has more than 64 MiB: use download()",
            ));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

async fn piece(response: &mut Response) -> Result<Option<Bytes>, Error> {
    tokio::time::timeout(SILENCE, response.chunk())
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the download fell silent"))?
        .map_err(|e| {
            Error::new(ErrorKind::Connection, format!("the download broke: {}", e.message()))
                .with_source(e)
        })
}

/// A download that is set up and not yet begun. [`send`](Self::send) does it.
///
/// ```no_run
/// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
/// let asset = client.media().prepare_download("ast_1", "film.mp4").max_streams(8).send().await?;
/// println!("{} bytes", asset.size.unwrap_or_default());
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a download does nothing until send() is awaited"]
pub struct Download {
    client: Client,
    id: String,
    to: PathBuf,
    max_streams: Option<usize>,
}

impl Download {
    pub(crate) fn new(client: Client, id: &str, to: &Path) -> Self {
        Self { client, id: id.to_owned(), to: to.to_owned(), max_streams: None }
    }

    /// The most ranges of the content that are asked for side by side, from 1 to 16. Default: 1 under 64 MiB, else 4. A
    /// platform that takes no ranges is asked for the whole.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.max_streams = Some(streams.clamp(1, 16));
        self
    }

    /// Downloads into a hidden file beside the target (`.NAME.….part`), checks the SHA-256, and puts it in its place.
    /// Where the target is a symbolic link, that is the file which the link names, be it there or not; the link stays.
    ///
    /// A connection that breaks is taken up where it was. After a crash, or an error, the same call goes on from what is
    /// there, where the platform told the content's SHA-256; content that became another one meanwhile is begun anew,
    /// never mixed.
    ///
    /// # Errors
    /// `config` when the target is a directory, a device or a pipe, or its directory is not there, before anything is asked;
    /// `upload` when the file cannot be written or what arrived is not the asset; `timeout` when it takes longer than
    /// [`CallOptions::timeout`](crate::CallOptions::timeout) allows; and as every call.
    pub async fn send(self) -> Result<Asset, Error> {
        const ADVICE: &str = "; download it again, which goes on from what is there";
        self.client.options().bound("the download", ADVICE, Box::pin(self.whole())).await
    }

    async fn whole(&self) -> Result<Asset, Error> {
        // What a link of the system's own leads to may have no path, as a pipe behind `/dev/stdout`: it is seen before only.
        check_target(&self.to).await?;
        let to = behind_links(&self.to).await?;
        check_target(&to).await?;
        let (mut restarts, mut breaks) = (0, 0);
        loop {
            let asset = self.client.media().get(&self.id).await?;
            match self.once(&asset, &to).await {
                Ok(()) => return Ok(asset),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Broken(error)) if breaks >= MOST_BREAKS => return Err(error),
                Err(Stop::Broken(_)) => breaks += 1,
                Err(Stop::Changed) if restarts < MOST_RESTARTS => restarts += 1,
                Err(Stop::Changed) => {
                    return Err(Error::upload(format!(
                        "the content of {} became another one again and again while it was downloaded",
                        self.id
                    )));
                }
            }
        }
    }

    async fn once(&self, asset: &Asset, to: &Path) -> Result<(), Stop> {
        let cannot_write = |error| cannot_write(to, error);
        let mut part = Part::open(to, asset).await.map_err(cannot_write)?;
        let path = self.client.media().content_path(&self.id)?;
        let continued = part.is_continued();
        let writer = part.writer(asset.size).map_err(cannot_write)?;
        let fetch = Fetch::new(&self.client, path, &part, asset.size, self.max_streams, &writer);
        let fetched = fetch.run().await;
        drop(fetch);
        // What broke the writing is the reason of all that followed.
        let written = writer.end().await.map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                // What is there is in everybody's way.
                part.discard();
            }
            cannot_write(error)
        });
        match (fetched, written) {
            (Err(stop @ (Stop::Changed | Stop::Broken(_))), Ok(_)) => {
                part.discard();
                Err(stop)
            }
            (_, Err(stop)) => Err(stop),
            (Err(Stop::Failed(error)), Ok(_)) if part.is_worth_keeping() => {
                Err(Stop::Failed(error.explained("; download it again to go on from there")))
            }
            (Err(stop), Ok(_)) => Err(stop),
            (Ok(()), Ok(sha256)) => {
                let expected = asset.sha256.as_ref();
                if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
                    part.discard();
                    // What a crash left may not be what it was taken for.
                    if continued {
                        return Err(Stop::Changed);
                    }
                    return Err(Stop::Failed(Error::upload(format!(
                        "what arrived of {} is not what the platform has: download it again",
                        self.id
                    ))));
                }
                part.place(to).await.map_err(cannot_write)
            }
        }
    }
}

fn cannot_write(to: &Path, error: io::Error) -> Stop {
    let to = to.display();
    Stop::Failed(Error::upload(format!("{to} cannot be written: {error}")).with_source(error))
}

async fn metadata(path: &Path) -> io::Result<Metadata> {
    let path = path.to_owned();
    part::blocking(move || path.metadata()).await
}

/// Where a file is that is written through `to`.
async fn behind_links(to: &Path) -> Result<PathBuf, Error> {
    let (link, mut behind) = (to.to_owned(), to.to_owned());
    let followed = part::blocking(move || {
        for followed in 0..=MOST_LINKS {
            // What is no link, or is not there, cannot be read as one.
            let Ok(link) = behind.read_link() else {
                return Ok((followed == 0 || is_same(&link, &behind)).then_some(behind));
            };
            behind.set_file_name("");
            behind.push(link);
        }
        Ok(None)
    });
    let followed = followed.await.map_err(|error| Error::config(error.to_string()))?;
    followed
        .ok_or_else(|| Error::config(format!("{} is a link that leads to no file", to.display())))
}

/// Whether a link and what was read from it lead to the same file, or to none yet. One of the system's own, `/proc/self/fd/3`, may
/// say where a file was that has no name any more.
fn is_same(link: &Path, read: &Path) -> bool {
    match (link.metadata(), read.metadata()) {
        #[cfg(unix)]
        (Ok(a), Ok(b)) => {
            use std::os::unix::fs::MetadataExt as _;
            (a.dev(), a.ino()) == (b.dev(), b.ino())
        }
        (there, read) => there.is_err() || read.is_ok(),
    }
}

/// Whether a file can be at `to`.
async fn check_target(to: &Path) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::config(why));
    let there = metadata(to).await.ok();
    if to.file_name().is_none() || there.as_ref().is_some_and(Metadata::is_dir) {
        return refuse(format!(
            "{} is a directory: a download needs the file's name too",
            to.display()
        ));
    }
    if there.is_some_and(|there| !there.is_file()) {
        // A device or a pipe would be replaced by the file, for everybody on this machine.
        return refuse(format!(
            "{} is no file: read content_stream() and write into it",
            to.display()
        ));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match metadata(folder).await {
        Ok(data) if data.is_dir() => Ok(()),
        Ok(_) => refuse(format!("{} is no directory", folder.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            refuse(format!("the directory {} is not there: make it first", folder.display()))
        }
        Err(error) => refuse(format!("the directory {}: {error}", folder.display())),
    }
}

//! Downloads: into memory, or into a file that is there whole or not at all.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, header};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::{
    client::Client,
    error::{Error, ErrorKind},
    models::Asset,
    transport::{Request, Response},
};

/// The most that is read into memory.
const MAX_MEMORY: usize = 64 * 1024 * 1024;
/// Times that a broken connection is taken up without a byte having come since.
const MOST_RESUMPTIONS: u32 = 5;
/// The longest silence in the middle of a download.
const SILENCE: Duration = Duration::from_secs(30);

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

/// Downloads into a temporary file beside `to`, checks it, and puts it in its place.
pub(crate) async fn to_file(
    client: &Client,
    path: String,
    asset: &Asset,
    to: &Path,
) -> Result<(), Error> {
    let cannot_write = |e: io::Error| {
        Error::upload(format!("{} cannot be written: {e}", to.display())).with_source(e)
    };
    let part = Part::beside(to);
    let mut file = tokio::fs::File::create(&part.0).await.map_err(cannot_write)?;
    let mut hash = Sha256::new();
    let mut written = 0_u64;
    let mut etag: Option<HeaderValue> = None;
    let mut resumptions = 0;
    loop {
        let mut request = Request::new(Method::GET, "/assets/{id}/content", path.clone());
        request.follows_redirects = true;
        // Without an ETag nothing says that the rest would be of the same bytes.
        if let (true, Some(etag)) = (written > 0, &etag) {
            let range =
                HeaderValue::try_from(format!("bytes={written}-")).expect("a range is ASCII");
            request = request.header(header::RANGE, range).header(header::IF_RANGE, etag.clone());
        }
        let mut response = client.transport().open(&request, client.options()).await?;
        if written > 0 && response.status().as_u16() != 206 {
            file.set_len(0).await.map_err(cannot_write)?;
            tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(cannot_write)?;
            (hash, written) = (Sha256::new(), 0);
        }
        etag = response
            .headers()
            .get(header::ETAG)
            .filter(|e| !e.as_bytes().starts_with(b"W/"))
            .cloned();
        let before = written;
        let broken = loop {
            match piece(&mut response).await {
                Ok(Some(piece)) => {
                    file.write_all(&piece).await.map_err(cannot_write)?;
                    hash.update(&piece);
                    written += piece.len() as u64;
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let Some(error) = broken else { break };
        resumptions = if written > before { 0 } else { resumptions + 1 };
        if resumptions > MOST_RESUMPTIONS {
            return Err(error);
        }
        tracing::debug!(%error, written, "taking the download up again");
    }
    file.flush().await.map_err(cannot_write)?;
    file.sync_all().await.map_err(cannot_write)?;
    drop(file);
    let seen = hex::encode(hash.finalize());
    if asset.sha256.as_ref().is_some_and(|expected| !expected.eq_ignore_ascii_case(&seen)) {
        return Err(Error::upload(format!(
            "what arrived of {} is not what the platform has: download it again",
            asset.id
        )));
    }
    tokio::fs::rename(&part.0, to).await.map_err(cannot_write)?;
    Ok(())
}

/// A temporary file that is removed unless it was put in its place.
struct Part(PathBuf);

impl Part {
    fn beside(to: &Path) -> Self {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        Self(to.with_file_name(format!(".{name}.{}.part", crate::random::uuid().simple())))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already where it was renamed.
        let _ = std::fs::remove_file(&self.0);
    }
}

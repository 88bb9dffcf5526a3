//! One streamed multipart request: the fields, then the file in pieces, its length told before and its SHA-256 taken on the way.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::Method;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{
    UploadSource,
    context::describe,
    progress::{BodyCount, InFlight, Tally},
    source::{AHEAD, Way},
    thread::{self, Running},
};
use crate::{
    client::Client,
    decode,
    error::{Error, ErrorKind},
    models::{Asset, UploadOptions},
    options::CallOptions,
    transport::{Body, Bounds, Made, Request, SendBody},
};

/// The slowest network that an upload is given time for, in bytes a second.
pub(crate) const SLOWEST: u64 = 64 * 1024;
/// What an upload may take beside its bytes' way.
pub(crate) const BASE_TIME: Duration = Duration::from_secs(30);

/// What is hashed on its way: 256 KiB take 0.2 ms.
pub(crate) const FEW: u64 = 256 * 1024;

/// The time that a request with so many bytes is given.
pub(crate) fn bounds(size: u64) -> Bounds {
    let time = BASE_TIME + Duration::from_secs(size / SLOWEST);
    Bounds { timeout: Some(time.max(Duration::from_secs(180)) * 2), attempt_timeout: Some(time) }
}

/// Uploads a file in one request; each attempt reads it anew. The asset, and the SHA-256 of what was sent; where that was not all
/// of it, the file's as it is now. That of bytes may be `known`.
pub(crate) async fn upload(
    client: &Client,
    options: &CallOptions,
    path: String,
    key: &str,
    (source, way, known): (UploadSource, Way, Option<[u8; 32]>),
    fields: UploadOptions,
    tally: &Arc<Tally>,
) -> Result<(Asset, [u8; 32]), Error> {
    let size = source.size()?;
    let boundary = boundary(key, &describe(&source, &fields), known.as_ref());
    let head = head(&boundary, &source.file_name(), &fields)?;
    let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    let length = head.len() as u64 + size + tail.len() as u64;
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let digest = Arc::new(Mutex::new(None));
    let taken = Arc::clone(&digest);
    tally.set_total(size);
    let counters = Arc::clone(tally);
    // On its way until it is answered: a body is gone when its last byte is given to the network.
    let in_flight = InFlight::new(tally);
    let bodies = in_flight.bodies();
    let file = source.clone();
    let begun = AtomicBool::new(false);
    let make = move || {
        if begun.swap(true, Relaxed) {
            counters.failed();
        }
        let file = measured(file.pieces(0..size, way.clone()), bodies.next());
        let file = match known {
            Some(_) => file.boxed(),
            None => {
                let (file, digest) = hashed(file, size);
                *taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
                file.boxed()
            }
        };
        let (head, tail) = (head.clone(), tail.clone());
        let body = futures_util::stream::once(async { Ok(head) })
            .chain(file)
            .chain(futures_util::stream::once(async { Ok(tail) }));
        Ok(Made {
            content_type: content_type.clone(),
            length: Some(length),
            body: SendBody::stream(body),
        })
    };
    let request =
        Request::new(Method::POST, "/assets/upload", path).body(Body::Rebuilt(Arc::new(make)));
    let answer =
        client.transport().send_within(&request, options, bounds(size)).await.map_err(of_source)?;
    if let Some(capture) = &options.capture {
        capture.set(&answer);
    }
    tally.moved(0, size);
    drop(in_flight);
    let asset: Asset = decode::object(&answer.body).map_err(|e| decode::from(e, &answer))?;
    let digest = digest.lock().unwrap_or_else(PoisonError::into_inner).take();
    let sent = match (known, digest) {
        (Some(known), _) => Some(known),
        (None, Some(digest)) => digest.of_all(size).await,
        (None, None) => None,
    };
    let sha256 = match sent {
        Some(sent) => sent,
        // An earlier attempt may have been the one that arrived, or the platform answered before it had read everything.
        None => source.sha256(0..size, None).await.map_err(|e| source.unreadable(e))?,
    };
    Ok((asset, sha256))
}

/// A request that broke because its file did is an error of the file.
pub(crate) fn of_source(error: Error) -> Error {
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        if let Some(io) = source.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(source) = io.downcast_ref::<SourceFailed>()
        {
            return Error::upload(source.0.clone());
        }
        if let Some(source) = source.downcast_ref::<SourceFailed>() {
            return Error::new(ErrorKind::Upload, source.0.clone());
        }
        next = source.source();
    }
    error
}

/// The file could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SourceFailed(pub(crate) String);

/// What stands between a body's parts. The same call has the same body, whoever sends it, so it follows from the key; and from the
/// texts, and the bytes where they are known, so that none of them can hold it and with it parts of its own, even where the key can be
/// guessed.
fn boundary(key: &str, described: &str, known: Option<&[u8; 32]>) -> String {
    let mut hash = Sha256::new();
    hash.update(Sha256::digest(key));
    hash.update(Sha256::digest(described));
    hash.update(known.map_or(&[][..], |sha256| sha256));
    format!("storycore-{}", hex::encode(&hash.finalize()[..16]))
}

/// The fields and the beginning of the file's part.
fn head(boundary: &str, file_name: &str, options: &UploadOptions) -> Result<Bytes, Error> {
    let mut head = String::new();
    let fields = [
        ("type", Some(&options.kind)),
        ("name", options.name.as_ref()),
        ("description", options.description.as_ref()),
        ("project_id", options.project_id.as_ref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            head.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
    }
    let content_type = options.content_type.as_deref().unwrap_or_else(|| by_extension(file_name));
    if !content_type.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(Error::config("the media type has characters that HTTP does not allow"));
    }
    // As browsers write it (WHATWG HTML, multipart/form-data): the three characters that would end the name.
    let file_name = file_name.replace('\n', "%0A").replace('\r', "%0D").replace('"', "%22");
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\nContent-Type: {content_type}\r\n\r\n"
    ));
    Ok(head.into())
}

/// The media type that a file's extension stands for.
pub(crate) fn by_extension(file_name: &str) -> &'static str {
    let extension =
        file_name.rsplit_once('.').map_or(String::new(), |(_, e)| e.to_ascii_lowercase());
    match extension.as_str() {
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "avi" => "video/x-msvideo",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" | "opus" => "audio/ogg",
        "m4a" | "aac" => "audio/mp4",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

/// The SHA-256 of what passes a body.
struct Digest {
    passed: Arc<AtomicU64>,
    taken: Taken,
}

enum Taken {
    /// As the bytes pass: there are so few that a thread would cost more, or there is none.
    Here(Arc<Mutex<Sha256>>),
    Apart(Running<[u8; 32]>),
}

impl Digest {
    /// That of all `size` bytes; nothing where not all of them passed, or the thread broke.
    async fn of_all(self, size: u64) -> Option<[u8; 32]> {
        if self.passed.load(Relaxed) != size {
            return None;
        }
        match self.taken {
            Taken::Here(hash) => {
                let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Some(hash.finalize().into())
            }
            Taken::Apart(taken) => taken.await.ok(),
        }
    }
}

/// Takes the SHA-256 of the `size` bytes that pass; of more than a few on a thread of its own, since it takes longer than a fast
/// network.
fn hashed(
    pieces: impl Stream<Item = io::Result<Bytes>>,
    size: u64,
) -> (impl Stream<Item = io::Result<Bytes>>, Digest) {
    let (sender, receiver) = mpsc::channel::<Bytes>(AHEAD);
    let apart = (size > FEW).then(|| thread::run(move || hash(receiver, size)));
    let (here, taken) = match apart.map(|mut apart| (apart.failed(), apart)) {
        Some((None, apart)) => (None, Taken::Apart(apart)),
        // Few, or there is no such thread: slowly is better than not at all.
        Some((Some(_), _)) | None => {
            let hash = Arc::new(Mutex::new(Sha256::new()));
            (Some(Arc::clone(&hash)), Taken::Here(hash))
        }
    };
    let passed = Arc::new(AtomicU64::new(0));
    let digest = Digest { passed: Arc::clone(&passed), taken };
    let pieces = pieces.then(move |piece| {
        let (sender, passed, here) = (sender.clone(), Arc::clone(&passed), here.clone());
        async move {
            let piece = piece.map_err(|e| io::Error::other(SourceFailed(e.to_string())))?;
            match here {
                Some(hash) => {
                    hash.lock().unwrap_or_else(PoisonError::into_inner).update(&piece);
                }
                // It ends only when it has all.
                None => drop(sender.send(piece.clone()).await),
            }
            passed.fetch_add(piece.len() as u64, Relaxed);
            Ok(piece)
        }
    });
    (pieces, digest)
}

fn hash(mut pieces: mpsc::Receiver<Bytes>, size: u64) -> [u8; 32] {
    let (mut hash, mut length) = (Sha256::new(), 0);
    // The body may be held for longer than its bytes pass.
    while length < size
        && let Some(piece) = pieces.blocking_recv()
    {
        hash.update(&piece);
        length += piece.len() as u64;
        thread::let_others();
    }
    hash.finalize().into()
}

/// Counts the bytes that pass.
fn measured(
    pieces: impl Stream<Item = io::Result<Bytes>>,
    count: BodyCount,
) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.inspect(move |piece| {
        if let Ok(piece) = piece {
            count.add(piece.len() as u64);
        }
    })
}

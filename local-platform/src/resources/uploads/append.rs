//! `PATCH`: the next bytes. They go to the disk as they come; what was received stays when the connection breaks,
//! unless the chunk has a checksum: then all of it stays, verified, or nothing.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body::Frame;
use http_body_util::BodyExt as _;
use storycore_sha256_pair::Sha256;

use super::{
    ALGORITHMS, LENGTH, MAX_SIZE, OFFSET,
    active::{Held, busy},
    finish, number, refuse_size,
    row::{self, Row},
    too_large,
};
use crate::{
    app::App,
    error::ApiError,
    files::{Appending, Checksum, Hashes},
    http::{Ctx, Path, media_type},
};

pub(super) const CONTENT_TYPE: &str = "application/offset+octet-stream";
/// A header, or a trailer.
const CHECKSUM: &str = "upload-checksum";

/// How it is told whether the bytes are those that were sent.
#[derive(Debug)]
enum Proof {
    None,
    /// By a digest that the headers have.
    Told(Checksum, Vec<u8>),
    /// By one that comes after the bytes.
    Trailer,
}

/// What a request says of the bytes it brings.
#[derive(Debug)]
pub(super) struct Chunk {
    offset: u64,
    /// In bytes, if the request says so.
    size: Option<u64>,
    proof: Proof,
}

/// How the bytes ended.
enum End {
    Whole,
    Cut,
    TakenOver,
    TooLong,
    Failed(ApiError),
}

pub(super) async fn append(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    if media_type(&headers) != Some(CONTENT_TYPE) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!("the bytes of an upload come with Content-Type: {CONTENT_TYPE}"),
        ));
    }
    let offset = number(&headers, OFFSET)?
        .ok_or_else(|| ApiError::parameter("upload-offset", "is missing"))?;
    let chunk = Chunk::read(&headers, offset)?;
    Row::find(&app, &ctx.organization_id, &id).await?;
    let held = app.uploads.hold(&id).await?;
    let mut row = Row::find(&app, &ctx.organization_id, &id).await?;
    if row.parts.is_some() {
        return Err(ApiError::forbidden("a final upload is made of its parts and takes no bytes"));
    }
    let there = row.offset(&app).await?;
    if offset != there {
        return Err(ApiError::conflict(
            "offset_mismatch",
            format!("the upload has {there} bytes, and these would begin at {offset}"),
        )
        .with(OFFSET, &there.to_string()));
    }
    if let Some(length) = number(&headers, LENGTH)? {
        declare(&app, &mut row, there, length).await?;
    }
    chunk.fits(offset, row.length.unwrap_or(MAX_SIZE))?;
    let (row, offset) =
        if row.is_settled() { (row, there) } else { take(&app, row, held, chunk, body).await? };
    let mut response = StatusCode::NO_CONTENT.into_response();
    row.describe(response.headers_mut(), offset);
    Ok(response)
}

/// Writes down a length that was left open.
async fn declare(app: &App, row: &mut Row, there: u64, length: u64) -> Result<(), ApiError> {
    refuse_size(length)?;
    if row.length.is_some_and(|known| known != length) || length < there {
        return Err(ApiError::parameter(
            "upload-length",
            "cannot be changed, nor be less than what is there",
        ));
    }
    if row.length.is_none() {
        let mut tx = app.store.begin().await?;
        sqlx::query("UPDATE uploads SET length = ?2 WHERE id = ?1")
            .bind(&row.id)
            .bind(length as i64)
            .execute(tx.sql())
            .await?;
        tx.commit().await?;
        row.length = Some(length);
    }
    Ok(())
}

impl Chunk {
    pub(super) fn read(headers: &HeaderMap, offset: u64) -> Result<Self, ApiError> {
        let proof = match headers.get(CHECKSUM) {
            None if announces(headers) => Proof::Trailer,
            None => Proof::None,
            Some(value) => {
                let (checksum, digest) = told(value)?;
                Proof::Told(checksum, digest)
            }
        };
        Ok(Self { offset, size: number(headers, header::CONTENT_LENGTH)?, proof })
    }

    /// Refuses what would not fit before a byte of it is read.
    pub(super) fn fits(&self, offset: u64, length: u64) -> Result<(), ApiError> {
        if self.size.is_some_and(|size| size > length - offset) {
            return Err(beyond());
        }
        Ok(())
    }
}

/// Whether the checksum comes after the bytes, as `Trailer` says.
fn announces(headers: &HeaderMap) -> bool {
    let names = headers.get_all(header::TRAILER).iter().filter_map(|v| v.to_str().ok());
    names.flat_map(|v| v.split(',')).any(|name| name.trim().eq_ignore_ascii_case(CHECKSUM))
}

/// What a checksum's value says.
fn told(value: &HeaderValue) -> Result<(Checksum, Vec<u8>), ApiError> {
    let (name, digest) = value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(|| {
        ApiError::parameter(CHECKSUM, "must be an algorithm, a space and the digest in base64")
    })?;
    let checksum = Checksum::named(name)
        .ok_or_else(|| ApiError::parameter(CHECKSUM, format!("takes {ALGORITHMS}")))?;
    let digest = STANDARD.decode(digest.trim()).ok();
    let digest = digest.filter(|d| d.len() == checksum.clone().finish().len());
    let digest = digest.ok_or_else(|| {
        ApiError::parameter(
            CHECKSUM,
            "the digest must be base64 and as long as the algorithm has it",
        )
    })?;
    Ok((checksum, digest))
}

fn beyond() -> ApiError {
    too_large("the bytes go beyond the upload's length; nothing of them was kept")
}

/// Takes the bytes in, on a task of its own: a connection that breaks must not end it between two steps.
pub(super) async fn take(
    app: &Arc<App>,
    row: Row,
    held: Held,
    chunk: Chunk,
    body: Body,
) -> Result<(Row, u64), ApiError> {
    let app = Arc::clone(app);
    tokio::spawn(async move { write(&app, row, held, chunk, body).await })
        .await
        .map_err(ApiError::internal)?
}

async fn write(
    app: &Arc<App>,
    mut row: Row,
    mut held: Held,
    chunk: Chunk,
    body: Body,
) -> Result<(Row, u64), ApiError> {
    let start = chunk.offset;
    let is_verified = !matches!(chunk.proof, Proof::None);
    if is_verified {
        note(app, &row, Some(start)).await?;
    }
    let (checksum, digest) = match chunk.proof {
        Proof::None => (None, None),
        Proof::Told(checksum, digest) => (Some(checksum), Some(digest)),
        // Which algorithm it is the trailer tells; this one costs nothing beside the whole's.
        Proof::Trailer => (Some(Checksum::Sha256(Sha256::new())), None),
    };
    let hash = match held.work.hash.take() {
        Some(hash) if hash.length() == start => Some(hash),
        // Parts are hashed when they are joined: that of the first one goes on with this, if it costs nothing now.
        _ if row.is_partial && !matches!(checksum, Some(Checksum::Sha256(_))) => None,
        _ => (start == 0).then(Sha256::new),
    };
    let hashes = Hashes { whole: hash.clone(), chunk: checksum };
    let mut appending = app.files.append_upload(&row.id, start, hashes).await?;
    let most = row.length.unwrap_or(MAX_SIZE) - start;
    let (mut end, taken, trailers) = pour(body, &mut appending, &held, most).await;
    let written = appending.finish().await.map_err(|error| {
        // The last blocks are written after the body's end: a disk that they fill is no mismatch.
        if matches!(end, End::Whole) {
            end = End::Failed(error.into());
        }
    });
    let mut refusal = mismatch();
    let kept = match (&end, written) {
        (End::Failed(_), _) | (_, Err(_)) if !is_verified => None,
        (End::TooLong, _) | (_, Err(_)) => Some(Err(())),
        (_, Ok(hashes)) if !is_verified => Some(Ok(hashes.whole)),
        (End::Whole, Ok(hashes)) => {
            match verify(app, &row, start, hashes.chunk, digest, &trailers).await {
                Ok(()) => Some(Ok(hashes.whole)),
                Err(error) => {
                    refusal = error;
                    Some(Err(()))
                }
            }
        }
        (_, Ok(_)) => Some(Err(())),
    };
    let mut refused = false;
    match kept {
        Some(Ok(hash)) => held.work.hash = hash,
        Some(Err(())) => {
            app.files.cut_upload(&row.id, start).await?;
            held.work.hash = hash;
            refused = true;
        }
        // What reached the disk before an error stays; its hash is made anew at the end.
        None => {}
    }
    row.expires_at = row::expiry(app);
    if let Err(error) = note(app, &row, None).await {
        if is_verified && !refused {
            // The row still says that the chunk is not verified, and a start would cut it off.
            held.work.hash = None;
            app.files.cut_upload(&row.id, start).await?;
        }
        return Err(error);
    }
    let offset = app.files.uploaded(&row.id).await?;
    match end {
        End::Whole if refused => Err(refusal),
        End::Whole if offset != start + taken => {
            Err(ApiError::unavailable("the server has no space left on its disk"))
        }
        End::Whole if row.wants_asset(offset) => {
            Ok((finish::finish(app, row, held).await?, offset))
        }
        End::Whole => Ok((row, offset)),
        End::Cut => Err(ApiError::invalid("the body ended before it was complete")),
        End::TakenOver => Err(busy("a newer request took the upload over")),
        End::TooLong => Err(beyond()),
        End::Failed(error) => Err(error),
    }
}

/// Compares what came with its checksum, which, where no header had it, is among the trailers.
async fn verify(
    app: &App,
    row: &Row,
    start: u64,
    came: Option<Checksum>,
    digest: Option<Vec<u8>>,
    trailers: &HeaderMap,
) -> Result<(), ApiError> {
    let came = came.ok_or_else(|| ApiError::internal("a chunk was not hashed"))?;
    let (came, digest) = match digest {
        Some(digest) => (came.finish(), digest),
        None => {
            let value = trailers.get(CHECKSUM).ok_or_else(|| {
                ApiError::parameter(CHECKSUM, "was announced as a trailer and did not come")
            })?;
            match told(value)? {
                (Checksum::Sha256(_), digest) => (came.finish(), digest),
                (other, digest) => {
                    (app.files.checksum_of_upload(&row.id, start, other).await?, digest)
                }
            }
        }
    };
    if came == digest { Ok(()) } else { Err(mismatch()) }
}

fn mismatch() -> ApiError {
    let status = StatusCode::from_u16(460).expect("a status has three digits");
    ApiError::new(
        status,
        "checksum_mismatch",
        "the bytes are not those of the checksum; nothing of them was kept",
    )
}

/// Reads the body until it ends, breaks, or another wants the upload: how many bytes came, and what came after them.
async fn pour(mut body: Body, to: &mut Appending, held: &Held, most: u64) -> (End, u64, HeaderMap) {
    let (mut taken, mut trailers) = (0, HeaderMap::new());
    let end = loop {
        let frame = tokio::select! {
            biased;
            () = held.end.cancelled() => break End::TakenOver,
            frame = body.frame() => frame,
        };
        let piece = match frame.map(|frame| frame.map(Frame::into_data)) {
            None => break End::Whole,
            Some(Err(_)) => break End::Cut,
            Some(Ok(Ok(piece))) => piece,
            Some(Ok(Err(other))) => {
                trailers.extend(other.into_trailers().unwrap_or_default());
                continue;
            }
        };
        let length = piece.len() as u64;
        if length > most - taken {
            break End::TooLong;
        }
        if let Err(error) = to.write(piece).await {
            break End::Failed(error.into());
        }
        taken += length;
    };
    (end, taken, trailers)
}

/// Writes down when the upload expires, and from where on its bytes are not verified.
async fn note(app: &App, row: &Row, chunk_start: Option<u64>) -> Result<(), ApiError> {
    let mut tx = app.store.begin().await?;
    sqlx::query("UPDATE uploads SET chunk_start = ?2, expires_at = ?3 WHERE id = ?1")
        .bind(&row.id)
        .bind(chunk_start.map(|n| n as i64))
        .bind(&row.expires_at)
        .execute(tx.sql())
        .await?;
    tx.commit().await?;
    Ok(())
}

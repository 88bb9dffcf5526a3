//! `PATCH`: the next bytes. They go to the disk as they come; what was received stays when the connection breaks,
//! unless the chunk has a checksum: then all of it stays, verified, or nothing.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
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

/// What a request says of the bytes it brings.
#[derive(Debug)]
pub(super) struct Chunk {
    offset: u64,
    /// In bytes, if the request says so.
    size: Option<u64>,
    checksum: Option<(Checksum, Vec<u8>)>,
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
        let checksum = match headers.get("upload-checksum") {
            None => None,
            Some(value) => {
                let (name, digest) =
                    value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(|| {
                        ApiError::parameter(
                            "upload-checksum",
                            "must be an algorithm, a space and the digest in base64",
                        )
                    })?;
                let checksum = Checksum::named(name).ok_or_else(|| {
                    ApiError::parameter("upload-checksum", format!("takes {ALGORITHMS}"))
                })?;
                let digest = STANDARD.decode(digest.trim()).ok();
                let digest = digest.filter(|d| d.len() == checksum.clone().finish().len());
                let digest = digest.ok_or_else(|| {
                    ApiError::parameter(
                        "upload-checksum",
                        "the digest must be base64 and as long as the algorithm has it",
                    )
                })?;
                Some((checksum, digest))
            }
        };
        Ok(Self { offset, size: number(headers, header::CONTENT_LENGTH)?, checksum })
    }

    /// Refuses what would not fit before a byte of it is read.
    pub(super) fn fits(&self, offset: u64, length: u64) -> Result<(), ApiError> {
        if self.size.is_some_and(|size| size > length - offset) {
            return Err(beyond());
        }
        Ok(())
    }
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
    if chunk.checksum.is_some() {
        note(app, &row, Some(start)).await?;
    }
    let (checksum, digest) = chunk.checksum.unzip();
    let hash = match held.work.hash.take() {
        Some(hash) if hash.length() == start => Some(hash),
        // Parts are hashed when they are joined: that of the first one goes on with this, if it costs nothing now.
        _ if row.is_partial && !matches!(checksum, Some(Checksum::Sha256(_))) => None,
        _ => (start == 0).then(Sha256::new),
    };
    let path = app.files.upload(&row.id);
    let hashes = Hashes { whole: hash.clone(), chunk: checksum };
    let mut appending = Appending::open(path, start, hashes).await?;
    let most = row.length.unwrap_or(MAX_SIZE) - start;
    let (end, taken) = pour(body, &mut appending, &held, most).await;
    let written = appending.finish().await;
    let kept = match (&end, written) {
        (End::Failed(_), _) | (_, Err(_)) if digest.is_none() => None,
        (End::TooLong, _) => Some(Err(())),
        (_, Ok(hashes)) => match (&digest, hashes.chunk) {
            (None, _) => Some(Ok(hashes.whole)),
            (Some(digest), Some(checksum))
                if matches!(end, End::Whole) && checksum.clone().finish() == *digest =>
            {
                Some(Ok(hashes.whole))
            }
            _ => Some(Err(())),
        },
        (_, Err(_)) => Some(Err(())),
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
        if digest.is_some() && !refused {
            // The row still says that the chunk is not verified, and a start would cut it off.
            held.work.hash = None;
            app.files.cut_upload(&row.id, start).await?;
        }
        return Err(error);
    }
    let offset = app.files.uploaded(&row.id).await?;
    match end {
        End::Whole if refused => Err(mismatch()),
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

fn mismatch() -> ApiError {
    let status = StatusCode::from_u16(460).expect("a status has three digits");
    ApiError::new(
        status,
        "checksum_mismatch",
        "the bytes are not those of the checksum; nothing of them was kept",
    )
}

/// Reads the body until it ends, breaks, or another wants the upload.
async fn pour(body: Body, to: &mut Appending, held: &Held, most: u64) -> (End, u64) {
    let mut body = body.into_data_stream();
    let mut taken = 0;
    loop {
        let piece = tokio::select! {
            biased;
            () = held.end.cancelled() => return (End::TakenOver, taken),
            piece = body.next() => piece,
        };
        match piece {
            None => return (End::Whole, taken),
            Some(Err(_)) => return (End::Cut, taken),
            Some(Ok(piece)) => {
                if piece.len() as u64 > most - taken {
                    return (End::TooLong, taken);
                }
                let length = piece.len() as u64;
                if let Err(error) = to.write(piece).await {
                    return (End::Failed(error.into()), taken);
                }
                taken += length;
            }
        }
    }
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

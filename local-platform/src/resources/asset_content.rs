//! `/api/assets/{id}/content`: an asset's bytes, whole or a range of them, streamed from disk (RFC 9110 §13, §14).

use std::{io::SeekFrom, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::assets::{self, Asset, Status, TABLE};
use crate::{
    app::App,
    error::ApiError,
    http::{Ctx, Path},
};

/// Bytes read at a time.
const BLOCK: usize = 256 * 1024;
/// What RFC 8187 lets stand unencoded in `filename*`.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'!').remove(b'+');

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new().route("/api/assets/{id}/content", get(content))
}

async fn content(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some((asset, file_name)) = assets::find(&app, &ctx.organization_id, &id).await? else {
        return Err(TABLE.not_found(&id));
    };
    if asset.status != Status::Ready {
        return Err(ApiError::conflict("conflict", "this asset has no content: it is not ready"));
    }
    let etag = format!("\"{}\"", asset.sha256);
    if headers.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &etag)) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        set(response.headers_mut(), header::ETAG, &etag);
        return Ok(response);
    }
    let range = match headers.get(header::IF_RANGE) {
        // Only the strong validator that this very content has lets a part be sent.
        Some(condition) if condition.as_bytes() != etag.as_bytes() => Range::Whole,
        _ => range(&headers, asset.size),
    };
    let (status, start, length) = match range {
        Range::Whole => (StatusCode::OK, 0, asset.size),
        Range::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
        Range::Unsatisfiable => return Err(unsatisfiable(asset.size)),
    };
    let mut file = match tokio::fs::File::open(app.files.asset(&id)).await {
        Ok(file) => file,
        // Deleted since the row was read.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(TABLE.not_found(&id));
        }
        Err(error) => return Err(error.into()),
    };
    if start > 0 {
        file.seek(SeekFrom::Start(start)).await?;
    }
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), BLOCK));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    describe(headers, &asset, &file_name, &etag);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{}", start + length - 1, asset.size);
        set(headers, header::CONTENT_RANGE, &range);
    }
    Ok(response)
}

fn describe(headers: &mut HeaderMap, asset: &Asset, file_name: &str, etag: &str) {
    set(headers, header::CONTENT_TYPE, &asset.content_type);
    set(headers, header::ETAG, etag);
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::CONTENT_DISPOSITION, &attachment(file_name));
    // The type is the uploader's word: a browser must not make a page of it.
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // It never changes, and it is for whoever has the credential.
    set(headers, header::CACHE_CONTROL, "private, no-cache");
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `Content-Disposition` for a file of any name (RFC 6266): in ASCII for old clients, and whole.
fn attachment(name: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%' | '/');
    let ascii: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let encoded = utf8_percent_encode(name, ENCODED);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Whether an `If-None-Match` names this content; weak comparison (RFC 9110 §13.1.2).
fn names(value: &HeaderValue, etag: &str) -> bool {
    let Ok(text) = value.to_str() else { return false };
    text.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn unsatisfiable(size: u64) -> ApiError {
    ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        format!("the content has {size} bytes, and the range asks for none of them"),
    )
    .with(header::CONTENT_RANGE, &format!("bytes */{size}"))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From `start` to `end`, both included.
    Part {
        start: u64,
        end: u64,
    },
    Unsatisfiable,
}

/// What a `Range` asks for. One that cannot be read, or that asks for several parts at once, gets the whole, as RFC 9110
/// §14.2 lets a server choose.
fn range(headers: &HeaderMap, size: u64) -> Range {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Range::Whole };
    let spec = value.to_str().ok().and_then(|v| {
        let (unit, spec) = v.split_once('=')?;
        unit.trim().eq_ignore_ascii_case("bytes").then(|| spec.trim())
    });
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Range::Whole;
    };
    let (Some(first), Some(last)) = (position(first), position(last)) else { return Range::Whole };
    match (first, last) {
        (None, None) => Range::Whole,
        (Some(first), Some(last)) if first > last => Range::Whole,
        (Some(first), _) if first >= size => Range::Unsatisfiable,
        (Some(start), last) => {
            Range::Part { start, end: last.map_or(size - 1, |last| last.min(size - 1)) }
        }
        (None, Some(0)) => Range::Unsatisfiable,
        (None, Some(_)) if size == 0 => Range::Unsatisfiable,
        (None, Some(length)) => Range::Part { start: size.saturating_sub(length), end: size - 1 },
    }
}

/// A position in a range: `None` when it is none, `Some(None)` when it is left out. One beyond every number is beyond
/// every file.
fn position(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

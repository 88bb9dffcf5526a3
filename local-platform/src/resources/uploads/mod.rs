//! `/api/assets/uploads`: resumable uploads, tus 1.0.0 with creation, creation-with-upload, creation-defer-length,
//! checksum, checksum-trailer, concatenation, termination and expiration. This file is the protocol's frame: versions, discovery, HEAD, DELETE.

mod active;
mod append;
mod concat;
mod create;
mod finish;
mod metadata;
mod row;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodFilter, on, options, patch},
};

pub(crate) use active::Active;
use row::Row;
pub(crate) use row::expire;

use crate::{
    app::App,
    error::ApiError,
    http::{Ctx, Path},
};

/// StoryCore's path; other dialects have their own names for it.
const PATH: &str = "/api/assets/uploads";
const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,creation-defer-length,checksum,checksum-trailer,concatenation,termination,expiration";
const ALGORITHMS: &str = "sha256,sha1,crc32c";
/// The largest upload, in bytes: 1 TiB.
const MAX_SIZE: u64 = 1 << 40;

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const CONCAT: HeaderName = HeaderName::from_static("upload-concat");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const ASSET_ID: HeaderName = HeaderName::from_static("x-asset-id");

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        // In full, as the contract's check reads it.
        .route("/api/assets/uploads", options(discover).post(create::create))
        .route(
            "/api/assets/uploads/{id}",
            patch(append::append)
                .delete(terminate)
                .options(discover)
                .merge(on(MethodFilter::HEAD, state)),
        )
        .layer(middleware::from_fn(protocol))
}

/// Refuses other versions of tus, and names this one on every answer.
async fn protocol(request: Request, next: Next) -> Response {
    let speaks = request.headers().get(TUS_RESUMABLE).is_some_and(|v| v == VERSION);
    let needs =
        matches!(*request.method(), Method::POST | Method::PATCH | Method::HEAD | Method::DELETE);
    let mut response = if speaks || !needs {
        next.run(request).await
    } else {
        ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "unsupported_version",
            "send Tus-Resumable: 1.0.0, the one version of tus that is spoken here",
        )
        .with(TUS_VERSION, VERSION)
        .into_response()
    };
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    response
}

async fn discover() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    headers.insert("tus-extension", HeaderValue::from_static(EXTENSIONS));
    headers.insert("tus-checksum-algorithm", HeaderValue::from_static(ALGORITHMS));
    headers.insert("tus-max-size", HeaderValue::from(MAX_SIZE));
    response
}

/// How far an upload is. Whoever writes to it is ended first: a client that asks has given up on what it sent before,
/// and a dead connection must not keep it waiting.
async fn state(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Row::find(&app, &ctx.organization_id, &id).await?;
    let held = app.uploads.hold(&id).await?;
    let mut row = Row::find(&app, &ctx.organization_id, &id).await?;
    let offset = row.offset(&app).await?;
    if row.wants_asset(offset) {
        // All bytes are there, and what should have followed was cut off by a crash or a full disk.
        row = finish::within_a_second(&app, row, held).await?;
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    row.describe(headers, offset);
    match row.length {
        Some(length) => headers.insert(LENGTH, HeaderValue::from(length)),
        None => headers.insert(DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if let Ok(metadata) = HeaderValue::from_str(&row.metadata)
        && !metadata.is_empty()
    {
        headers.insert(METADATA, metadata);
    }
    let concat = match &row.parts {
        Some(parts) => {
            let theirs = parts.split(' ').map(|id| location(&ctx, id)).collect::<Vec<_>>();
            Some(format!("final;{}", theirs.join(" ")))
        }
        None => row.is_partial.then(|| "partial".to_owned()),
    };
    if let Some(Ok(concat)) = concat.map(|c| HeaderValue::from_str(&c)) {
        headers.insert(CONCAT, concat);
    }
    Ok(response)
}

/// Ends an upload and removes what came of it; an asset that was made of it stays.
async fn terminate(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Row::find(&app, &ctx.organization_id, &id).await?;
    let _held = app.uploads.hold(&id).await?;
    let row = Row::find(&app, &ctx.organization_id, &id).await?;
    row::bury(&app, &id).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(Ok(asset)) = row.asset_id.map(|id| HeaderValue::from_str(&id)) {
        // Whoever cancelled while the last byte was on its way learns of it here.
        response.headers_mut().insert(ASSET_ID, asset);
    }
    Ok(response)
}

/// An upload's path, as the client's dialect has it. A reference without a host is right behind every proxy.
fn location(ctx: &Ctx, id: &str) -> String {
    ctx.dialect.theirs(&format!("{PATH}/{id}"))
}

/// A header with a number of bytes.
fn number(headers: &HeaderMap, name: HeaderName) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(&name) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|v| v.parse().ok()).filter(|n: &u64| i64::try_from(*n).is_ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(ApiError::parameter(name.as_str(), "must be a number of bytes")),
    }
}

fn too_large(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
}

fn refuse_size(length: u64) -> Result<(), ApiError> {
    if length > MAX_SIZE {
        return Err(too_large(format!("an upload may have at most {MAX_SIZE} bytes")));
    }
    Ok(())
}

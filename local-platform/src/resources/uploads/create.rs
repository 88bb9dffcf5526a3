//! `POST`: a new upload, perhaps with its first bytes, or a final one made of parts.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::{
    CONCAT, DEFER_LENGTH, LENGTH, METADATA,
    append::{self, Chunk},
    concat, finish, location,
    metadata::{self, Metadata},
    number, refuse_size,
    row::{self, Row},
};
use crate::{
    app::App,
    error::ApiError,
    http::{Ctx, Reply, idempotency, media_type},
    ids,
    resources::projects,
};

pub(super) async fn create(
    State(app): State<Arc<App>>,
    ctx: Ctx,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let text = metadata::text(&headers)?;
    let said = Metadata::read(text)?;
    if let Some(idempotency) = &ctx.idempotency
        && let Some(reply) = idempotency.replay(fingerprint(parts.uri.path(), &headers)).await?
    {
        return again(&app, &ctx, reply).await;
    }
    let concat = match headers.get(CONCAT).map(HeaderValue::to_str) {
        None => None,
        Some(Ok(concat)) => Some(concat),
        Some(Err(_)) => return Err(wrong_concat()),
    };
    if let Some(urls) = concat.and_then(|c| c.strip_prefix("final;")) {
        check_project(&app, &ctx, &said).await?;
        let row = concat::join(&app, &ctx, urls, text.to_owned(), said).await?;
        return created(&ctx, &row, row.length.unwrap_or(0));
    }
    if concat.is_some_and(|c| c != "partial") {
        return Err(wrong_concat());
    }
    let length = number(&headers, LENGTH)?;
    match (length, headers.get(DEFER_LENGTH)) {
        (Some(length), None) => refuse_size(length)?,
        (None, Some(defer)) if defer == "1" => {}
        _ => {
            return Err(ApiError::parameter(
                "upload-length",
                "send either Upload-Length with a number of bytes or Upload-Defer-Length: 1",
            ));
        }
    }
    let chunk = if media_type(&headers) == Some(append::CONTENT_TYPE) {
        Some(Chunk::read(&headers, 0)?)
    } else {
        None
    };
    check_project(&app, &ctx, &said).await?;
    let row = Row {
        id: ids::new("upl"),
        organization_id: ctx.organization_id.to_string(),
        length,
        is_partial: concat.is_some(),
        parts: None,
        metadata: text.to_owned(),
        final_id: None,
        asset_id: None,
        expires_at: row::expiry(&app),
    };
    if let (Some(chunk), Some(length)) = (&chunk, length) {
        chunk.fits(0, length)?;
    }
    let mut tx = app.store.begin().await?;
    row.insert(&mut tx).await?;
    keep(&ctx, &mut tx, &row)?;
    app.files.begin_upload(&row.id).await?;
    if let Err(error) = tx.commit().await {
        app.files.remove_upload(&row.id).await;
        return Err(error.into());
    }
    let (row, offset) = match chunk {
        Some(chunk) => {
            let held = app.uploads.hold(&row.id).await?;
            append::take(&app, row, held, chunk, body).await?
        }
        None if row.wants_asset(0) => {
            let held = app.uploads.hold(&row.id).await?;
            (finish::finish(&app, row, held).await?, 0)
        }
        None => (row, 0),
    };
    created(&ctx, &row, offset)
}

fn wrong_concat() -> ApiError {
    ApiError::parameter("upload-concat", "must be partial, or final; and the URLs of the parts")
}

async fn check_project(app: &App, ctx: &Ctx, said: &Metadata) -> Result<(), ApiError> {
    let Some(project) = &said.project_id else { return Ok(()) };
    let mut tx = app.store.begin().await?;
    if projects::exists(&mut tx, &ctx.organization_id, project).await? {
        return Ok(());
    }
    Err(ApiError::parameter("project_id", format!("no project has the id {project:?}")))
}

/// What tells one creation from another: its headers, since the body is bytes of the file.
fn fingerprint(path: &str, headers: &HeaderMap) -> [u8; 32] {
    let mut said = Vec::new();
    for name in [LENGTH, DEFER_LENGTH, CONCAT, METADATA] {
        said.extend_from_slice(headers.get(name).map_or(b"", HeaderValue::as_bytes));
        said.push(0);
    }
    idempotency::fingerprint("POST", path, &said)
}

/// Keeps the answer for a creation sent again.
pub(super) fn keep(ctx: &Ctx, tx: &mut crate::store::Tx<'_>, row: &Row) -> Result<(), ApiError> {
    if let Some(idempotency) = &ctx.idempotency {
        let reply = Reply::object(StatusCode::CREATED, &json!({"id": row.id}))?;
        idempotency.keep(tx.at_the_end(), &reply)?;
    }
    Ok(())
}

/// The answer to a creation that was sent before: the same upload, as far as it is now.
async fn again(app: &Arc<App>, ctx: &Ctx, reply: Reply) -> Result<Response, ApiError> {
    let kept: Value = serde_json::from_slice(&reply.body).map_err(ApiError::internal)?;
    let row = Row::find(app, &ctx.organization_id, kept["id"].as_str().unwrap_or_default()).await?;
    let offset = row.offset(app).await?;
    let mut response = created(ctx, &row, offset)?;
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

fn created(ctx: &Ctx, row: &Row, offset: u64) -> Result<Response, ApiError> {
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    row.describe(headers, offset);
    let location = HeaderValue::from_str(&location(ctx, &row.id)).map_err(ApiError::internal)?;
    headers.insert(header::LOCATION, location);
    Ok(response)
}

//! The first and last to touch every request: request id, journal, planted faults, the dialect's names, a panic's answer.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;

use super::{Connection, body::Watched, dialect, pipeline, reply};
use crate::{app::App, error::ApiError, faults::Fault};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Passes a request on and its answer back.
pub(crate) async fn edge(
    State(app): State<Arc<App>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = app.request_id();
    override_method(&mut request);
    let path = request.uri().path();
    if path.starts_with("/_local/") {
        return identified(next.run(request).await, &request_id);
    }
    let entry = app.journal.note(request.method(), request.uri(), request.headers());
    let fault = app.faults.hit(request.method(), path);

    let (dialect, ours) = dialect::of(path);
    if let std::borrow::Cow::Owned(ours) = ours {
        match dialect::with_path(request.uri(), &ours) {
            Some(uri) => *request.uri_mut() = uri,
            None => {
                return identified(
                    ApiError::invalid("the path cannot be read").into_response(),
                    &request_id,
                );
            }
        }
    }
    request.extensions_mut().insert(dialect);
    request.extensions_mut().insert(Arc::clone(&entry));
    let request = request.map(|body| Watched::over(body, &connection));

    let action = fault.as_ref().map(|(fault, _)| &fault.action);
    let request = match action.and_then(|a| Some((a, a.after_bytes?))) {
        Some((action, after)) => {
            let end = BodyEnd {
                connection: connection.clone(),
                stopping: app.stopping.clone(),
                reset: action.reset,
                stall: action.stall,
            };
            request.map(|body| cut_body(body, after, end))
        }
        None => request,
    };
    let handle = async {
        let response = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response =
            response.unwrap_or_else(|_| ApiError::internal("a handler panicked").into_response());
        if dialect.wrapped { reply::wrap(response).await } else { response }
    };
    let mut response = match fault {
        None => handle.await,
        Some((fault, cleared)) => faulty(&app, &connection, &fault, &cleared, handle).await,
    };
    if connection.ends() {
        // Else a client may send its next request on a connection that is about to close.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    entry.status(response.status());
    identified(response, &request_id)
}

/// A POST to an upload that stands for another method, as tus has it for clients that know no PATCH or DELETE.
fn override_method(request: &mut Request) {
    let header = request.headers().get("x-http-method-override");
    if let Some(method) = header.and_then(|m| Method::from_bytes(m.as_bytes()).ok())
        && request.method() == Method::POST
        && pipeline::is_upload(&dialect::of(request.uri().path()).1)
        && matches!(method, Method::PATCH | Method::DELETE | Method::HEAD | Method::POST)
    {
        *request.method_mut() = method;
    }
}

fn identified(mut response: Response, request_id: &str) -> Response {
    if !response.headers().contains_key(REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(request_id)
    {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Lets a planted fault happen around the handling of a request.
async fn faulty(
    app: &App,
    connection: &Connection,
    fault: &Fault,
    cleared: &CancellationToken,
    handle: impl Future<Output = Response>,
) -> Response {
    let action = &fault.action;
    if let Some(ms) = action.delay_ms {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            () = cleared.cancelled() => {}
            () = app.stopping.cancelled() => {}
        }
    }
    // An answer to a cut connection is never sent: its first write fails.
    let cut = || StatusCode::INTERNAL_SERVER_ERROR.into_response();
    if action.after_bytes.is_some() {
        // The body does it, where the request gets so far.
        return handle.await;
    }
    if action.reset {
        connection.reset();
        return cut();
    }
    if action.drop_before {
        connection.close();
        return cut();
    }
    let mut response = match action.status {
        Some(status) => planted(status, action.body.as_deref()),
        None => handle.await,
    };
    if action.drop_after {
        connection.close();
        return cut();
    }
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if action.truncate || action.stall || action.bad_json {
        response = damaged(app, connection, response, action.truncate, action.stall).await;
    }
    response
}

/// What happens to a request in the middle of its body.
struct BodyEnd {
    connection: Connection,
    stopping: CancellationToken,
    reset: bool,
    stall: bool,
}

/// The first `after` bytes of a body, and what was planted behind them.
fn cut_body(body: Body, after: u64, end: BodyEnd) -> Body {
    let stream = futures_util::stream::unfold(
        (Some(body.into_data_stream()), after, end),
        |(stream, left, end)| async move {
            let mut stream = stream?;
            if left > 0 {
                let mut piece = match stream.next().await? {
                    Ok(piece) => piece,
                    Err(error) => return Some((Err(error), (None, 0, end))),
                };
                let fits = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                piece.truncate(fits);
                return Some((Ok(piece), (Some(stream), left - fits as u64, end)));
            }
            if end.reset {
                end.connection.reset();
            } else if end.stall {
                end.stopping.cancelled().await;
            } else {
                end.connection.close();
            }
            let cut = axum::Error::new(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
            Some((Err(cut), (None, 0, end)))
        },
    );
    Body::from_stream(stream)
}

/// The answer with a planted status.
fn planted(status: u16, body: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(body) = body {
        return (status, body.to_owned()).into_response();
    }
    let code = match status.as_u16() {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        422 => "unprocessable",
        429 => "rate_limit_exceeded",
        503 => "unavailable",
        500.. => "internal",
        _ => "invalid_request",
    };
    ApiError::new(status, code, "a planted fault").into_response()
}

/// The answer with only half of its body: cut off, silent after it, or given out as whole.
async fn damaged(
    app: &App,
    connection: &Connection,
    response: Response,
    truncate: bool,
    stall: bool,
) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        return ApiError::internal("an answer could not be damaged").into_response();
    };
    let whole = body.to_bytes();
    if whole.is_empty() && (truncate || stall) {
        // There is no middle: nothing of the answer is sent.
        if stall {
            app.stopping.cancelled().await;
        }
        connection.close();
        return Response::from_parts(parts, Body::empty());
    }
    let half = whole.slice(..whole.len() / 2);
    if !truncate && !stall {
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::from(half));
    }
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let first = futures_util::stream::once(async { Ok::<Bytes, std::io::Error>(half) });
    let stopping = app.stopping.clone();
    let then = futures_util::stream::once(async move {
        if stall {
            stopping.cancelled().await;
        }
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Response::from_parts(parts, Body::from_stream(first.chain(then)))
}

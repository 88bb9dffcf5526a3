//! Reading an answer into memory, a bounded part of it. What an error's answer means is `failure.rs`'s.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{failure, response::Response};
use crate::{
    error::{Error, ErrorKind, MAX_ERROR_BODY},
    options::{CallOptions, RawResponse},
};

/// The largest answer that is read as a whole.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// Room that is made for an answer's length before that much has come.
const AT_ONCE: usize = 1024 * 1024;
/// How long the body of an error is waited for, whose status is there: that is worth more than its words.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

/// Reads an answer to its end.
pub(super) async fn read_whole(mut response: Response) -> Result<RawResponse, Error> {
    let status = response.status().as_u16();
    let headers = response.take_headers();
    let request_id = failure::request_id(&headers);
    let known = |error: Error| {
        error.with(|e| {
            e.status = e.status.or(Some(status));
            e.request_id.clone_from(&request_id);
        })
    };
    let body = read_at_most(&mut response, MAX_BODY).await;
    let (body, complete) = body.map_err(|e| e.with(|e| e.request_id.clone_from(&request_id)))?;
    if !complete {
        return Err(known(Error::new(ErrorKind::Decode, "the answer has more than 64 MiB")));
    }
    Ok(RawResponse { status, headers, request_id, body })
}

/// Reads an error's answer, a bounded part of it.
pub(super) async fn read_error(mut response: Response, options: &CallOptions) -> Error {
    let (status, headers) = (response.status(), response.headers().clone());
    // What breaks off, or never ends, is still an answer with a status.
    let body =
        match tokio::time::timeout(ERROR_BODY_TIME, read_at_most(&mut response, MAX_ERROR_BODY))
            .await
        {
            Ok(Ok((body, _))) => body,
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
    drop(response);
    if let Some(capture) = &options.capture {
        capture.set(&RawResponse {
            status: status.as_u16(),
            request_id: failure::request_id(&headers),
            headers: headers.clone(),
            body: body.clone(),
        });
    }
    failure::of_answer(status, &headers, &body)
}

/// At most `most` bytes of a body, and whether that is all of it.
async fn read_at_most(response: &mut Response, most: usize) -> Result<(Bytes, bool), Error> {
    let Some(first) = response.chunk().await? else {
        return Ok((Bytes::new(), true));
    };
    // Most answers are one piece, which need not be copied.
    let second = if response.has_ended() { None } else { response.chunk().await? };
    let Some(second) = second else {
        return Ok(if first.len() > most { (first.slice(..most), false) } else { (first, true) });
    };
    // Once, and not again with each piece; but no more than what came for what is only promised.
    let promised = response.remaining().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let came = first.len() + second.len();
    let mut body = BytesMut::with_capacity(came + promised.min(AT_ONCE.max(came)));
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        let room = most.saturating_sub(body.len());
        if piece.len() > room {
            body.extend_from_slice(&piece[..room]);
            return Ok((body.freeze(), false));
        }
        body.extend_from_slice(&piece);
        next = response.chunk().await?;
    }
    Ok((body.freeze(), true))
}

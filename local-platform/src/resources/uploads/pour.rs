//! The reading of a chunk's bytes, by the task of their connection: whoever waits for them elsewhere gets what was read however it
//! ends, the connection's own end included.

use axum::{body::Body, http::HeaderMap};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{error::ApiError, files::Appending};

/// How the bytes ended.
pub(super) enum End {
    Whole,
    Cut,
    TakenOver,
    TooLong,
    Failed(ApiError),
}

/// What came of a body.
pub(super) struct Poured {
    pub(super) appending: Appending,
    pub(super) end: End,
    /// Bytes.
    pub(super) taken: u64,
    pub(super) trailers: HeaderMap,
}

/// A chunk that is being filled by the connection's task, and comes back whatever becomes of that.
pub(super) struct Lent {
    poured: Option<Poured>,
    most: u64,
    /// Set when another wants the upload.
    taken_over: CancellationToken,
    back: Option<oneshot::Sender<Poured>>,
}

impl Lent {
    pub(super) fn new(
        appending: Appending,
        most: u64,
        taken_over: CancellationToken,
    ) -> (Self, oneshot::Receiver<Poured>) {
        let (back, comes_back) = oneshot::channel();
        let poured = Poured { appending, end: End::Cut, taken: 0, trailers: HeaderMap::new() };
        (Self { poured: Some(poured), most, taken_over, back: Some(back) }, comes_back)
    }

    /// Reads the body until it ends, breaks, or another wants the upload.
    pub(super) async fn pour(&mut self, mut body: Body) {
        let Some(to) = &mut self.poured else { return };
        to.end = loop {
            let frame = tokio::select! {
                biased;
                () = self.taken_over.cancelled() => break End::TakenOver,
                frame = body.frame() => frame,
            };
            let piece = match frame.map(|frame| frame.map(Frame::into_data)) {
                None => break End::Whole,
                Some(Err(_)) => break End::Cut,
                Some(Ok(Ok(piece))) => piece,
                Some(Ok(Err(other))) => {
                    to.trailers.extend(other.into_trailers().unwrap_or_default());
                    continue;
                }
            };
            let length = piece.len() as u64;
            if length > self.most - to.taken {
                break End::TooLong;
            }
            if let Err(error) = to.appending.write(piece).await {
                break End::Failed(error.into());
            }
            to.taken += length;
        };
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(back), Some(poured)) = (self.back.take(), self.poured.take()) {
            // Nobody waits for it only when the platform ends.
            drop(back.send(poured));
        }
    }
}

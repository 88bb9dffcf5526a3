//! The hash of the chunk that comes next, taken while the one before it is on its way.

use std::{
    future::poll_fn,
    io,
    ops::Range,
    pin::{Pin, pin},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, MaybeDone, maybe_done},
};

use super::{UploadSource, buffers::Buffers, whole::Along};

/// A chunk whose hash is taken while the one before it is sent. Dropping it stops that.
pub(crate) struct Ahead {
    pub(crate) start: u64,
    pub(crate) length: u64,
    sha256: MaybeDone<BoxFuture<'static, io::Result<[u8; 32]>>>,
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Ahead {
    /// Of these bytes.
    pub(crate) fn of(
        source: &UploadSource,
        range: Range<u64>,
        along: Option<Along>,
        buffers: Buffers,
    ) -> Self {
        let source = source.clone();
        let (start, length) = (range.start, range.end - range.start);
        let sha256 = async move { source.sha256_in(range, along, buffers).await };
        Self { start, length, sha256: maybe_done(sha256.boxed()) }
    }

    /// The hash, once it is there.
    pub(crate) async fn sha256(mut self) -> io::Result<[u8; 32]> {
        (&mut self.sha256).await;
        Pin::new(&mut self.sha256).take_output().expect("it was awaited just now, and once only")
    }

    /// Does `work` while this is taken.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let _ = Pin::new(&mut self.sha256).poll(cx);
            work.as_mut().poll(cx)
        })
        .await
    }
}

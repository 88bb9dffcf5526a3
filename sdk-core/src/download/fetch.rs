//! Asks for what is missing of a download, in one stream or in several ranges side by side, and takes up what breaks. Every
//! range is of the content that the first answer was of, by `If-Range` (RFC 9110 §13.1.5), or nothing is kept.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::HeaderValue;
use tokio::sync::mpsc;

use super::{
    content::{Content, Stop, strong_etag},
    part::{Arrived, Part, SEGMENT, Writer},
    piece,
};
use crate::{
    client::Client,
    error::{Error, ErrorKind},
    transport::{Response, backoff},
};

/// Times that a broken connection is taken up without a byte having come since.
const MOST_RESUMPTIONS: u32 = 5;
/// Smaller contents come in one stream.
const PARALLEL_FROM: u64 = 64 * 1024 * 1024;
const STREAMS: usize = 4;
/// What one request of several asks for.
const RANGE: u64 = 4 * SEGMENT;

/// What is missing of one content.
pub(super) struct Fetch<'a> {
    content: Content<'a>,
    size: Option<u64>,
    streams: usize,
    missing: Vec<Range<u64>>,
    etag: Mutex<Option<HeaderValue>>,
    sender: mpsc::Sender<Arrived>,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(
        client: &'a Client,
        path: String,
        part: &Part,
        size: Option<u64>,
        streams: Option<usize>,
        writer: &Writer,
    ) -> Self {
        let by_size = if size.is_some_and(|size| size >= PARALLEL_FROM) { STREAMS } else { 1 };
        Self {
            content: Content { client, path, size },
            size,
            streams: streams.unwrap_or(by_size),
            // Of an unknown size everything is missing; of none there is nothing to ask for.
            missing: size
                .map_or_else(|| std::iter::once(0..u64::MAX).collect(), |s| part.missing(s)),
            etag: Mutex::new(part.etag().cloned()),
            sender: writer.sender(),
        }
    }

    /// Fetches all of it.
    pub(super) async fn run(&self) -> Result<(), Stop> {
        let mut queue = self.queue();
        let Some(first) = queue.pop_front() else { return Ok(()) };
        // The first answer says what the content is, and whether there are ranges of it at all.
        let is_all = queue.is_empty() && first.start == 0 && self.etag().is_none();
        let (mut response, mut range) = self.first(first, is_all).await?;
        if self.etag().is_none() && response.status().as_u16() == 206 {
            // Nothing says that several parts would be of one content.
            (response, range) =
                (self.content.ask(None, None).await?, 0..self.size.unwrap_or(u64::MAX));
        }
        if range.start == 0 && self.size.is_none_or(|size| range.end >= size) {
            queue.clear();
        }
        let mut running = FuturesUnordered::new();
        running.push(self.range(range, Some(response)));
        loop {
            while running.len() < self.streams
                && let Some(range) = queue.pop_front()
            {
                running.push(self.range(range, None));
            }
            match running.next().await {
                Some(done) => done?,
                None => return Ok(()),
            }
        }
    }

    /// The ranges of the requests, in order.
    fn queue(&self) -> VecDeque<Range<u64>> {
        if self.streams == 1 {
            return self.missing.iter().cloned().collect();
        }
        let cut = |range: &Range<u64>| {
            let (start, end) = (range.start, range.end);
            (0..(end - start).div_ceil(RANGE))
                .map(move |n| start + n * RANGE..end.min(start + (n + 1) * RANGE))
        };
        self.missing.iter().flat_map(cut).collect()
    }

    fn etag(&self) -> Option<HeaderValue> {
        self.etag.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first answer, and what of the content it brings.
    async fn first(&self, range: Range<u64>, is_all: bool) -> Result<(Response, Range<u64>), Stop> {
        let known = self.etag();
        let response = self.content.ask((!is_all).then_some(&range), known.as_ref()).await?;
        let whole = response.status().as_u16() != 206;
        if whole && known.is_some() {
            return Err(Stop::Changed);
        }
        if known.is_none()
            && let Some(etag) = strong_etag(response.headers())
        {
            *self.etag.lock().unwrap_or_else(PoisonError::into_inner) = Some(etag);
        }
        if let Some(etag) = self.etag() {
            // Fails only when the writing has, which is told by its own error.
            let _ = self.sender.send(Arrived::Etag(etag)).await;
        }
        Ok((response, if whole { 0..self.size.unwrap_or(u64::MAX) } else { range }))
    }

    /// Fetches a range; `begun` is the answer to the first request for it.
    async fn range(&self, range: Range<u64>, mut begun: Option<Response>) -> Result<(), Stop> {
        let (mut at, mut resumptions) = (range.start, 0);
        loop {
            let before = at;
            let error = match self.stretch(&mut at, range.end, begun.take()).await {
                Ok(()) => return Ok(()),
                Err(Stop::Failed(error)) => error,
                Err(stop) => return Err(stop),
            };
            resumptions = if at > before { 1 } else { resumptions + 1 };
            let passes = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
            if !passes || resumptions > MOST_RESUMPTIONS || self.sender.is_closed() {
                return Err(error.into());
            }
            if self.etag().is_none() {
                return Err(Stop::Broken(error));
            }
            tracing::debug!(%error, at, "taking the download up again");
            if resumptions > 1 {
                let delay = backoff::delay(resumptions - 2, false, rand::random(), None);
                tokio::time::sleep(delay).await;
            }
        }
    }

    /// Reads one answer as far as it goes.
    async fn stretch(&self, at: &mut u64, end: u64, begun: Option<Response>) -> Result<(), Stop> {
        let mut response = match begun {
            Some(response) => response,
            None => {
                let etag = self.etag();
                let response = self.content.ask(Some(&(*at..end)), etag.as_ref()).await?;
                if response.status().as_u16() != 206 {
                    return Err(Stop::Changed);
                }
                response
            }
        };
        while let Some(mut piece) = piece(&mut response).await? {
            if piece.len() as u64 > end - *at {
                if self.size.is_some_and(|size| size == end) {
                    return Err(Stop::Changed);
                }
                piece.truncate(usize::try_from(end - *at).unwrap_or(usize::MAX));
            }
            let length = piece.len() as u64;
            if length > 0 && self.sender.send(Arrived::Piece(*at, piece)).await.is_err() {
                return Err(Error::upload("the download cannot be written").into());
            }
            *at += length;
        }
        if *at < end && self.size.is_some() {
            let early = "the download broke: its body ended early";
            return Err(Error::new(ErrorKind::Connection, early).into());
        }
        Ok(())
    }
}

//! Asks for the content of an asset or a range of it, always of the same content. What comes of the answers is not decided
//! here.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, Method, header};

use crate::{
    client::Client,
    error::{Error, ErrorKind},
    transport::{Request, Response},
};

/// Why fetching stops.
pub(super) enum Stop {
    /// The content is another one than it was: from the beginning.
    Changed,
    /// It broke, and nothing says that the rest would be of the same content: from the beginning.
    Broken(Error),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// One asset's content.
pub(super) struct Content<'a> {
    pub(super) client: &'a Client,
    pub(super) path: String,
    pub(super) size: Option<u64>,
}

impl Content<'_> {
    /// Asks for a range of it, or for all; with `etag` only if it is still that content.
    pub(super) async fn ask(
        &self,
        range: Option<&Range<u64>>,
        etag: Option<&HeaderValue>,
    ) -> Result<Response, Stop> {
        let mut request = Request::new(Method::GET, "/assets/{id}/content", self.path.clone());
        request.follows_redirects = true;
        if let Some(Range { start, end }) = range {
            let last = if *end == u64::MAX { String::new() } else { (end - 1).to_string() };
            let value = HeaderValue::try_from(format!("bytes={start}-{last}"));
            request = request.header(header::RANGE, value.expect("a range is ASCII"));
            if let Some(etag) = etag {
                request = request.header(header::IF_RANGE, etag.clone());
            }
        }
        let response = match self.client.transport().open(&request, self.client.options()).await {
            Ok(response) => response,
            // It has fewer bytes than it had.
            Err(error) if error.status() == Some(416) => return Err(Stop::Changed),
            Err(error) => return Err(error.into()),
        };
        if response.status().as_u16() == 206 {
            self.is_asked_for(response.headers(), range, etag)?;
        }
        Ok(response)
    }

    /// Whether a part of the content is the one that was asked for.
    fn is_asked_for(
        &self,
        headers: &HeaderMap,
        range: Option<&Range<u64>>,
        etag: Option<&HeaderValue>,
    ) -> Result<(), Stop> {
        let text = headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok());
        let told = text.and_then(|text| text.strip_prefix("bytes ")?.split_once(['-', '/']));
        let start = told.and_then(|(start, _)| start.parse::<u64>().ok());
        let total = text.and_then(|text| text.rsplit_once('/')?.1.parse::<u64>().ok());
        if range.is_none() || start != range.map(|range| range.start) {
            return Err(Error::new(
                ErrorKind::Decode,
                "the platform sent another part of the content than was asked for",
            )
            .into());
        }
        let is_other = etag.is_some_and(|etag| strong_etag(headers).is_some_and(|e| e != *etag))
            || matches!((total, self.size), (Some(total), Some(size)) if total != size);
        if is_other { Err(Stop::Changed) } else { Ok(()) }
    }
}

/// What names these very bytes.
pub(super) fn strong_etag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned()
}

//! What may be said for one call, and the whole answer for who wants to see it.

use std::{
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::memmem::Finder;
#[cfg(feature = "rows")]
use storycore_page_columns::Row;

use crate::error::{Error, ErrorKind};

/// Options of single calls; what is not set is as the client has it.
///
/// ```
/// # use std::time::Duration;
/// # fn of(client: &storycore::Client) -> Result<(), storycore::Error> {
/// use storycore::CallOptions;
/// let options = CallOptions::new().timeout(Duration::from_secs(5)).max_retries(0).header("x-team", "cut")?;
/// let client = client.with(options);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) idempotency_key: Option<HeaderValue>,
    pub(crate) headers: HeaderMap,
    pub(crate) capture: Option<Capture>,
    pub(crate) raw_pages: bool,
}

impl CallOptions {
    /// No option set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most that the whole call may take, retries and waits included: of an upload, and of a download into a file, too, to
    /// the last byte. Default: the client's, 180 s, which does not bound these two as a whole.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Ends what takes longer than any of its requests when the time is over that was given for this one call.
    pub(crate) async fn bound<T>(
        &self,
        what: &str,
        advice: &str,
        // On the heap: a type that has all of a transfer in it is deeper than the compiler follows.
        work: Pin<Box<impl Future<Output = Result<T, Error>>>>,
    ) -> Result<T, Error> {
        let Some(time) = self.timeout else { return work.await };
        tokio::time::timeout(time, work).await.unwrap_or_else(|_| {
            let message = format!("{what} did not end within {time:?}");
            Err(Error::new(ErrorKind::Timeout, message).explained(advice))
        })
    }

    /// Attempts after the first. Default: the client's, 2; 0 means none.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// The `Idempotency-Key` of a POST in place of a random one: at most 255 visible ASCII characters (stripe-node).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a key that cannot be one.
    pub fn idempotency_key(mut self, key: &str) -> Result<Self, Error> {
        let fits = (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        self.idempotency_key = match HeaderValue::from_str(key) {
            Ok(value) if fits => Some(value),
            _ => {
                return Err(Error::config(
                    "an idempotency key has 1 to 255 visible ASCII characters",
                ));
            }
        };
        Ok(self)
    }

    /// Adds a header, or puts it in the place of the client's own one. `Idempotency-Key` is
    /// [`idempotency_key`](Self::idempotency_key).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a name or value that HTTP does not allow.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, parsed) = header(name, value)?;
        if name == IDEMPOTENCY_KEY {
            return self.idempotency_key(value);
        }
        self.headers.insert(name, parsed);
        Ok(self)
    }

    /// These options, and where they say nothing, those of `below`.
    #[doc(hidden)]
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        // Mostly there are none below, and a call need not put its own into another map.
        let headers = if below.headers.is_empty() {
            self.headers
        } else {
            let mut headers = below.headers.clone();
            headers.extend(self.headers);
            headers
        };
        Self {
            timeout: self.timeout.or(below.timeout),
            max_retries: self.max_retries.or(below.max_retries),
            idempotency_key: self.idempotency_key.or_else(|| below.idempotency_key.clone()),
            headers,
            capture: self.capture.or_else(|| below.capture.clone()),
            raw_pages: self.raw_pages || below.raw_pages,
        }
    }

    /// Keeps the whole last answer in `capture`, beside what the call returns.
    #[must_use]
    pub fn capture(mut self, capture: &Capture) -> Self {
        self.capture = Some(capture.clone());
        self
    }

    /// Where objects are to be kept as rows, if they are.
    #[cfg(feature = "rows")]
    pub(crate) fn rows(&self) -> Option<&Capture> {
        self.capture.as_ref().filter(|capture| capture.takes_rows)
    }

    /// Leaves the objects of pages as they arrived (`Page::raw`), their keys once where they are alike: of each only its `id` is
    /// read. For bindings whose objects are the wire's JSON, which would read a page twice otherwise.
    #[doc(hidden)]
    #[must_use]
    pub fn raw_pages(mut self) -> Self {
        self.raw_pages = true;
        self
    }
}

pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Error::config(format!("{name:?} is no header's name")))?;
    // The value is not shown: it may be a credential.
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::config(format!(
            "the value of the header {name} has characters that HTTP does not allow"
        ))
    })?;
    // Nor in a `Debug` of what holds it. The agent's name is none, and wanted in every log.
    value.set_sensitive(parsed != http::header::USER_AGENT);
    Ok((parsed, value))
}

/// An answer as it came. Its `Debug` shows neither headers nor body, which may hold a secret.
#[derive(Clone)]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// Every header.
    pub headers: HeaderMap,
    /// `X-Request-Id`.
    pub request_id: Option<String>,
    /// The body; empty where it was a stream.
    pub body: Bytes,
}

impl std::fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawResponse")
            .field("status", &self.status)
            .field("request_id", &self.request_id)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

impl RawResponse {
    /// The JSON of the single object in the body, bare or wrapped. For bindings, whose objects are the wire's JSON.
    #[doc(hidden)]
    #[must_use]
    pub fn object(&self) -> Bytes {
        // Most objects are bare and say `data` nowhere: these are not read once more.
        static DATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"data\""));
        let may_be_wrapped = DATA.find(&self.body).is_some();
        match may_be_wrapped.then(|| crate::decode::unwrapped(&self.body)).flatten() {
            Some(inner) => self.body.slice_ref(inner.as_bytes()),
            None => self.body.clone(),
        }
    }

    /// The body as `T`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode), naming the JSON path.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        crate::decode::whole(&self.body).map_err(|e| crate::decode::from(e, self))
    }
}

/// Keeps the last answer of the calls that it was given to.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    last: Arc<Mutex<Last>>,
    is_without_headers: bool,
    #[cfg(feature = "rows")]
    takes_rows: bool,
}

#[derive(Debug, Default)]
struct Last {
    response: Option<RawResponse>,
    /// The object in it.
    #[cfg(feature = "rows")]
    row: Option<Row>,
}

impl Capture {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that leaves out headers and the request's id. For bindings, which make their objects of the body: to copy a
    /// map of headers takes about as long as to write a request.
    #[doc(hidden)]
    pub fn without_headers() -> Self {
        Self { is_without_headers: true, ..Self::default() }
    }

    /// The same, which keeps single objects as rows where it can. What calls give is then no more than that they ended well, so
    /// that only calls may have it whose results nobody looks at. For bindings, which would read an object twice otherwise.
    #[cfg(feature = "rows")]
    #[doc(hidden)]
    pub fn of_rows() -> Self {
        Self { takes_rows: true, ..Self::without_headers() }
    }

    /// The last answer, if there was one.
    pub fn response(&self) -> Option<RawResponse> {
        self.last().response.clone()
    }

    /// The object in the last answer, if it was kept as a row.
    #[cfg(feature = "rows")]
    #[doc(hidden)]
    pub fn take_row(&self) -> Option<Row> {
        self.last().row.take()
    }

    #[cfg(feature = "rows")]
    pub(crate) fn set_row(&self, row: Row) {
        self.last().row = Some(row);
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, response: &RawResponse) {
        let kept = if self.is_without_headers {
            let (status, body) = (response.status, response.body.clone());
            RawResponse { status, headers: HeaderMap::new(), request_id: None, body }
        } else {
            response.clone()
        };
        let mut last = self.last();
        last.response = Some(kept);
        #[cfg(feature = "rows")]
        {
            last.row = None;
        }
    }
}

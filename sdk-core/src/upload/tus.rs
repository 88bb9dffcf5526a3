//! The requests of tus 1.0.0 (tus.io/protocols/resumable-upload), each sent once through the client's transport. What an
//! answer means for the upload is not decided here.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    UploadSource,
    buffers::Buffers,
    multipart::{BASE_TIME, SLOWEST, SourceFailed, of_source},
    progress::Bodies,
    source::Way,
    trailing::Trailing,
};
use crate::{
    client::Client,
    error::{Error, ErrorKind},
    options::{CallOptions, RawResponse},
    transport::{Body, Bounds, Made, Request, SendBody},
};

const COLLECTION: &str = "/assets/uploads";
const ONE: &str = "/assets/uploads/{id}";

/// What a platform's tus can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) concatenation: bool,
    pub(crate) termination: bool,
    pub(crate) defer_length: bool,
    /// It takes the SHA-256 of each chunk.
    pub(crate) sha256: bool,
    /// Also after the chunk's bytes.
    pub(crate) trailers: bool,
    pub(crate) max_size: Option<u64>,
}

impl Abilities {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let list = |name: &str| -> Vec<&str> {
            let value = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
            value.split(',').map(str::trim).collect()
        };
        let extensions = list("tus-extension");
        let has = |name| extensions.contains(&name);
        (list("tus-version").contains(&"1.0.0") && has("creation")).then(|| Self {
            concatenation: has("concatenation"),
            termination: has("termination"),
            defer_length: has("creation-defer-length"),
            trailers: has("checksum-trailer"),
            sha256: has("checksum") && list("tus-checksum-algorithm").contains(&"sha256"),
            max_size: number(headers, "tus-max-size"),
        })
    }
}

/// What a new upload is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum New<'a> {
    /// A whole file; without a length it is told later.
    Whole { length: Option<u64>, metadata: &'a str },
    /// A part of one.
    Part { length: u64 },
    /// The parts together.
    Joined { parts: &'a [String], metadata: &'a str },
}

/// What an answer says of an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) location: Option<String>,
    pub(crate) offset: Option<u64>,
    pub(crate) asset_id: Option<String>,
    /// `Upload-Expires`, as it was sent.
    pub(crate) expires: Option<String>,
    /// The platform's time, as it was sent.
    pub(crate) date: Option<String>,
}

/// A chunk to send.
pub(crate) struct Chunk<'a> {
    pub(crate) source: &'a UploadSource,
    /// Where it begins in the source.
    pub(crate) start: u64,
    /// Where it begins in the upload.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) proof: Proof,
    /// What it is read into.
    pub(crate) buffers: Buffers,
    /// The upload's length, where the platform is told it only now.
    pub(crate) upload_length: Option<u64>,
    pub(crate) stall: Duration,
}

/// How the platform can tell that a chunk arrived as it was sent.
#[derive(Debug)]
pub(crate) enum Proof {
    None,
    /// Its SHA-256, before its bytes.
    Before([u8; 32]),
    /// After them.
    After(Trailing),
}

/// One platform's tus.
#[derive(Debug)]
pub(crate) struct Wire<'a> {
    pub(crate) client: &'a Client,
    path: String,
    options: CallOptions,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(client: &'a Client, path: String) -> Self {
        let mut options = client.options().clone();
        // The upload itself decides what is sent again; the caller's bounds are those of the whole.
        (options.max_retries, options.timeout) = (Some(0), None);
        (options.idempotency_key, options.capture) = (None, None);
        Self { client, path, options }
    }

    /// What the platform can do; nothing where it has no tus.
    pub(crate) async fn abilities(&self) -> Result<Option<Abilities>, Error> {
        let mut options = self.options.clone();
        options.max_retries = self.client.options().max_retries;
        let request = Request::new(Method::OPTIONS, COLLECTION, self.path.clone());
        match self.client.transport().send(&request, &options).await {
            Ok(answer) => Ok(Abilities::of(&answer.headers)),
            Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an upload. The same `key` makes it once, however often it is asked for.
    pub(crate) async fn create(&self, new: New<'_>, key: &str) -> Result<Held, Error> {
        let mut request = tus(Method::POST, COLLECTION, &self.path)?;
        let (length, metadata) = match new {
            New::Whole { length, metadata } => (length, metadata),
            New::Part { length } => {
                request = with(request, "upload-concat", "partial")?;
                (Some(length), "")
            }
            New::Joined { parts, metadata } => {
                let parts = format!("final;{}", parts.join(" "));
                request = with(request, "upload-concat", &parts)?;
                (None, metadata)
            }
        };
        request = match (new, length) {
            (New::Joined { .. }, _) => request,
            (_, Some(length)) => with(request, "upload-length", &length.to_string())?,
            (_, None) => with(request, "upload-defer-length", "1")?,
        };
        if !metadata.is_empty() {
            request = with(request, "upload-metadata", metadata)?;
        }
        let mut options = self.options.clone();
        options.idempotency_key = HeaderValue::try_from(key).ok();
        // Joining copies the parts on some platforms.
        let time = Duration::from_secs(300);
        let bounds = match new {
            New::Joined { .. } => Bounds { timeout: Some(time), attempt_timeout: Some(time) },
            _ => Bounds::default(),
        };
        let answer = self.client.transport().send_within(&request, &options, bounds).await?;
        let held = self.held(&answer)?;
        if held.location.is_none() {
            return Err(Error::new(ErrorKind::Decode, "the new upload has no Location"));
        }
        Ok(held)
    }

    /// How far the platform is.
    pub(crate) async fn offset(&self, location: &str) -> Result<Held, Error> {
        let request = question(location)?;
        let answer = self.client.transport().send(&request, &self.options).await?;
        self.held(&answer)
    }

    /// Sends a chunk, whose bytes `bodies` count.
    pub(crate) async fn send(
        &self,
        location: &str,
        chunk: Chunk<'_>,
        bodies: &Bodies,
    ) -> Result<Held, Error> {
        let mut patch = tus(Method::PATCH, ONE, location)?;
        patch = with(patch, "upload-offset", &chunk.offset.to_string())?;
        if let Some(length) = chunk.upload_length {
            patch = with(patch, "upload-length", &length.to_string())?;
        }
        let trailing = match chunk.proof {
            Proof::None => None,
            Proof::Before(sha256) => {
                patch = with(patch, CHECKSUM, &checksum(&sha256))?;
                None
            }
            Proof::After(trailing) => {
                patch = with(patch, "trailer", CHECKSUM)?;
                Some(trailing)
            }
        };
        let range = chunk.start..chunk.start + chunk.length;
        let (source, counts) = (chunk.source.clone(), bodies.clone());
        let buffers = chunk.buffers;
        let make = move || {
            let (length, body) = match &trailing {
                // Trailers come after a body that does not tell its length.
                Some(trailing) => (None, trailing.body(counts.next())?),
                None => {
                    let count = counts.next();
                    let pieces = source.pieces(range.clone(), Way::Part(buffers.clone()));
                    let pieces = pieces.map(move |piece| match piece {
                        Ok(piece) => {
                            count.add(piece.len() as u64);
                            Ok(piece)
                        }
                        Err(error) => Err(std::io::Error::other(SourceFailed(error.to_string()))),
                    });
                    (Some(range.end - range.start), SendBody::stream(pieces))
                }
            };
            Ok(Made { content_type: "application/offset+octet-stream".to_owned(), length, body })
        };
        let patch = patch.body(Body::Rebuilt(Arc::new(make)));
        let time = BASE_TIME + Duration::from_secs(chunk.length / SLOWEST);
        let bounds = Bounds { timeout: Some(time), attempt_timeout: Some(time) };
        let sending = self.client.transport().send_within(&patch, &self.options, bounds);
        let answer = watched(sending, bodies, chunk.stall).await.map_err(of_source)?;
        self.held(&answer)
    }

    /// Takes an upload back, and says what asset it had become, where the platform does. One that is not there is gone already.
    pub(crate) async fn delete(&self, location: &str) -> Result<Held, Error> {
        let mut options = self.options.clone();
        options.max_retries = None;
        let request = tus(Method::DELETE, ONE, location)?;
        match self.client.transport().send(&request, &options).await {
            Ok(answer) => self.held(&answer),
            Err(error) if matches!(error.status(), Some(404 | 410)) => Ok(Held::default()),
            Err(error) => Err(error),
        }
    }

    fn held(&self, answer: &RawResponse) -> Result<Held, Error> {
        let text =
            |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let location = match text("location") {
            Some(location) => Some(self.own(&location)?),
            None => None,
        };
        Ok(Held {
            location,
            offset: number(&answer.headers, "upload-offset"),
            asset_id: text("x-asset-id"),
            expires: text("upload-expires"),
            date: text("date"),
        })
    }

    /// A `Location` as a path of this platform. Another host would be given the credential.
    fn own(&self, location: &str) -> Result<String, Error> {
        let base = self.client.url(&self.path);
        let url = base.join(location).map_err(|_| {
            Error::new(ErrorKind::Decode, "the platform gave an upload an address that is no URL")
        })?;
        if url.host() != base.host() {
            return Err(Error::upload(format!(
                "the platform put the upload on another host ({}), where the credential is not sent",
                url.host_str().unwrap_or_default()
            )));
        }
        Ok(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
    }
}

/// Gives up a request of which no byte moved for `stall`.
async fn watched<T>(
    sending: impl Future<Output = Result<T, Error>>,
    bodies: &Bodies,
    stall: Duration,
) -> Result<T, Error> {
    let mut sending = std::pin::pin!(sending);
    let mut before = None;
    loop {
        match tokio::time::timeout(stall, sending.as_mut()).await {
            Ok(outcome) => return outcome,
            Err(_) if before == Some(bodies.moved()) => {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no byte of the upload moved for {stall:?}"),
                )
                .with(|e| e.sent = Some(crate::error::Sent::Maybe)));
            }
            Err(_) => before = Some(bodies.moved()),
        }
    }
}

/// The header, or trailer, that has a chunk's checksum.
pub(crate) const CHECKSUM: &str = "upload-checksum";

/// Its value.
pub(crate) fn checksum(sha256: &[u8; 32]) -> String {
    format!("sha256 {}", STANDARD.encode(sha256))
}

/// How far is the upload?
pub(crate) fn question(location: &str) -> Result<Request, Error> {
    tus(Method::HEAD, ONE, location)
}

fn tus(method: Method, template: &'static str, location: &str) -> Result<Request, Error> {
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    let query = url::form_urlencoded::parse(query.as_bytes());
    let query = query.map(|(name, value)| (name.into_owned().into(), value.into_owned()));
    let request = Request::new(method, template, path).query(query.collect());
    with(request, "tus-resumable", "1.0.0")
}

fn with(request: Request, name: &'static str, value: &str) -> Result<Request, Error> {
    let value = HeaderValue::try_from(value)
        .map_err(|_| Error::upload(format!("the upload's {name} is no header value")))?;
    Ok(request.header(HeaderName::from_static(name), value))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `Upload-Metadata`: keys, each with its value in base64.
pub(crate) fn metadata<'a>(fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let fields = fields.map(|(key, value)| format!("{key} {}", STANDARD.encode(value)));
    fields.collect::<Vec<_>>().join(",")
}

/// An `Upload-Expires`, or a `Date`, in Unix seconds; nothing where it is no date.
pub(crate) fn expires_at(text: &str) -> Option<i64> {
    let time = httpdate::parse_http_date(text).ok()?;
    let seconds = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_platform_says_what_it_can_do() {
        let all = [
            ("tus-version", "1.0.0,0.2.2"),
            ("tus-extension", "creation, checksum,concatenation,termination"),
            ("tus-checksum-algorithm", "sha1,sha256"),
            ("tus-max-size", "1000"),
        ];
        let abilities = Abilities::of(&headers(&all)).unwrap();
        assert!(abilities.concatenation && abilities.termination && abilities.sha256);
        assert_eq!((abilities.defer_length, abilities.max_size), (false, Some(1000)));
        assert_eq!(Abilities::of(&headers(&all[1..])), None);
        assert_eq!(Abilities::of(&headers(&all[..1])), None);
    }

    #[test]
    fn metadata_is_keys_with_base64() {
        let fields = [("filename", Some("é,b.mp4")), ("name", None), ("type", Some("video"))];
        assert_eq!(metadata(fields), "filename w6ksYi5tcDQ=,type dmlkZW8=");
    }

    #[test]
    fn an_upload_on_another_host_never_sees_the_credential() {
        let client = Client::builder().base_url("https://a.io").api_key("k").build().unwrap();
        let wire = Wire::new(&client, "/api/assets/uploads".to_owned());
        for good in
            ["/up/1?x=2", "https://a.io/up/1?x=2", "http://a.io:80/up/1?x=2", "../../up/1?x=2"]
        {
            assert_eq!(wire.own(good).unwrap(), "/up/1?x=2");
        }
        assert!(wire.own("https://b.io/up/1").is_err());
    }
}

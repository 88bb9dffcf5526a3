//! The client: the way to each resource, and to what has no method of its own. How it is set up is in `builder`.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::Stream;
use http::Method;
use serde::Serialize;
use url::Url;

use crate::{
    builder::ClientBuilder,
    error::Error,
    options::{self, CallOptions, RawResponse},
    platform::Platform,
    resources::{ApiKeys, Assets, Events, Jobs, Projects, Webhooks},
    secret::Secret,
    transport::{Body, Bounds, Made, Request, SendBody, SocketWatch, Transport},
    upload::{UploadSource, multipart::of_source, raw},
};

/// A client of one platform. Cloning it is cheap, and clones share connections, limits and credentials.
///
/// It has no connection before its first call and starts nothing by itself.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
    pub(crate) options: Arc<CallOptions>,
}

impl Client {
    /// A client of StoryCore with this API key and every default.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a key that cannot be sent.
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        Self::builder().api_key(api_key).build()
    }

    /// A client to be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The same client over connections of its own; limits, credentials and options stay shared.
    ///
    /// A connection belongs to the async runtime in which it was opened. A program with several runtimes, one a thread say,
    /// gives each its own.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        self.apart(None)
    }

    /// The same, and `watch` is told of these connections.
    #[doc(hidden)]
    #[must_use]
    pub fn with_watched_connections(&self, watch: Arc<dyn SocketWatch>) -> Self {
        self.apart(Some(watch))
    }

    /// Whether a call would be written at once, as far as is known: a connection is open and free, and the credential holds for
    /// now. For libraries in which some calls begin on a thread that is not to be kept.
    #[doc(hidden)]
    #[must_use]
    pub fn goes_at_once(&self) -> bool {
        self.transport.goes_at_once()
    }

    fn apart(&self, watch: Option<Arc<dyn SocketWatch>>) -> Self {
        let transport = Arc::new(self.transport.apart(watch));
        // Options, too: each call counts who has them.
        Self { transport, options: Arc::new(CallOptions::clone(&self.options)) }
    }

    /// A client from the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
    /// `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable.
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env().build()
    }

    /// The same client with options for the calls made through it. What they do not say is as this client has it.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        self.with_exactly(options.over(&self.options))
    }

    /// The same client with these options and none of its own.
    pub(crate) fn with_exactly(&self, options: CallOptions) -> Self {
        Self { transport: Arc::clone(&self.transport), options: Arc::new(options) }
    }

    /// The platform that it speaks to.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.transport.platform
    }

    /// Projects.
    #[must_use]
    pub fn projects(&self) -> Projects<'_> {
        Projects::new(self)
    }

    /// Media: the same as [`media`](Self::media), by the platform's name.
    #[must_use]
    pub fn assets(&self) -> Assets<'_> {
        Assets::new(self)
    }

    /// Media.
    #[must_use]
    pub fn media(&self) -> Assets<'_> {
        Assets::new(self)
    }

    /// Jobs.
    #[must_use]
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs::new(self)
    }

    /// Webhooks. What they send is verified in [`webhooks`](crate::webhooks).
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks::new(self)
    }

    /// API keys.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys::new(self)
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events::new(self)
    }

    /// A request for what is not typed here, through the same transport. `path` stands below the base URL.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// let answer = client.request("GET", "/api/audit").query("limit", 10).send().await?;
    /// let log: serde_json::Value = answer.json()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let parsed = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::config(format!("{method:?} is no HTTP method")));
        let request = parsed.and_then(|method| {
            if !path.starts_with('/') || path.contains(['?', '#']) {
                return Err(Error::config("a path begins with / and has no query: use query()"));
            }
            Ok(Request::new(method, "custom", path))
        });
        RequestBuilder { client: self.clone(), request, source: None }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn options(&self) -> &CallOptions {
        &self.options
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.transport.url(path)
    }

    /// Sends and reads whole; keeps the answer where it is captured.
    pub(crate) fn send(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<RawResponse, Error>> {
        self.send_within(request, Bounds::default())
    }

    /// The same within bounds of its own.
    pub(crate) async fn send_within(
        &self,
        request: &Request,
        bounds: Bounds,
    ) -> Result<RawResponse, Error> {
        let response = self.transport.send_within(request, &self.options, bounds).await?;
        if let Some(capture) = &self.options.capture {
            capture.set(&response);
        }
        Ok(response)
    }
}

/// A request that is not typed, to be sent with [`send`](Self::send).
#[derive(Debug)]
pub struct RequestBuilder {
    client: Client,
    request: Result<Request, Error>,
    source: Option<(String, UploadSource)>,
}

impl RequestBuilder {
    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        if let Ok(request) = &mut self.request {
            request.query.push((name.to_owned().into(), value.to_string()));
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.and_then(|request| {
            let (name, parsed) = options::header(name, value)?;
            if name == options::IDEMPOTENCY_KEY {
                let options = self.client.options().clone().idempotency_key(value)?;
                self.client = self.client.with_exactly(options);
                return Ok(request);
            }
            Ok(request.header(name, parsed))
        });
        self
    }

    /// Sends JSON. A request has one body: whoever gives two is told when it is sent.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.request = self.request.and_then(|request| alone(request)?.json(body));
        self
    }

    /// Sends a stream. It can be sent once only, so that a request that fails with it is not tried again.
    #[must_use]
    pub fn stream(
        mut self,
        content_type: &str,
        length: Option<u64>,
        pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let made =
            Made { content_type: content_type.to_owned(), length, body: SendBody::stream(pieces) };
        let body = Body::Once(Mutex::new(Some(made)));
        self.request = self.request.and_then(|request| Ok(alone(request)?.body(body)));
        self
    }

    /// Sends a file, or bytes, as they are: read ahead in flat memory, from the beginning again where the request is tried
    /// again, and with as much time as the size needs. [`media().upload`](Assets::upload) does more.
    ///
    /// ```no_run
    /// # async fn run(client: storycore::Client) -> Result<(), storycore::Error> {
    /// client.request("PUT", "/backup/film.mp4").source("video/mp4", "film.mp4").send().await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn source(mut self, content_type: &str, source: impl Into<UploadSource>) -> Self {
        if self.source.replace((content_type.to_owned(), source.into())).is_some() {
            self.request = Err(two_bodies());
        }
        self
    }

    /// Sends it, with retries, limits and credentials as every call.
    ///
    /// # Errors
    /// `upload` when the source cannot be read, and as every call; an answer that is no success is an error.
    pub async fn send(self) -> Result<RawResponse, Error> {
        let request = self.request?;
        let Some((content_type, source)) = self.source else {
            return self.client.send(&request).await;
        };
        let request = alone(request)?;
        let (body, bounds) = raw::body(source, content_type).await?;
        self.client.send_within(&request.body(body), bounds).await.map_err(of_source)
    }
}

/// The request, which has no body yet: of two, one would be lost without a word.
fn alone(request: Request) -> Result<Request, Error> {
    match request.body {
        Body::Empty => Ok(request),
        _ => Err(two_bodies()),
    }
}

fn two_bodies() -> Error {
    Error::config("a request has one body, and this one was given two").with_param("body")
}

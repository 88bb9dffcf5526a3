//! The client for scripts: the same resources and methods as [`crate::Client`], each of which returns when it is done. It adds
//! no behaviour of its own; lists and events are iterators.
//!
//! ```no_run
//! use storycore::{blocking::Client, models::{ListParams, NewJob, UploadOptions, VideoSettings}};
//!
//! # fn run() -> Result<(), storycore::Error> {
//! let client = Client::from_env()?;
//! let asset = client.media().upload("film.mp4", UploadOptions::new("video"))?;
//! let job = client.jobs().create(NewJob::video_processing(&asset.id, VideoSettings::default()))?;
//! let done = client.jobs().wait(&job.id)?;
//! if let Some(id) = done.output_asset() {
//!     client.media().download(id, "result.mp4")?;
//! }
//! for project in client.projects().items(ListParams::new()) {
//!     println!("{}", project?.name);
//! }
//! # Ok(()) }
//! ```
//!
//! A client works on the thread that calls it, in a runtime that is made at its first call. Inside an async runtime every call
//! is an error of kind `config`: waiting there would hold up the runtime's other tasks.

mod iter;
mod resources;
mod shell;

use std::sync::Arc;

use serde::Serialize;

pub use iter::{Items, JobEvents, Pages};
pub use resources::{ApiKeys, Assets, Events, Jobs, Projects, Webhooks};

use self::shell::Shell;
use crate::{
    Secret,
    builder::ClientBuilder,
    error::Error,
    options::{CallOptions, RawResponse},
    platform::Platform,
};

/// A client of one platform that waits for each answer. Cloning it is cheap, and clones share everything, also between threads.
#[derive(Debug, Clone)]
pub struct Client {
    inner: crate::Client,
    shell: Arc<Shell>,
}

impl Client {
    /// A client of StoryCore with this API key and every default.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a key that cannot be sent.
    pub fn new(api_key: impl Into<Secret>) -> Result<Self, Error> {
        crate::Client::new(api_key).map(Self::of)
    }

    /// A client to be set up; [`ClientBuilder::build_blocking`] ends it.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client from the environment, as [`crate::Client::from_env`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable.
    pub fn from_env() -> Result<Self, Error> {
        crate::Client::from_env().map(Self::of)
    }

    fn of(inner: crate::Client) -> Self {
        Self { inner, shell: Arc::default() }
    }

    /// The same client with options for the calls made through it.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        Self { inner: self.inner.with(options), shell: Arc::clone(&self.shell) }
    }

    /// The platform that it speaks to.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        self.inner.platform()
    }

    /// Projects.
    #[must_use]
    pub fn projects(&self) -> Projects<'_> {
        Projects(self)
    }

    /// Media: the same as [`media`](Self::media), by the platform's name.
    #[must_use]
    pub fn assets(&self) -> Assets<'_> {
        Assets(self)
    }

    /// Media.
    #[must_use]
    pub fn media(&self) -> Assets<'_> {
        Assets(self)
    }

    /// Jobs.
    #[must_use]
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs(self)
    }

    /// Webhooks. What they send is verified in [`webhooks`](crate::webhooks).
    #[must_use]
    pub fn webhooks(&self) -> Webhooks<'_> {
        Webhooks(self)
    }

    /// API keys.
    #[must_use]
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// What happened.
    #[must_use]
    pub fn events(&self) -> Events<'_> {
        Events(self)
    }

    /// A request for what is not typed here, as [`crate::Client::request`].
    #[must_use]
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        RequestBuilder { inner: self.inner.request(method, path), shell: Arc::clone(&self.shell) }
    }
}

impl ClientBuilder {
    /// Builds a client that waits for each answer. It starts nothing before its first call.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_blocking(self) -> Result<Client, Error> {
        self.build().map(Client::of)
    }
}

/// A request that is not typed, to be sent with [`send`](Self::send).
#[derive(Debug)]
pub struct RequestBuilder {
    inner: crate::RequestBuilder,
    shell: Arc<Shell>,
}

impl RequestBuilder {
    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.inner = self.inner.query(name, value);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.inner = self.inner.header(name, value);
        self
    }

    /// Sends JSON.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.inner = self.inner.json(body);
        self
    }

    /// Sends it, with retries, limits and credentials as every call.
    ///
    /// # Errors
    /// As every call; an answer that is no success is an error.
    pub fn send(self) -> Result<RawResponse, Error> {
        self.shell.wait(self.inner.send())
    }
}

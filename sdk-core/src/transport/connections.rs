//! The pool of connections: made at the first request, not when the client is, and made anew in a process that was forked
//! off. It sends one request and knows nothing of retries.

use std::{
    borrow::Cow,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{failure, tls::TlsOptions};
use crate::{error::Error, secret::Secret};

/// How connections are made.
#[derive(Debug)]
pub(crate) struct ConnectOptions {
    pub(crate) timeout: Duration,
    pub(crate) tls: TlsOptions,
    pub(crate) proxy: Option<Secret>,
}

/// The connections of a client.
#[derive(Debug)]
pub(crate) struct Connections {
    source: Source,
    first: OnceLock<Pool>,
    forked: Mutex<Option<Pool>>,
}

#[derive(Debug)]
enum Source {
    Options(Box<ConnectOptions>),
    Given(reqwest::Client),
}

/// A pool and the process that it belongs to.
#[derive(Debug, Clone)]
struct Pool {
    process: u32,
    client: reqwest::Client,
}

impl Connections {
    /// Checks the options, and opens nothing: no file, no socket.
    pub(crate) fn new(options: ConnectOptions) -> Result<Self, Error> {
        options.tls.check()?;
        if let Some(proxy) = &options.proxy {
            self::proxy(proxy)?;
        }
        Ok(Self::of(Source::Options(Box::new(options))))
    }

    /// A client that the user set up.
    pub(crate) fn given(client: reqwest::Client) -> Self {
        Self::of(Source::Given(client))
    }

    fn of(source: Source) -> Self {
        Self { source, first: OnceLock::new(), forked: Mutex::new(None) }
    }

    /// Sends one request and waits for the answer's headers.
    pub(crate) async fn execute(
        &self,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, Error> {
        self.client()?.execute(request).await.map_err(failure::of_transport)
    }

    /// This process's pool. A parent's is left alone: two processes that write into one connection destroy each other's
    /// requests.
    fn client(&self) -> Result<Cow<'_, reqwest::Client>, Error> {
        let options = match &self.source {
            Source::Given(client) => return Ok(Cow::Borrowed(client)),
            Source::Options(options) => options,
        };
        let process = std::process::id();
        let first = match self.first.get() {
            Some(pool) => pool,
            None => {
                let pool = Pool { process, client: build(options)? };
                self.first.get_or_init(|| pool)
            }
        };
        if first.process == process {
            return Ok(Cow::Borrowed(&first.client));
        }
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = forked.as_ref().filter(|pool| pool.process == process) {
            return Ok(Cow::Owned(pool.client.clone()));
        }
        let client = build(options)?;
        // A grandparent's is not closed properly either: that would write into its connections.
        std::mem::forget(forked.replace(Pool { process, client: client.clone() }));
        Ok(Cow::Owned(client))
    }
}

fn build(options: &ConnectOptions) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(options.tls.config()?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.timeout)
        .tcp_keepalive(Duration::from_secs(60))
        .tcp_nodelay(true)
        // A header that a proxy mangled must cost neither the status nor the rest.
        .http1_ignore_invalid_headers_in_responses(true)
        // The transport decides what is sent again.
        .retry(reqwest::retry::never());
    if let Some(proxy) = &options.proxy {
        builder = builder.proxy(self::proxy(proxy)?);
    }
    builder.build().map_err(|e| Error::config("the HTTP client cannot be set up").with_source(e))
}

fn proxy(url: &Secret) -> Result<reqwest::Proxy, Error> {
    reqwest::Proxy::all(url.expose())
        .map_err(|_| Error::config("the proxy is no URL, such as http://proxy:3128"))
}

//! The pool of connections: made at the first request, not when the client is, and made anew in a process that was forked
//! off. It sends one request and knows nothing of retries.
//!
//! `hyper`'s connections and a pool of our own stand here, and not `reqwest`, which reads a request's URL twice and copies its
//! connector for each (a tenth of a call's CPU). A `reqwest` client of the user's own is used as it was given.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{
    body::SendBody, connector::Connector, failure, pool::Pool, proxy, proxy::Proxies,
    response::Response, sockets::SocketWatch, tls::TlsOptions, uri::Origin,
};
use crate::{error::Error, process, secret::Secret};

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
    watch: Option<Arc<dyn SocketWatch>>,
    first: OnceLock<Own>,
    forked: Mutex<Option<Own>>,
}

#[derive(Debug, Clone)]
enum Source {
    Options(Arc<ConnectOptions>),
    #[cfg(feature = "reqwest")]
    Given(reqwest::Client),
}

/// A pool and the process that it belongs to.
#[derive(Debug, Clone)]
struct Own {
    process: u32,
    pool: Pool,
    proxies: Arc<Proxies>,
}

impl Connections {
    /// Checks the options, and opens nothing: no file, no socket.
    pub(crate) fn new(options: ConnectOptions) -> Result<Self, Error> {
        options.tls.check()?;
        if let Some(proxy) = &options.proxy {
            proxy::parse(proxy)?;
        }
        Ok(Self::of(Source::Options(Arc::new(options)), None))
    }

    /// A client that the user set up.
    #[cfg(feature = "reqwest")]
    pub(crate) fn given(client: reqwest::Client) -> Self {
        Self::of(Source::Given(client), None)
    }

    /// Connections made the same way, and none of these; `watch` is told of them.
    pub(crate) fn apart(&self, watch: Option<Arc<dyn SocketWatch>>) -> Self {
        Self::of(self.source.clone(), watch)
    }

    /// Whether trailers reach the server; another's client takes none.
    pub(crate) fn sends_trailers(&self) -> bool {
        matches!(self.source, Source::Options(_))
    }

    fn of(source: Source, watch: Option<Arc<dyn SocketWatch>>) -> Self {
        Self { source, watch, first: OnceLock::new(), forked: Mutex::new(None) }
    }

    /// Whether a connection to there is open and free, as far as is known.
    pub(crate) fn is_open_to(&self, origin: &Origin) -> bool {
        self.first
            .get()
            .is_some_and(|own| own.process == process::id() && own.pool.is_open_to(origin))
    }

    /// Sends one request, which is taken, and waits for the answer's headers. Each future that a request is given to would keep a
    /// place of its own for it.
    pub(crate) async fn execute(
        &self,
        request: &mut http::Request<SendBody>,
    ) -> Result<Response, Error> {
        match &self.source {
            Source::Options(options) => self.pool(options)?.send(request).await,
            #[cfg(feature = "reqwest")]
            Source::Given(client) => {
                let request = std::mem::take(request).map(reqwest::Body::from);
                let request =
                    reqwest::Request::try_from(request).map_err(failure::of_given_client)?;
                let sent = client.execute(request).await;
                sent.map(Response::from).map_err(failure::of_given_client)
            }
        }
    }

    /// This process's pool. A parent's is left alone: two processes that write into one connection destroy each other's
    /// requests.
    fn pool(&self, options: &ConnectOptions) -> Result<Cow<'_, Own>, Error> {
        let process = process::id();
        let first = match self.first.get() {
            Some(pool) => pool,
            None => {
                let pool = Own::new(process, options, self.watch.clone())?;
                self.first.get_or_init(|| pool)
            }
        };
        if first.process == process {
            return Ok(Cow::Borrowed(first));
        }
        let mut forked = self.forked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = forked.as_ref().filter(|pool| pool.process == process) {
            return Ok(Cow::Owned(pool.clone()));
        }
        let pool = Own::new(process, options, self.watch.clone())?;
        // A grandparent's is not closed properly either: that would write into its connections.
        std::mem::forget(forked.replace(pool.clone()));
        Ok(Cow::Owned(pool))
    }
}

impl Own {
    fn new(
        process: u32,
        options: &ConnectOptions,
        watch: Option<Arc<dyn SocketWatch>>,
    ) -> Result<Self, Error> {
        let proxies = Arc::new(Proxies::new(options.proxy.as_ref())?);
        let connector =
            Connector::new(options.tls.config()?, Arc::clone(&proxies), options.timeout, watch);
        Ok(Self { process, pool: Pool::new(connector), proxies })
    }

    async fn send(&self, request: &mut http::Request<SendBody>) -> Result<Response, Error> {
        if let Some(credential) = self.proxies.credential(request.uri()) {
            request.headers_mut().entry(http::header::PROXY_AUTHORIZATION).or_insert(credential);
        }
        let sent = self.pool.request(request).await;
        sent.map(Response::from).map_err(failure::of_own_client)
    }
}

//! How a client is set up: every setting with its default, checked once in `build`. Nothing is opened here.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};

use crate::{
    base_url,
    client::Client,
    error::Error,
    oauth::OAuthCredential,
    options,
    platform::Platform,
    process::PerProcess,
    secret::Secret,
    transport::{
        Breaker, CircuitBreaker, ConnectOptions, Connections, Credential, JwtCredential, Origin,
        Pacer, Redactor, RetryBudget, Settings, Shared, TlsOptions, Transport, bearer,
    },
};

/// The most that making a connection may take (OpenAI's SDKs).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A setting that the environment may have wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Platform,
    BaseUrl,
    Timeout,
    MaxRetries,
}

/// Sets up a [`Client`]; [`build`](Self::build) says what is wrong.
#[derive(Debug)]
pub struct ClientBuilder {
    platform: Platform,
    base_url: Option<String>,
    credential: Option<Result<Credential, Error>>,
    settings: Settings,
    headers: Result<HeaderMap, Error>,
    connect_timeout: Option<Duration>,
    app: Option<(String, String)>,
    language: String,
    breaker: Option<CircuitBreaker>,
    max_in_flight: Option<usize>,
    tls: TlsOptions,
    proxy: Option<Secret>,
    /// What the environment has wrong and nobody has given since.
    wrong: Vec<(Setting, Error)>,
    #[cfg(feature = "reqwest")]
    http: Option<reqwest::Client>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            platform: Platform::default(),
            base_url: None,
            credential: None,
            settings: Settings {
                timeout: Duration::from_secs(180),
                attempt_timeout: Duration::from_secs(30),
                max_retries: 2,
                max_retry_after: Duration::from_secs(120),
                headers: HeaderMap::new(),
                insecure: false,
            },
            headers: Ok(HeaderMap::new()),
            connect_timeout: None,
            app: None,
            language: "rust".to_owned(),
            breaker: None,
            max_in_flight: None,
            tls: TlsOptions::default(),
            proxy: None,
            wrong: Vec::new(),
            #[cfg(feature = "reqwest")]
            http: None,
        }
    }
}

impl ClientBuilder {
    /// The platform. Default StoryCore.
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self.right(Setting::Platform)
    }

    /// Where it is, without path and query, its host in ASCII (`xn--…` for any other name). Default: the platform's own address.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self.right(Setting::BaseUrl)
    }

    /// Opens the platform with an API key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.credential = Some(bearer(&key.into()).map(Credential::ApiKey));
        self
    }

    /// Opens it with JWTs that the client signs and renews.
    #[must_use]
    pub fn jwt(mut self, jwt: JwtCredential) -> Self {
        self.credential = Some(Ok(Credential::jwt(jwt)));
        self
    }

    /// Opens it with OAuth tokens that the client gets and renews.
    #[must_use]
    pub fn oauth(mut self, oauth: OAuthCredential) -> Self {
        self.credential = Some(Ok(Credential::oauth(oauth)));
        self
    }

    /// Says why it has no credential, until one is given.
    pub(crate) fn closed(mut self, why: Error) -> Self {
        self.credential = Some(Err(why));
        self
    }

    /// Says what is wrong with a setting, until it is given.
    pub(crate) fn wrong(mut self, setting: Setting, why: Error) -> Self {
        self.wrong.push((setting, why));
        self
    }

    fn right(mut self, given: Setting) -> Self {
        self.wrong.retain(|(setting, _)| *setting != given);
        self
    }

    /// Opens it with nothing: for signing in, and for what needs no credential.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.credential = Some(Ok(Credential::None));
        self
    }

    /// The most that a call may take, retries and waits included. Default 180 s. An upload or a download takes as long as its
    /// bytes move: there it bounds each request that carries none of them.
    /// [`CallOptions::timeout`](crate::CallOptions::timeout) bounds the whole of one. All waits go by tokio's clock: a test that
    /// pauses that while a call is under way meets this bound at once.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self.right(Setting::Timeout)
    }

    /// The most that one attempt may take, to the answer's last byte. Default 30 s.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// The most that making a connection may take. Default 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Attempts after the first. Default 2; 0 means none.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.settings.max_retries = retries;
        self.right(Setting::MaxRetries)
    }

    /// A platform that asks for a longer wait than this is not waited for. Default 120 s.
    #[must_use]
    pub fn max_retry_after(mut self, time: Duration) -> Self {
        self.settings.max_retry_after = time;
        self
    }

    /// Turns the circuit breaker on. Default off.
    #[must_use]
    pub fn circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Turns pacing on: at most so many calls in flight, and none sooner than the rate limit's headers allow. Default off.
    #[must_use]
    pub fn pacing(mut self, max_in_flight: usize) -> Self {
        self.max_in_flight = Some(max_in_flight);
        self
    }

    /// A header of every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers = self.headers.and_then(|mut headers| {
            let (name, value) = options::header(name, value)?;
            headers.insert(name, value);
            Ok(headers)
        });
        self
    }

    /// The program's name and version, which go before the SDK's in `User-Agent`.
    #[must_use]
    pub fn app_info(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.app = Some((name.into(), version.into()));
        self
    }

    /// The language that a binding speaks, for `User-Agent`.
    #[doc(hidden)]
    #[must_use]
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.language = language.into();
        self
    }

    /// Allows `http://` to other machines, which shows the credential to everyone between. Default off; loopback is
    /// always allowed.
    #[must_use]
    pub fn allow_insecure_http(mut self, allow: bool) -> Self {
        self.settings.insecure = allow;
        self
    }

    /// Trusts further root certificates, in PEM, beside the system's.
    #[must_use]
    pub fn add_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.extra_roots.push(pem.into());
        self
    }

    /// Shows a client certificate: its chain and its key, in PEM.
    #[must_use]
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Secret>) -> Self {
        self.tls.identity = Some((chain.into(), key.into()));
        self
    }

    /// A proxy for every request. Default: `HTTPS_PROXY` and `NO_PROXY`.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// A `reqwest` client of one's own, with its TLS, proxies, connect timeout and pools, so that none of these can be set here
    /// beside it. It must follow no redirects.
    #[cfg(feature = "reqwest")]
    #[must_use]
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), saying which setting is wrong.
    pub fn build(mut self) -> Result<Client, Error> {
        if let Some((_, error)) = self.wrong.pop() {
            return Err(error);
        }
        let text =
            self.base_url.as_deref().or(self.platform.default_base_url()).ok_or_else(|| {
                Error::config(format!("the platform {} needs a base_url", self.platform.name()))
            })?;
        let base = base_url::read(text, self.settings.insecure)?;
        #[cfg(feature = "reqwest")]
        let given = self.given()?;
        #[cfg(not(feature = "reqwest"))]
        let given = None;
        let credential = self.credential.unwrap_or_else(|| {
            Err(Error::config(
                "no credential: give an API key, a JWT or an OAuth credential, or say that the client is anonymous",
            ))
        })?;
        if self.max_in_flight == Some(0) {
            return Err(Error::config("pacing needs at least one call in flight"));
        }
        let mut headers = self.headers?;
        let agent = user_agent(self.app.as_ref(), &self.language);
        let (_, agent) = options::header("user-agent", &agent)?;
        headers.entry(header::USER_AGENT).or_insert(agent);
        let http = match given {
            Some(connections) => connections,
            None => Connections::new(ConnectOptions {
                timeout: self.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
                tls: self.tls,
                proxy: self.proxy,
            })?,
        };
        let integration = Arc::from(self.platform.name());
        let redactor = Redactor::new(credential.secret());
        let shared = Shared {
            origin: Origin::new(base)?,
            platform: self.platform,
            integration,
            settings: Settings { headers, ..self.settings },
            credential,
            budget: RetryBudget::default(),
            breaker: self.breaker.map(|breaker| PerProcess::new(Breaker::new(breaker))),
            pacer: self.max_in_flight.map(|most| PerProcess::new(Pacer::new(most))),
            redactor,
        };
        Ok(Client {
            transport: Arc::new(Transport::new(http, Arc::new(shared))),
            options: Arc::default(),
        })
    }
}

#[cfg(feature = "reqwest")]
impl ClientBuilder {
    /// The connections of a client that the user gave.
    fn given(&self) -> Result<Option<Connections>, Error> {
        let Some(client) = &self.http else { return Ok(None) };
        let decided = self.proxy.is_some()
            || self.connect_timeout.is_some()
            || self.tls.identity.is_some()
            || !self.tls.extra_roots.is_empty();
        if decided {
            return Err(Error::config(
                "an http_client() decides its proxy, certificates and connect timeout itself: set them there",
            ));
        }
        Ok(Some(Connections::given(client.clone())))
    }
}

fn user_agent(app: Option<&(String, String)>, language: &str) -> String {
    let app = app.map(|(name, version)| format!("{name}/{version} ")).unwrap_or_default();
    format!(
        "{app}storycore/{} ({language}; {}; {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

//! The client as the languages make it: its settings, and the way of each call to a thread.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use storycore::{CircuitBreaker, Client as Core, ClientBuilder, JwtCredential, Platform};

use crate::{
    by_hand::oauth::{OAuthSettings, TokensListener},
    failure::Failure,
    given::Given,
    options::CallOptions,
    runtime::{self, Closing, Place, Running, SHARDS, Started, Untyped, Work},
    streams::{Pieces, Stream},
};

/// A client of one platform.
#[derive(uniffi::Object)]
pub struct Client {
    platform: String,
    is_derived: bool,
    pub(crate) shared: Arc<Shared>,
}

/// A client once for each thread that may make its calls: they share everything but their connections.
pub(crate) struct Shared {
    /// Nothing once the client that all others were made of is closed.
    clients: Arc<RwLock<Option<[Core; SHARDS]>>>,
    closing: Closing,
}

/// How a client is set up; what is not set is as the Rust client has it.
#[derive(uniffi::Record)]
pub struct ClientSettings {
    /// The platform's name: `storycore`, `powalyze`, `hub_chantier`, `agents`, `registry`.
    pub platform: Option<String>,
    /// Where the platform is.
    pub base_url: Option<String>,
    /// An API key.
    pub api_key: Option<String>,
    /// What JWTs are made of.
    pub jwt: Option<JwtSettings>,
    /// OAuth tokens, or what gets them.
    pub oauth: Option<OAuthSettings>,
    /// That there is no credential.
    pub anonymous: bool,
    /// The most that a call may take.
    pub timeout: Option<Duration>,
    /// The most that one attempt may take.
    pub attempt_timeout: Option<Duration>,
    /// The most that connecting may take.
    pub connect_timeout: Option<Duration>,
    /// The longest wait that the platform may ask for.
    pub max_retry_after: Option<Duration>,
    /// Attempts after the first.
    pub max_retries: Option<u32>,
    /// The most calls side by side.
    pub max_in_flight: Option<u32>,
    /// A circuit breaker, which is off otherwise.
    pub circuit_breaker: Option<CircuitBreakerSettings>,
    /// Further headers of every request.
    pub headers: HashMap<String, String>,
    /// The app that this is part of.
    pub app: Option<AppInfo>,
    /// Whether `http://` is taken beyond loopback.
    pub allow_insecure_http: bool,
    /// Further root certificates, in PEM.
    pub ca_certificates: Option<String>,
    /// A certificate of the client's own.
    pub client_certificate: Option<ClientCertificate>,
    /// The proxy's URL.
    pub proxy: Option<String>,
    /// What the client says of itself to the platform: `swift`, `kotlin`.
    pub language: String,
}

/// What JWTs are made of.
#[derive(uniffi::Record)]
pub struct JwtSettings {
    /// The key's text.
    pub secret: String,
    /// The key's id.
    pub key_id: Option<String>,
    /// The user's id.
    pub subject: String,
    /// What it may do: `read`, `write`, `admin`.
    pub permissions: Vec<String>,
    /// How long one holds.
    pub lifetime: Option<Duration>,
}

/// When the circuit breaker opens, and for how long.
#[derive(uniffi::Record)]
pub struct CircuitBreakerSettings {
    /// Failures in a row after which it opens.
    pub failure_threshold: Option<u32>,
    /// How long it stays open before one call is let through.
    pub recovery_timeout: Option<Duration>,
}

/// An app's name and version.
#[derive(uniffi::Record)]
pub struct AppInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A certificate that a client shows.
#[derive(uniffi::Record)]
pub struct ClientCertificate {
    /// The certificate and those that vouch for it, in PEM.
    pub chain: String,
    /// Its key, in PEM.
    pub key: String,
}

#[uniffi::export]
impl Client {
    /// A client with these settings. New OAuth tokens are told to the listener.
    #[uniffi::constructor]
    pub fn new(
        settings: ClientSettings,
        tokens: Option<Arc<dyn TokensListener>>,
    ) -> Result<Arc<Self>, Failure> {
        Ok(Self::over(settings.read(Core::builder(), true, tokens)?.build()?))
    }

    /// A client that the environment sets up, and what is set before that.
    #[uniffi::constructor]
    pub fn from_env(
        settings: ClientSettings,
        tokens: Option<Arc<dyn TokensListener>>,
    ) -> Result<Arc<Self>, Failure> {
        Ok(Self::over(settings.read(ClientBuilder::from_env(), false, tokens)?.build()?))
    }

    /// The name of the platform that it speaks to.
    pub fn platform(&self) -> String {
        self.platform.clone()
    }

    /// One that shares this one's connections and ends with it.
    pub fn derived(&self) -> Arc<Self> {
        let (clients, closing) = (Arc::clone(&self.shared.clients), self.shared.closing.derived());
        let shared = Arc::new(Shared { clients, closing });
        Arc::new(Self { platform: self.platform.clone(), is_derived: true, shared })
    }

    /// Lets go of its connections, but for a derived one. Its calls under way, and later ones, end with `cancelled`.
    pub fn close(&self) {
        self.shared.closing.close();
        if !self.is_derived {
            drop(self.shared.clients.write().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

impl Client {
    pub(crate) fn over(client: Core) -> Arc<Self> {
        let platform = client.platform().name().to_owned();
        let clients = std::array::from_fn(|number| match number {
            0 => client.clone(),
            _ => client.with_own_connections(),
        });
        let clients = Arc::new(RwLock::new(Some(clients)));
        Arc::new(Self {
            platform,
            is_derived: false,
            shared: Arc::new(Shared { clients, closing: Closing::default() }),
        })
    }
}

impl Shared {
    /// A client to ask for what needs no connection.
    pub(crate) fn first(&self) -> Result<Core, Failure> {
        self.on(0)
    }

    fn on(&self, thread: usize) -> Result<Core, Failure> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let clients = clients.as_ref().filter(|_| !self.closing.is_closed());
        clients.map(|clients| clients[thread].clone()).ok_or_else(Failure::closed)
    }

    fn with(&self, place: &Place, options: Option<CallOptions>) -> Result<Core, Failure> {
        let client = self.on(place.number())?;
        Ok(match options {
            Some(options) => client.with(options.read()?),
            None => client,
        })
    }

    /// Makes a call of one request, which a lone one begins on the thread that asks. Dropping what this gives ends it.
    pub(crate) fn call<T, F>(
        &self,
        options: Option<CallOptions>,
        call: impl FnOnce(Core) -> F + 'static,
    ) -> Running<T>
    where
        F: Future<Output = Result<Given<T>, Failure>> + Send + 'static,
    {
        self.run(options, Length::Short, call)
    }

    /// Makes a call of several requests, or with files, listeners or large bodies: on the library's threads from its beginning.
    pub(crate) fn long_call<T, F>(
        &self,
        options: Option<CallOptions>,
        call: impl FnOnce(Core) -> F + 'static,
    ) -> Running<T>
    where
        F: Future<Output = Result<Given<T>, Failure>> + Send + 'static,
    {
        self.run(options, Length::Long, call)
    }

    fn run<T, F>(
        &self,
        options: Option<CallOptions>,
        length: Length,
        call: impl FnOnce(Core) -> F + 'static,
    ) -> Running<T>
    where
        F: Future<Output = Result<Given<T>, Failure>> + Send + 'static,
    {
        let call = Box::new(|client| Box::pin(Untyped::new(call(client))) as Work);
        Running::of(self.begin(options, length, call))
    }

    fn begin(
        &self,
        options: Option<CallOptions>,
        length: Length,
        call: Box<dyn FnOnce(Core) -> Work>,
    ) -> Started {
        let place = Place::choose();
        match self.with(&place, options) {
            Ok(client) => {
                let may_begin_here =
                    length == Length::Short && runtime::is_free_to_begin() && client.goes_at_once();
                let place = if may_begin_here { place.beginning_here() } else { place };
                runtime::start(place, &self.closing, call(client))
            }
            Err(failure) => Started::Not(Some(failure)),
        }
    }

    /// Opens what goes on by itself. Nothing is sent before its first piece is asked for.
    pub(crate) fn open<S: Pieces>(
        &self,
        options: Option<CallOptions>,
        open: impl FnOnce(Core) -> S,
    ) -> Stream<S> {
        let place = Place::choose();
        let opened = self.with(&place, options).map(open);
        Stream::new(place.number(), opened, self.closing.clone())
    }
}

/// Whether a call may begin on the thread that asks for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// It is one request.
    Short,
    Long,
}

impl ClientSettings {
    /// Sets `builder` up. A credential must be among these where it `needs_one`.
    fn read(
        self,
        builder: ClientBuilder,
        needs_one: bool,
        tokens: Option<Arc<dyn TokensListener>>,
    ) -> Result<ClientBuilder, Failure> {
        let mut builder = builder.language(self.language);
        if let Some(name) = self.platform {
            builder = builder.platform(Platform::by_name(&name)?);
        }
        if let Some(url) = self.base_url {
            builder = builder.base_url(url);
        }
        let mut credentials = usize::from(self.anonymous);
        if self.anonymous {
            builder = builder.anonymous();
        }
        if let Some(key) = self.api_key {
            (builder, credentials) = (builder.api_key(key), credentials + 1);
        }
        if let Some(jwt) = self.jwt {
            (builder, credentials) = (builder.jwt(jwt.read()), credentials + 1);
        }
        if let Some(oauth) = self.oauth {
            (builder, credentials) = (builder.oauth(oauth.read(tokens)?), credentials + 1);
        }
        match credentials {
            1 => {}
            0 if !needs_one => {}
            0 => {
                return Err(Failure::config(
                    "no credential: give an API key, a JWT or OAuth, or say that the client is anonymous",
                ));
            }
            _ => return Err(Failure::config("give one credential: an API key, a JWT or OAuth")),
        }
        if let Some(time) = self.timeout {
            builder = builder.timeout(time);
        }
        if let Some(time) = self.attempt_timeout {
            builder = builder.attempt_timeout(time);
        }
        if let Some(time) = self.connect_timeout {
            builder = builder.connect_timeout(time);
        }
        if let Some(time) = self.max_retry_after {
            builder = builder.max_retry_after(time);
        }
        if let Some(retries) = self.max_retries {
            builder = builder.max_retries(retries);
        }
        if let Some(most) = self.max_in_flight {
            builder = builder.pacing(usize::try_from(most).unwrap_or(usize::MAX));
        }
        if let Some(breaker) = self.circuit_breaker {
            builder = builder.circuit_breaker(breaker.read());
        }
        for (name, value) in self.headers {
            builder = builder.header(&name, &value);
        }
        if let Some(app) = self.app {
            builder = builder.app_info(app.name, app.version);
        }
        builder = builder.allow_insecure_http(self.allow_insecure_http);
        if let Some(pem) = self.ca_certificates {
            builder = builder.add_root_certificates(pem);
        }
        if let Some(shown) = self.client_certificate {
            builder = builder.client_certificate(shown.chain, shown.key);
        }
        if let Some(url) = self.proxy {
            builder = builder.proxy(url);
        }
        Ok(builder)
    }
}

impl JwtSettings {
    fn read(self) -> JwtCredential {
        let mut jwt = JwtCredential::new(self.secret, self.subject, self.permissions);
        jwt.key_id = self.key_id;
        if let Some(time) = self.lifetime {
            jwt.lifetime = time;
        }
        jwt
    }
}

impl CircuitBreakerSettings {
    fn read(self) -> CircuitBreaker {
        let mut breaker = CircuitBreaker::default();
        if let Some(failures) = self.failure_threshold {
            breaker.failure_threshold = failures;
        }
        if let Some(time) = self.recovery_timeout {
            breaker.recovery_timeout = time;
        }
        breaker
    }
}

//! The client as JavaScript makes it: its settings, and the start of each call. What the calls are is in `operations`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use napi::Env;
use napi_derive::napi;
use serde_json::value::RawValue;
use storycore::{
    CallOptions, Capture, CircuitBreaker, Client, ClientBuilder, JwtCredential, Platform,
};
use storycore_shards::{self as shards, Place, SHARDS};
use tracing::{Instrument as _, Span, instrument::Instrumented};

use crate::{
    bridge::{self, Bridge, Environment, Outcome, Reply},
    by_hand::oauth,
    failure::Failure,
    fields::{self, Arguments, Fields},
    operations,
    watching::Logger,
};

/// A client, once for each thread that may make its calls: they share everything but their connections.
#[napi]
pub struct NativeClient {
    /// Nothing once it is closed.
    clients: Option<[Client; SHARDS]>,
    platform: String,
    /// What its calls stand in, where it has a logger.
    span: Span,
    /// It made a call: connections and certificates are there, so that a call begins without waiting for a disk.
    is_warm: Warm,
}

/// Whether a client made a call.
#[derive(Clone, Default)]
struct Warm(Arc<AtomicBool>);

impl Warm {
    fn is(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// What becomes warm with a call's end, if it is not already: then the calls of all threads leave it alone.
    fn to_be(&self) -> Option<Self> {
        (!self.is()).then(|| self.clone())
    }

    fn ended(cold: Option<&Self>, outcome: &Outcome) {
        if let Some(cold) = cold
            && outcome.is_ok()
        {
            cold.0.store(true, Relaxed);
        }
    }
}

#[napi]
impl NativeClient {
    /// A client with these settings, as JSON. `language` is what it says of itself to the platform; new OAuth tokens are
    /// told to the listener with the number `tokens`, log lines up to `level` to that with the number `lines`.
    #[napi(constructor)]
    pub fn new(
        settings: String,
        language: String,
        bridge: &Bridge,
        tokens: Option<u32>,
        lines: Option<u32>,
        level: String,
    ) -> napi::Result<Self> {
        let listener = tokens.map(|number| (&bridge.0, number));
        let builder = Client::builder().language(language);
        let made = made(builder, true, &settings, listener).map_err(|failure| failure.thrown())?;
        Self::on_each_thread(made, bridge, lines, &level)
    }

    /// A client that the environment sets up, and what is given before that.
    #[napi(factory)]
    pub fn from_env(
        settings: String,
        language: String,
        bridge: &Bridge,
        tokens: Option<u32>,
        lines: Option<u32>,
        level: String,
    ) -> napi::Result<Self> {
        let listener = tokens.map(|number| (&bridge.0, number));
        let builder = ClientBuilder::from_env().language(language);
        let made = made(builder, false, &settings, listener).map_err(|failure| failure.thrown())?;
        Self::on_each_thread(made, bridge, lines, &level)
    }

    /// The name of the platform that it speaks to.
    #[napi(getter)]
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// Lets go of its connections.
    #[napi]
    pub fn close(&mut self) {
        self.clients = None;
    }

    /// Starts a call: the number of an operation, its arguments as a JSON array, its options as a JSON object.
    #[napi]
    pub fn start(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        operation: u32,
        arguments: String,
        options: Option<String>,
    ) -> napi::Result<()> {
        let cold = self.is_warm.to_be();
        let place = Place::choose();
        let place = if cold.is_none() { place.beginning_here() } else { place };
        let client = self.on(&place)?.clone();
        let work = async move {
            let call = Call::of_operation(&client, &arguments, options.as_deref())?;
            let outcome = operations::run(operation, call).await;
            Warm::ended(cold.as_ref(), &outcome);
            outcome
        };
        bridge.0.run(&env, id, place, self.seen(work))
    }

    /// Starts as many calls as `count` says, with numbers from `first` on: a JSON array of an operation's number, its arguments
    /// and its options or `null`, for each.
    #[napi]
    pub fn start_all(
        &self,
        env: Env,
        bridge: &Bridge,
        first: u32,
        count: u32,
        calls: String,
    ) -> napi::Result<()> {
        let cold = self.is_warm.to_be();
        let places = Place::choose_for(count as usize);
        let client = self.on(&places[0])?.clone();
        let span = self.span.clone();
        let make = move || {
            let given: Vec<Given> = serde_json::from_str(&calls).unwrap_or_default();
            let mut given = given.into_iter();
            let work = |_| {
                let (client, cold, given) = (client.clone(), cold.clone(), given.next());
                let work = async move {
                    let Given(operation, arguments, options) = given.ok_or_else(Failure::inside)?;
                    let options = options.as_deref().map(RawValue::get);
                    let call = Call::of_operation(&client, arguments.get(), options)?;
                    let outcome = operations::run(operation, call).await;
                    Warm::ended(cold.as_ref(), &outcome);
                    outcome
                };
                work.instrument(span.clone())
            };
            (0..count).map(work).collect()
        };
        bridge.0.run_all(&env, first, places, make)
    }

    fn on_each_thread(
        client: Client,
        to: &Bridge,
        lines: Option<u32>,
        level: &str,
    ) -> napi::Result<Self> {
        let span = match lines {
            None => Span::none(),
            Some(number) => {
                let message = "`logLevel` must be debug, info, warn or error";
                let logger = Logger::new(&to.0, number, level);
                logger.ok_or_else(|| Failure::config(message).thrown())?.span()
            }
        };
        let platform = client.platform().name().to_owned();
        let clients = std::array::from_fn(|number| match number {
            #[cfg(target_os = "linux")]
            shards::FIRST => client.with_watched_connections(bridge::sockets::watch()),
            _ => client.with_own_connections(),
        });
        Ok(Self { clients: Some(clients), platform, span, is_warm: Warm::default() })
    }

    /// `work` under the eyes of the client's logger, if it has one.
    pub(crate) fn seen<F>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.span.clone())
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// The client whose connections are driven there.
    pub(crate) fn on(&self, place: &Place) -> napi::Result<&Client> {
        match &self.clients {
            Some(clients) => Ok(&clients[place.number()]),
            None => Err(Failure::closed().thrown()),
        }
    }
}

/// A call as JavaScript gives it together with others. Each is read by itself, so that what is wrong with one is its own.
#[derive(serde::Deserialize)]
struct Given(u32, Box<RawValue>, Option<Box<RawValue>>);

/// One call: the client with its options, what was given to it, and what the platform will have answered.
pub(crate) struct Call {
    pub(crate) client: Client,
    pub(crate) arguments: Arguments,
    capture: Capture,
}

impl Call {
    pub(crate) fn new(
        client: &Client,
        arguments: &str,
        options: Option<&str>,
    ) -> Result<Self, Failure> {
        Self::keeping(Capture::without_headers(), client, arguments, options)
    }

    /// One whose objects are given to JavaScript as they are answered, and looked at by nobody before.
    fn of_operation(
        client: &Client,
        arguments: &str,
        options: Option<&str>,
    ) -> Result<Self, Failure> {
        Self::keeping(Capture::of_rows(), client, arguments, options)
    }

    fn keeping(
        capture: Capture,
        client: &Client,
        arguments: &str,
        options: Option<&str>,
    ) -> Result<Self, Failure> {
        let options: CallOptions = fields::options(options)?.capture(&capture).raw_pages();
        let arguments = Arguments::parse(arguments);
        Ok(Self { client: client.with(options), arguments, capture })
    }

    /// The object that was answered, as it arrived. The client has read it by then.
    pub(crate) fn object(&self) -> Outcome {
        if let Some(row) = self.capture.take_row() {
            return Ok(Reply::Row(row));
        }
        Ok(match self.capture.response() {
            Some(answer) => Reply::Json(answer.object()),
            None => Reply::Nothing,
        })
    }

    /// A page as it arrived. The client has read it by then.
    pub(crate) fn page<T>(&self, page: &storycore::models::Page<T>) -> Outcome {
        let Some(raw) = &page.raw else { return Ok(Reply::Nothing) };
        let json = raw.json.clone();
        Ok(if raw.keys_stand_once { Reply::Columns(json) } else { Reply::Json(json) })
    }

    /// The object that was answered, or `known` where the answer was empty.
    pub(crate) fn object_or(&self, known: &impl serde::Serialize) -> Outcome {
        match self.capture.response() {
            Some(answer) if !answer.body.trim_ascii().is_empty() => {
                Ok(Reply::Json(answer.object()))
            }
            _ => Ok(Reply::Text(serde_json::json!(known).to_string())),
        }
    }

    /// The object with this id where it was answered last, or `known` where it is known otherwise.
    pub(crate) fn object_of(&self, id: &str, known: &impl serde::Serialize) -> Bytes {
        #[derive(serde::Deserialize)]
        struct Named {
            id: String,
        }
        let answered = self.capture.response().map(|answer| answer.object());
        let named = answered.as_ref().and_then(|json| serde_json::from_slice::<Named>(json).ok());
        match (answered, named) {
            (Some(json), Some(named)) if named.id == id => json,
            _ => serde_json::json!(known).to_string().into(),
        }
    }
}

/// What `builder` and these settings make. A credential must be among them where it `needs_one`.
fn made(
    mut builder: ClientBuilder,
    needs_one: bool,
    settings: &str,
    listener: Option<(&Arc<Environment>, u32)>,
) -> Result<Client, Failure> {
    let mut given = Fields::parse("the client's options", settings)?;
    if let Some(name) = given.take::<String>("platform")? {
        builder = builder.platform(Platform::by_name(&name)?);
    }
    if let Some(url) = given.take::<String>("baseUrl")? {
        builder = builder.base_url(url);
    }
    let mut credentials = 0;
    if let Some(key) = given.take::<String>("apiKey")? {
        (builder, credentials) = (builder.api_key(key), credentials + 1);
    }
    if let Some(jwt) = given.inner("jwt")? {
        (builder, credentials) = (builder.jwt(self::jwt(jwt)?), credentials + 1);
    }
    if let Some(given) = given.inner("oauth")? {
        (builder, credentials) =
            (builder.oauth(oauth::credential(given, listener)?), credentials + 1);
    }
    if given.take("anonymous")?.unwrap_or(false) {
        (builder, credentials) = (builder.anonymous(), credentials + 1);
    }
    if let Some(time) = given.time("timeout")? {
        builder = builder.timeout(time);
    }
    if let Some(time) = given.time("attemptTimeout")? {
        builder = builder.attempt_timeout(time);
    }
    if let Some(time) = given.time("connectTimeout")? {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = given.time("maxRetryAfter")? {
        builder = builder.max_retry_after(time);
    }
    if let Some(retries) = given.take("maxRetries")? {
        builder = builder.max_retries(retries);
    }
    if let Some(most) = given.take("maxInFlight")? {
        builder = builder.pacing(most);
    }
    if let Some(breaker) = given.inner("circuitBreaker")? {
        builder = builder.circuit_breaker(circuit_breaker(breaker)?);
    }
    if let Some(headers) = given.inner("headers")? {
        for (name, value) in headers.texts()? {
            builder = builder.header(&name, &value);
        }
    }
    if let Some(mut app) = given.inner("appInfo")? {
        let (name, version): (String, String) = (app.need("name")?, app.need("version")?);
        app.end()?;
        builder = builder.app_info(name, version);
    }
    if let Some(allow) = given.take("allowInsecureHttp")? {
        builder = builder.allow_insecure_http(allow);
    }
    if let Some(pem) = given.take::<String>("caCertificates")? {
        builder = builder.add_root_certificates(pem);
    }
    if let Some(mut shown) = given.inner("clientCertificate")? {
        let (chain, key): (String, String) = (shown.need("chain")?, shown.need("key")?);
        shown.end()?;
        builder = builder.client_certificate(chain, key);
    }
    if let Some(url) = given.take::<String>("proxy")? {
        builder = builder.proxy(url);
    }
    given.end()?;
    match credentials {
        0 if needs_one => {
            Err(Failure::config("no credential: give apiKey, jwt or oauth, or say anonymous: true"))
        }
        0 | 1 => Ok(builder.build()?),
        _ => Err(Failure::config("give one credential of apiKey, jwt, oauth and anonymous")),
    }
}

fn jwt(mut given: Fields) -> Result<JwtCredential, Failure> {
    let secret: String = given.need("secret")?;
    let permissions: Vec<String> = given.need("permissions")?;
    let mut jwt = JwtCredential::new(secret, given.need::<String>("subject")?, permissions);
    jwt.key_id = given.take("keyId")?;
    if let Some(time) = given.time("lifetime")? {
        jwt.lifetime = time;
    }
    given.end()?;
    Ok(jwt)
}

fn circuit_breaker(mut given: Fields) -> Result<CircuitBreaker, Failure> {
    let mut breaker = CircuitBreaker::default();
    if let Some(failures) = given.take("failureThreshold")? {
        breaker.failure_threshold = failures;
    }
    if let Some(time) = given.time("recoveryTimeout")? {
        breaker.recovery_timeout = time;
    }
    given.end()?;
    Ok(breaker)
}

//! The clients as Python makes them: their settings, how they are closed, and what is not typed. Their resources are
//! generated, in `resources`.

use std::{sync::Arc, time::Duration};

use pyo3::{
    PyClass,
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    types::{PyDict, PyTuple, PyType},
};
use storycore::{CallOptions, Client, Environment, Platform, Variable};

use crate::{
    bridge::{Handle, Ready},
    by_hand::Content,
    convert::{Arg, FromPython, Texts, given, named, wrong},
    credentials::{CircuitBreaker, JwtCredential, OAuthCredential},
    errors, logs,
    raw::Capture,
    resources::Resources,
};

/// A client of one platform. Each method returns when it is done; the client may be shared between threads.
///
/// It has no connection before its first call and starts nothing by itself.
#[pyclass(frozen, subclass, extends = Resources, module = "storycore")]
pub(crate) struct StoryCoreClient;

/// A client of one platform for asyncio. Each method that calls the platform is awaited.
///
/// It has no connection before its first call and starts nothing by itself.
#[pyclass(frozen, subclass, extends = Resources, module = "storycore")]
pub(crate) struct AsyncStoryCoreClient;

/// What both clients have, and what each has alone.
macro_rules! client {
    ($class:ident, is_async: $is_async:literal, { $($own:tt)* }) => {
        #[pymethods]
        impl $class {
        #[new]
        #[pyo3(signature = (
            api_key=None, *, base_url=None, platform=None, jwt=None, oauth=None, timeout=None, attempt_timeout=None,
            connect_timeout=None, max_retries=None, max_retry_after=None, max_in_flight=None, circuit_breaker=None,
            headers=None, app_info=None, anonymous=false, allow_insecure_http=false, ca_certificates=None, client_certificate=None,
            proxy=None,
        ))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords")]
        fn new(
            py: Python<'_>,
            api_key: Option<&Bound<'_, PyAny>>,
            base_url: Option<Arg<String>>,
            platform: Option<Arg<String>>,
            jwt: Option<&Bound<'_, JwtCredential>>,
            oauth: Option<&Bound<'_, OAuthCredential>>,
            timeout: Option<Arg<Duration>>,
            attempt_timeout: Option<Arg<Duration>>,
            connect_timeout: Option<Arg<Duration>>,
            max_retries: Option<Arg<u32>>,
            max_retry_after: Option<Arg<Duration>>,
            max_in_flight: Option<Arg<usize>>,
            circuit_breaker: Option<&Bound<'_, CircuitBreaker>>,
            headers: Option<Arg<Texts>>,
            app_info: Option<(String, String)>,
            anonymous: bool,
            allow_insecure_http: bool,
            ca_certificates: Option<Arg<Pem>>,
            client_certificate: Option<(Arg<Pem>, Arg<Pem>)>,
            proxy: Option<Arg<String>>,
        ) -> PyResult<PyClassInitializer<Self>> {
            const THIS: &str = stringify!($class);
            if let Some(made) = api_key.and_then(|given| given.cast::<Made>().ok()) {
                let handle = Arc::clone(&made.get().0);
                return Ok(PyClassInitializer::from(Resources(handle)).add_subclass(Self));
            }
            let mut builder = Client::builder().allow_insecure_http(allow_insecure_http);
            let api_key = api_key.map(|key| named(THIS, "api_key", String::from_python(key)));
            let api_key = api_key.transpose()?;
            match (api_key, jwt, oauth, anonymous) {
                (Some(key), None, None, false) => builder = builder.api_key(key),
                (None, Some(jwt), None, false) => builder = builder.jwt(jwt.get().0.clone()),
                (None, None, Some(oauth), false) => builder = builder.oauth(oauth.get().0.clone()),
                (None, None, None, true) => builder = builder.anonymous(),
                (None, None, None, false) => {}
                _ => {
                    return Err(PyTypeError::new_err(
                        "give one of api_key, jwt, oauth and anonymous",
                    ));
                }
            }
            if let Some(name) = given(platform, THIS, "platform")? {
                let platform = Platform::by_name(&name).map_err(|e| errors::raised(py, e))?;
                builder = builder.platform(platform);
            }
            if let Some(url) = given(base_url, THIS, "base_url")? {
                builder = builder.base_url(url);
            }
            if let Some(time) = given(timeout, THIS, "timeout")? {
                builder = builder.timeout(time);
            }
            if let Some(time) = given(attempt_timeout, THIS, "attempt_timeout")? {
                builder = builder.attempt_timeout(time);
            }
            if let Some(time) = given(connect_timeout, THIS, "connect_timeout")? {
                builder = builder.connect_timeout(time);
            }
            if let Some(retries) = given(max_retries, THIS, "max_retries")? {
                builder = builder.max_retries(retries);
            }
            if let Some(time) = given(max_retry_after, THIS, "max_retry_after")? {
                builder = builder.max_retry_after(time);
            }
            if let Some(most) = given(max_in_flight, THIS, "max_in_flight")? {
                builder = builder.pacing(most);
            }
            if let Some(breaker) = circuit_breaker {
                builder = builder.circuit_breaker(breaker.get().0);
            }
            for (name, value) in given(headers, THIS, "headers")?.unwrap_or_default().0 {
                builder = builder.header(&name, &value);
            }
            if let Some((name, version)) = app_info {
                builder = builder.app_info(name, version);
            }
            if let Some(Pem(pem)) = given(ca_certificates, THIS, "ca_certificates")? {
                builder = builder.add_root_certificates(pem);
            }
            if let Some((chain, key)) = client_certificate {
                let Pem(chain) = chain.of(THIS, "client_certificate")?;
                let Pem(key) = key.of(THIS, "client_certificate")?;
                builder = builder.client_certificate(chain, key);
            }
            if let Some(url) = given(proxy, THIS, "proxy")? {
                builder = builder.proxy(url);
            }
            logs::look(py)?;
            let client = builder.language("python").build().map_err(|e| errors::raised(py, e))?;
            Ok(PyClassInitializer::from(Resources(Handle::new(client, $is_async)))
                .add_subclass(Self))
        }

        /// A client set up by the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
        /// `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them. Settings that are given here, the
        /// same as those of the class, go before the environment.
        #[classmethod]
        #[pyo3(signature = (**settings))]
        fn from_env<'py>(
            cls: &Bound<'py, PyType>,
            settings: Option<&Bound<'py, PyDict>>,
        ) -> PyResult<Bound<'py, PyAny>> {
            cls.call((), Some(&of_environment(cls.py(), settings)?))
        }

        /// The same client with options for the calls made through it. It shares this one's connections and limits, and ends
        /// with it; closing it ends its own calls alone.
        ///
        /// Args:
        ///     timeout: The most that the whole call may take, retries and waits included, in seconds: of an upload or a
        ///         download, too, to the last byte. Default: the client's, which does not bound these two as a whole.
        ///     max_retries: Attempts after the first; 0 means none.
        ///     idempotency_key: The key of a POST, in place of a random one.
        ///     headers: Further headers, or others in the place of the client's own.
        ///     capture: Keeps the last answer as it came, beside what a call gives.
        #[pyo3(signature = (*, timeout=None, max_retries=None, idempotency_key=None, headers=None, capture=None))]
        fn with_options<'py>(
            slf: &Bound<'py, Self>,
            timeout: Option<Arg<Duration>>,
            max_retries: Option<Arg<u32>>,
            idempotency_key: Option<Arg<String>>,
            headers: Option<Arg<Texts>>,
            capture: Option<&Bound<'_, Capture>>,
        ) -> PyResult<Bound<'py, PyAny>> {
            let (py, mut options) = (slf.py(), CallOptions::new());
            const THIS: &str = concat!(stringify!($class), ".with_options");
            if let Some(time) = given(timeout, THIS, "timeout")? {
                options = options.timeout(time);
            }
            if let Some(retries) = given(max_retries, THIS, "max_retries")? {
                options = options.max_retries(retries);
            }
            if let Some(key) = given(idempotency_key, THIS, "idempotency_key")? {
                options = options.idempotency_key(&key).map_err(|e| errors::raised(py, e))?;
            }
            for (name, value) in given(headers, THIS, "headers")?.unwrap_or_default().0 {
                options = options.header(&name, &value).map_err(|e| errors::raised(py, e))?;
            }
            if let Some(capture) = capture {
                options = options.capture(&capture.get().0);
            }
            derived(slf, slf.as_super().get().0.with(options))
        }

        /// The name of the platform that it speaks to.
        #[getter]
        fn platform(slf: &Bound<'_, Self>) -> String {
            slf.as_super().get().0.client().platform().name().to_owned()
        }

        /// Sends what is not typed here, with retries, limits and credentials as every call. `path` stands below the
        /// base URL. `content` is bytes or an object with `read`, in place of `json`; the latter can be sent once only, so that a
        /// request that fails with it is not tried again.
        #[pyo3(signature = (method, path, *, query=None, json=None, content=None, content_type=None, headers=None))]
        #[allow(clippy::too_many_arguments, reason = "they are keywords")]
        fn request(
            slf: &Bound<'_, Self>,
            method: Arg<String>,
            path: Arg<String>,
            query: Option<Arg<Texts>>,
            json: Option<Arg<serde_json::Value>>,
            content: Option<Arg<Content>>,
            content_type: Option<Arg<String>>,
            headers: Option<Arg<Texts>>,
        ) -> PyResult<Py<PyAny>> {
            const THIS: &str = concat!(stringify!($class), ".request");
            let (method, path) = (method.of(THIS, "method")?, path.of(THIS, "path")?);
            let json = given(json, THIS, "json")?;
            let content = given(content, THIS, "content")?;
            let content_type = given(content_type, THIS, "content_type")?;
            let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            let Texts(query) = given(query, THIS, "query")?.unwrap_or_default();
            let Texts(headers) = given(headers, THIS, "headers")?.unwrap_or_default();
            slf.as_super().get().0.run_telling(slf.py(), move |client, teller| async move {
                let mut request = client.request(&method, &path);
                for (name, value) in &query {
                    request = request.query(name, value);
                }
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                if let Some(json) = json {
                    request = request.json(&json);
                }
                if let Some(content) = content {
                    let (length, pieces) = content.pieces(teller);
                    request = request.stream(&content_type, length, pieces);
                }
                request.send().await
            })
        }

        fn __repr__(slf: &Bound<'_, Self>) -> String {
            format!("<{} of {}>", stringify!($class), Self::platform(slf))
        }

        $($own)*
        }
    };
}

client!(StoryCoreClient, is_async: false, {
    /// Ends what is under way and closes the connections. A client that was closed makes no more calls. Of a client that
    /// `with_options` gave it ends that one's calls alone: the connections are those of the client that it was made of.
    fn close(slf: &Bound<'_, Self>) {
        slf.as_super().get().0.close();
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(slf: &Bound<'_, Self>, _error: &Bound<'_, PyTuple>) {
        slf.as_super().get().0.close();
    }
});

client!(AsyncStoryCoreClient, is_async: true, {
    /// Ends what is under way and closes the connections. A client that was closed makes no more calls. Of a client that
    /// `with_options` gave it ends that one's calls alone: the connections are those of the client that it was made of.
    ///
    /// All of that is done when this returns; what it gives may be awaited, and need not be.
    fn close(slf: &Bound<'_, Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        slf.as_super().get().0.close();
        Ready::python(py, py.None())
    }

    /// The same as `close`.
    fn aclose(slf: &Bound<'_, Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        slf.as_super().get().0.close();
        Ready::python(py, py.None())
    }

    fn __aenter__(slf: Py<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ready::python(py, slf.into_any())
    }

    #[pyo3(signature = (*_error))]
    fn __aexit__(
        slf: &Bound<'_, Self>,
        py: Python<'_>,
        _error: &Bound<'_, PyTuple>,
    ) -> PyResult<Py<PyAny>> {
        slf.as_super().get().0.close();
        Ready::python(py, py.None())
    }
});

/// A certificate or key as text, in bytes or not.
struct Pem(String);

impl FromPython for Pem {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let not_text = |_| PyValueError::new_err("must be PEM");
        match value.extract::<&[u8]>() {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).map(Self).map_err(not_text),
            Err(_) => match value.extract() {
                Ok(text) => Ok(Self(text)),
                Err(_) => Err(wrong(value, "str or bytes")),
            },
        }
    }
}

/// What a client is made of that has its connections already, given to the class in place of an API key.
#[pyclass(frozen, module = "storycore")]
struct Made(Arc<Handle>);

/// A client of the class of `client`, which may be one of the caller's own, with what that one keeps in itself.
fn derived<'py, T: PyClass>(
    client: &Bound<'py, T>,
    handle: Arc<Handle>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, client) = (client.py(), client.as_any());
    let new = py.get_type::<T>().getattr(intern!(py, "__new__"))?;
    let made = new.call1((client.get_type(), Py::new(py, Made(handle))?))?;
    if let Some(own) = client.getattr_opt(intern!(py, "__dict__"))? {
        made.getattr(intern!(py, "__dict__"))?.cast::<PyDict>()?.update(own.cast()?)?;
    }
    Ok(made)
}

/// The settings that the environment gives, and over them those that were given.
fn of_environment<'py>(
    py: Python<'py>,
    given: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyDict>> {
    let environment = Environment::read();
    let settings = PyDict::new(py);
    for (name, value) in given.into_iter().flatten() {
        if !value.is_none() {
            settings.set_item(name, value)?;
        }
    }
    let platform = environment.platform.map(|read| read.map(|of| of.name().to_owned()));
    under(&settings, "platform", platform)?;
    under(&settings, "base_url", environment.base_url)?;
    let seconds = environment.timeout.map(|read| read.map(|time| time.as_secs_f64()));
    under(&settings, "timeout", seconds)?;
    under(&settings, "max_retries", environment.max_retries)?;
    let is_anonymous = match settings.get_item("anonymous")? {
        Some(anonymous) => anonymous.is_truthy()?,
        None => false,
    };
    let is_given = |name: &str| settings.contains(name);
    if !is_anonymous && !is_given("api_key")? && !is_given("jwt")? && !is_given("oauth")? {
        let key = environment.api_key.unwrap_or_else(|| Err(Environment::no_key()));
        settings.set_item("api_key", key.map_err(|e| errors::raised(py, e))?.expose())?;
    }
    Ok(settings)
}

/// Puts what a variable says under the settings that were given. One that is wrong is told only where nothing stands over it.
fn under<'py>(
    settings: &Bound<'py, PyDict>,
    name: &str,
    variable: Variable<impl IntoPyObject<'py>>,
) -> PyResult<()> {
    let py = settings.py();
    match variable {
        Some(read) if !settings.contains(name)? => {
            settings.set_item(name, read.map_err(|e| errors::raised(py, e))?)
        }
        _ => Ok(()),
    }
}

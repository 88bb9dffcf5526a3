//! The clients as Python makes them: their settings, how they are closed, and what is not typed. Their resources are
//! generated, in `resources`.

use std::{sync::Arc, time::Duration};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyDict, PyTuple},
};
use storycore::{CallOptions, Client, ClientBuilder, Platform, RawResponse};

use crate::{
    bridge::{Give, Handle, Ready},
    by_hand::Content,
    convert::{self, Arg, FromPython},
    credentials::{CircuitBreaker, JwtCredential, OAuthCredential},
    errors, logs,
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
            api_key: Option<String>,
            base_url: Option<String>,
            platform: Option<String>,
            jwt: Option<&Bound<'_, JwtCredential>>,
            oauth: Option<&Bound<'_, OAuthCredential>>,
            timeout: Option<Arg<Duration>>,
            attempt_timeout: Option<Arg<Duration>>,
            connect_timeout: Option<Arg<Duration>>,
            max_retries: Option<u32>,
            max_retry_after: Option<Arg<Duration>>,
            max_in_flight: Option<usize>,
            circuit_breaker: Option<&Bound<'_, CircuitBreaker>>,
            headers: Option<&Bound<'_, PyDict>>,
            app_info: Option<(String, String)>,
            anonymous: bool,
            allow_insecure_http: bool,
            ca_certificates: Option<Arg<Pem>>,
            client_certificate: Option<(Arg<Pem>, Arg<Pem>)>,
            proxy: Option<String>,
        ) -> PyResult<PyClassInitializer<Self>> {
            let mut builder = Client::builder().allow_insecure_http(allow_insecure_http);
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
            if let Some(name) = platform {
                let platform = Platform::by_name(&name).map_err(|e| errors::raised(py, e))?;
                builder = builder.platform(platform);
            }
            if let Some(url) = base_url {
                builder = builder.base_url(url);
            }
            if let Some(time) = timeout {
                builder = builder.timeout(time.0);
            }
            if let Some(time) = attempt_timeout {
                builder = builder.attempt_timeout(time.0);
            }
            if let Some(time) = connect_timeout {
                builder = builder.connect_timeout(time.0);
            }
            if let Some(retries) = max_retries {
                builder = builder.max_retries(retries);
            }
            if let Some(time) = max_retry_after {
                builder = builder.max_retry_after(time.0);
            }
            if let Some(most) = max_in_flight {
                builder = builder.pacing(most);
            }
            if let Some(breaker) = circuit_breaker {
                builder = builder.circuit_breaker(breaker.get().0);
            }
            for (name, value) in texts(headers)? {
                builder = builder.header(&name, &value);
            }
            if let Some((name, version)) = app_info {
                builder = builder.app_info(name, version);
            }
            if let Some(Arg(Pem(pem))) = ca_certificates {
                builder = builder.add_root_certificates(pem);
            }
            if let Some((Arg(Pem(chain)), Arg(Pem(key)))) = client_certificate {
                builder = builder.client_certificate(chain, key);
            }
            if let Some(url) = proxy {
                builder = builder.proxy(url);
            }
            logs::look(py);
            let client = builder.language("python").build().map_err(|e| errors::raised(py, e))?;
            Ok(PyClassInitializer::from(Resources(Handle::new(client, $is_async)))
                .add_subclass(Self))
        }

        /// A client set up by the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
        /// `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them.
        #[staticmethod]
        fn from_env(py: Python<'_>) -> PyResult<Py<Self>> {
            logs::look(py);
            let client = ClientBuilder::from_env()
                .and_then(|builder| builder.language("python").build())
                .map_err(|e| errors::raised(py, e))?;
            made(py, Handle::new(client, $is_async), Self)
        }

        /// The same client with options for the calls made through it. It shares this one's connections and limits.
        #[pyo3(signature = (*, timeout=None, max_retries=None, idempotency_key=None, headers=None))]
        fn with_options(
            slf: &Bound<'_, Self>,
            timeout: Option<Arg<Duration>>,
            max_retries: Option<u32>,
            idempotency_key: Option<&str>,
            headers: Option<&Bound<'_, PyDict>>,
        ) -> PyResult<Py<Self>> {
            let options = options(slf.py(), timeout, max_retries, idempotency_key, headers)?;
            made(slf.py(), slf.as_super().get().0.with(options), Self)
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
            method: &str,
            path: &str,
            query: Option<&Bound<'_, PyDict>>,
            json: Option<Arg<serde_json::Value>>,
            content: Option<&Bound<'_, PyAny>>,
            content_type: Option<String>,
            headers: Option<&Bound<'_, PyDict>>,
        ) -> PyResult<Py<PyAny>> {
            let (method, path) = (method.to_owned(), path.to_owned());
            let content = content.map(Content::of).transpose()?;
            let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            let (query, headers) = (texts(query)?, texts(headers)?);
            slf.as_super().get().0.run_telling(slf.py(), move |client, teller| async move {
                let mut request = client.request(&method, &path);
                for (name, value) in &query {
                    request = request.query(name, value);
                }
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                if let Some(Arg(json)) = json {
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
    /// Ends what is under way and closes the connections. A client that was closed makes no more calls.
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
    /// Ends what is under way and closes the connections. A client that was closed makes no more calls.
    fn close(slf: &Bound<'_, Self>) {
        slf.as_super().get().0.close();
    }

    /// The same as `close`, for who awaits it.
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
        let not_text = |_| PyValueError::new_err("a certificate or key must be PEM");
        match value.extract::<&[u8]>() {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).map(Self).map_err(not_text),
            Err(_) => value.extract().map(Self),
        }
    }
}

fn made<T: pyo3::PyClass<BaseType = Resources>>(
    py: Python<'_>,
    handle: Arc<Handle>,
    client: T,
) -> PyResult<Py<T>> {
    Py::new(py, PyClassInitializer::from(Resources(handle)).add_subclass(client))
}

/// The names and values of a dict, its numbers and the like as text.
fn texts(given: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for (name, value) in given.into_iter().flatten() {
        texts.push((name.extract()?, convert::text(&value)?));
    }
    Ok(texts)
}

fn options(
    py: Python<'_>,
    timeout: Option<Arg<Duration>>,
    max_retries: Option<u32>,
    idempotency_key: Option<&str>,
    headers: Option<&Bound<'_, PyDict>>,
) -> PyResult<CallOptions> {
    let mut options = CallOptions::new();
    if let Some(Arg(time)) = timeout {
        options = options.timeout(time);
    }
    if let Some(retries) = max_retries {
        options = options.max_retries(retries);
    }
    if let Some(key) = idempotency_key {
        options = options.idempotency_key(key).map_err(|e| errors::raised(py, e))?;
    }
    for (name, value) in texts(headers)? {
        options = options.header(&name, &value).map_err(|e| errors::raised(py, e))?;
    }
    Ok(options)
}

/// An answer as it came.
#[pyclass(frozen, module = "storycore", name = "RawResponse")]
pub(crate) struct Response(RawResponse);

impl Give for RawResponse {
    fn give(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Response(self))?.into_any())
    }
}

#[pymethods]
impl Response {
    /// The HTTP status.
    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    /// The headers, names in lower case; of one that is there twice, the last.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        for (name, value) in &self.0.headers {
            headers.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
        }
        Ok(headers)
    }

    /// `X-Request-Id`.
    #[getter]
    fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The body.
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    /// The body, read as JSON.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let value: serde_json::Value = self.0.json().map_err(|e| errors::raised(py, e))?;
        convert::to_python(py, &value)
    }

    fn __repr__(&self) -> String {
        format!("RawResponse(status={}, body={} bytes)", self.0.status, self.0.body.len())
    }
}

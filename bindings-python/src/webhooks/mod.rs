//! `storycore.webhooks` as far as it is Rust: verifying and signing; `event` is what was told, `read` takes what Python hands in. The
//! replay guard and the adapters for frameworks are Python.

mod event;
mod read;

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyDict, PyString},
};
use storycore::{
    Platform,
    webhooks::{self as core, sign},
};

use self::event::{AssetEvent, Event, JobEvent, PortfolioEvent, ProjectEvent, UnknownEvent};
use crate::{
    convert::{self, FromPython as _},
    errors::raised,
};

/// Hashing more than this takes longer than letting other threads run meanwhile costs.
const LARGE: usize = 32 * 1024;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let webhooks = PyModule::new(module.py(), "webhooks")?;
    webhooks.add_class::<Webhook>()?;
    webhooks.add_class::<Event>()?;
    webhooks.add_class::<ProjectEvent>()?;
    webhooks.add_class::<AssetEvent>()?;
    webhooks.add_class::<JobEvent>()?;
    webhooks.add_class::<PortfolioEvent>()?;
    webhooks.add_class::<UnknownEvent>()?;
    webhooks.add_function(wrap_pyfunction!(sign_delivery, &webhooks)?)?;
    webhooks.add_function(wrap_pyfunction!(new_secret, &webhooks)?)?;
    module.add_submodule(&webhooks)
}

/// Verifies what a webhook receives.
///
/// Where the Standard Webhooks headers are there they must hold; the platform's own signature is taken alone where they are
/// absent.
///
/// Args:
///     secret: `whsec_…`, or `whpk_…` for `v1a`. Several while a secret rotates, each of them good.
///     platform: Whose own signature is taken.
///     tolerance: How far a webhook's time may be from now, both ways; seconds when it is a number. Default 300.
///     clock: What time it is, as a `datetime` or seconds since 1970; the system's without it.
///     require_standard: Takes no delivery without the Standard Webhooks headers.
///
/// Raises:
///     ConfigError: The secret cannot be one.
#[pyclass(frozen, module = "storycore.webhooks")]
pub(crate) struct Webhook {
    webhook: core::Webhook,
    clock: Option<Py<PyAny>>,
    /// What it tells of itself: nothing of a secret.
    told: String,
}

#[pymethods]
impl Webhook {
    #[new]
    #[pyo3(signature = (secret, *, platform=None, tolerance=None, clock=None, require_standard=false))]
    fn new(
        py: Python<'_>,
        secret: &Bound<'_, PyAny>,
        platform: Option<&str>,
        tolerance: Option<&Bound<'_, PyAny>>,
        clock: Option<Py<PyAny>>,
        require_standard: bool,
    ) -> PyResult<Self> {
        let secrets: Vec<String> = match secret.cast::<PyString>() {
            Ok(one) => vec![one.extract()?],
            Err(_) => secret
                .try_iter()
                .and_then(|secrets| secrets.map(|one| one?.extract()).collect())
                .map_err(|_| {
                    PyTypeError::new_err("a secret is a text, or several are a list of texts")
                })?,
        };
        let made = core::Webhook::with_secrets(secrets.iter().map(String::as_str));
        let mut webhook = made.map_err(|error| raised(py, error))?;
        if let Some(name) = platform {
            webhook = webhook.platform(&Platform::by_name(name).map_err(|e| raised(py, e))?);
        }
        if let Some(tolerance) = tolerance {
            let tolerance = Duration::from_python(tolerance);
            webhook = webhook.tolerance(convert::named("Webhook", "tolerance", tolerance)?);
        }
        if require_standard {
            webhook = webhook.require_standard();
        }
        if let Some(clock) = &clock
            && !clock.bind(py).is_callable()
        {
            return Err(PyTypeError::new_err("the clock is called for the time: give a function"));
        }
        let platform = platform.unwrap_or("storycore");
        let mut told = format!("secrets={}, platform={platform:?}", secrets.len());
        if require_standard {
            told += ", require_standard=True";
        }
        Ok(Self { webhook, clock, told })
    }

    /// Verifies a delivery and reads it.
    ///
    /// Args:
    ///     body: The bytes as they arrived: JSON that was read and written again has other bytes.
    ///     headers: A mapping, pairs of names and values, or a WSGI environment.
    ///
    /// Raises:
    ///     WebhookSignatureError: It is not what it claims to be, too old, or no event.
    ///     ParsedBodyError: The body is something else than bytes.
    fn verify(
        &self,
        py: Python<'_>,
        body: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
    ) -> PyResult<Py<PyAny>> {
        let body = read::body(body)?;
        let headers = read::headers(headers)?;
        let timed = match &self.clock {
            Some(clock) => {
                let now = read::moment(&clock.bind(py).call0()?)?;
                Some(self.webhook.clone().clock(move || now))
            }
            None => None,
        };
        let webhook = timed.as_ref().unwrap_or(&self.webhook);
        let bytes: &[u8] = &body;
        let verified = if bytes.len() > LARGE {
            py.detach(|| webhook.verify(bytes, &headers))
        } else {
            webhook.verify(bytes, &headers)
        };
        Event::python(py, verified.map_err(|error| raised(py, error))?)
    }

    fn __repr__(&self) -> String {
        format!("Webhook({})", self.told)
    }
}

/// The headers of a delivery as the platform sends it, for tests of a receiver.
///
/// Args:
///     secret: The webhook's secret; for `v1a` the private key, `whsk_` and base64 of 32 bytes.
///     body: The delivery's bytes.
///     id: Its `webhook-id`; without it the event's own id.
///     at: When it was sent; now without it.
///     scheme: Standard Webhooks `v1` or `v1a`, or `own`, the platform's own header.
///     platform: Whose header that is.
#[pyfunction]
#[pyo3(name = "sign", signature = (secret, body, *, id=None, at=None, scheme="v1", platform=None))]
fn sign_delivery<'py>(
    py: Python<'py>,
    secret: &str,
    body: &Bound<'py, PyAny>,
    id: Option<&str>,
    at: Option<&Bound<'py, PyAny>>,
    scheme: &str,
    platform: Option<&str>,
) -> PyResult<Bound<'py, PyDict>> {
    let body = read::body(body)?;
    let at = at.map_or_else(|| Ok(SystemTime::now()), read::moment)?;
    // The platform sends the event's own id.
    let known: Option<String> = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|event| event.get("id")?.as_str().map(str::to_owned));
    let id = id.or(known.as_deref()).unwrap_or("evt_1");
    let signed = match scheme {
        "v1" => sign::standard(secret, id, at, &body),
        "v1a" => sign::standard_public(&private_key(secret)?, id, at, &body),
        "own" => Platform::by_name(platform.unwrap_or("storycore"))
            .and_then(|platform| sign::own(&platform, secret, &body)),
        _ => return Err(PyValueError::new_err("the scheme is \"v1\", \"v1a\" or \"own\"")),
    };
    let headers = PyDict::new(py);
    for (name, value) in &signed.map_err(|error| raised(py, error))? {
        headers.set_item(name.as_str(), String::from_utf8_lossy(value.as_bytes()))?;
    }
    Ok(headers)
}

/// A new secret: `whsec_` and base64 of 32 random bytes.
#[pyfunction]
fn new_secret() -> String {
    core::new_secret().expose().to_owned()
}

/// The 32 bytes of an ed25519 key: `whsk_` and their base64.
fn private_key(secret: &str) -> PyResult<[u8; 32]> {
    secret
        .strip_prefix("whsk_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|key| key.try_into().ok())
        .ok_or_else(|| PyValueError::new_err("a key for v1a is whsk_ and the base64 of 32 bytes"))
}

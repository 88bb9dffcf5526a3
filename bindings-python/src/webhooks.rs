//! `storycore.webhooks` as far as it is Rust: verifying, events, signing. Reading what Python hands in as body and headers is
//! here; the replay guard and the adapters for frameworks are Python.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pyo3::{
    exceptions::{PyKeyError, PyTypeError, PyValueError},
    prelude::*,
    pybacked::PyBackedBytes,
    sync::PyOnceLock,
    types::{
        PyByteArray, PyBytes, PyDateTime, PyDict, PyList, PyMapping, PyMemoryView, PyString,
        PyTuple,
    },
};
use storycore::{
    Platform,
    webhooks::{self as core, EventData, sign},
};

use crate::{
    convert::{self, FromPython as _},
    errors::raised,
    models::Model,
    object::Held,
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
        let body = read_body(body)?;
        let headers = read_headers(headers)?;
        let timed = match &self.clock {
            Some(clock) => {
                let now = moment(&clock.bind(py).call0()?)?;
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

/// What happened, as the platform told it.
#[pyclass(frozen, subclass, module = "storycore.webhooks")]
pub(crate) struct Event {
    event: core::Event,
    data: EventData,
    python: PyOnceLock<Py<PyAny>>,
}

macro_rules! families {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[pyclass(frozen, extends = Event, module = "storycore.webhooks")]
        pub(crate) struct $name;

        #[pymethods]
        impl $name {
            /// What pickle kept.
            #[staticmethod]
            fn _restore(py: Python<'_>, raw: &[u8]) -> PyResult<Py<PyAny>> {
                Event::python(py, core::Event::from_verified(raw).map_err(|e| raised(py, e))?)
            }
        }
    )+};
}

families! {
    /// `project.created`, `project.updated`, `project.deleted`, `project.status_changed`.
    ProjectEvent,
    /// `asset.ready`, `asset.failed`.
    AssetEvent,
    /// `job.completed`, `job.failed`, `job.cancelled`.
    JobEvent,
    /// Risks, decisions, reports, people and sprints.
    PortfolioEvent,
    /// An event that this version does not know.
    UnknownEvent
}

impl Event {
    fn python(py: Python<'_>, event: core::Event) -> PyResult<Py<PyAny>> {
        // Read at once, so that an event that Python holds is whole.
        event.payload().map_err(|error| raised(py, error))?;
        let data = event.typed();
        let base = |data| PyClassInitializer::from(Self { event, data, python: PyOnceLock::new() });
        Ok(match &data {
            EventData::Project(_) => Py::new(py, base(data).add_subclass(ProjectEvent))?.into_any(),
            EventData::Asset(_) => Py::new(py, base(data).add_subclass(AssetEvent))?.into_any(),
            EventData::Job(_) => Py::new(py, base(data).add_subclass(JobEvent))?.into_any(),
            EventData::Portfolio(_) => {
                Py::new(py, base(data).add_subclass(PortfolioEvent))?.into_any()
            }
            _ => Py::new(py, base(data).add_subclass(UnknownEvent))?.into_any(),
        })
    }

    fn payload(&self, py: Python<'_>) -> PyResult<&core::Payload> {
        self.event.payload().map_err(|error| raised(py, error))
    }
}

#[pymethods]
impl Event {
    /// Its id, such as `evt_…`: the same however often it is delivered.
    #[getter]
    fn id(&self) -> &str {
        self.event.id()
    }

    /// What happened, such as `job.completed`.
    #[getter]
    fn r#type(&self) -> &str {
        self.event.kind()
    }

    /// When it happened.
    #[getter]
    fn timestamp<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        self.payload(py)?.timestamp.map(|time| convert::time(py, time)).transpose()
    }

    /// In which organization.
    #[getter]
    fn organization_id<'a>(&'a self, py: Python<'_>) -> PyResult<Option<&'a str>> {
        Ok(self.payload(py)?.organization_id.as_deref())
    }

    /// The object that it is about.
    #[getter]
    fn data(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let made = self.python.get_or_try_init(py, || match &self.data {
            EventData::Project(project) => Model::python(py, Held::new((**project).clone())),
            EventData::Asset(asset) => Model::python(py, Held::new((**asset).clone())),
            EventData::Job(job) => Model::python(py, Held::new((**job).clone())),
            _ => convert::to_python(py, &self.payload(py)?.data).map(Bound::unbind),
        });
        made.map(|data| data.clone_ref(py))
    }

    /// Fields beside these, by name.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::dict(py, &self.payload(py)?.extra)
    }

    /// The delivery as it arrived.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.event.raw())
    }

    /// The delivery as plain JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fields = serde_json::from_slice(self.event.raw())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        convert::dict(py, &fields)
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        Ok(self.to_dict(py)?.keys())
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if name == "data" {
            return slf.getattr(name);
        }
        let fields = slf.get().to_dict(slf.py())?;
        fields.get_item(name)?.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let text = |text: &str| PyString::new(slf.py(), text).repr();
        let event = &slf.get().event;
        let (class, id, kind) = (slf.get_type().name()?, text(event.id())?, text(event.kind())?);
        Ok(format!("{class}(id={id}, type={kind})"))
    }

    fn __eq__(&self, other: &Bound<'_, Self>) -> bool {
        self.event == other.get().event
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<isize> {
        PyString::new(slf.py(), slf.get().event.id()).hash()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        (slf.get_type().getattr("_restore")?, (slf.get().raw(py),)).into_pyobject(py)
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
    let body = read_body(body)?;
    let at = at.map_or_else(|| Ok(SystemTime::now()), moment)?;
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

/// A time: a number of seconds since 1970, or a `datetime`.
fn moment(given: &Bound<'_, PyAny>) -> PyResult<SystemTime> {
    let seconds: f64 = match given.cast::<PyDateTime>() {
        Ok(time) => time.call_method0("timestamp")?.extract()?,
        Err(_) => given.extract()?,
    };
    Duration::try_from_secs_f64(seconds)
        .map(|time| UNIX_EPOCH + time)
        .map_err(|_| PyValueError::new_err(format!("{seconds} is no time since 1970")))
}

/// The delivery's bytes. What is none is a mistake in the receiver, and never the sender's.
fn read_body(given: &Bound<'_, PyAny>) -> PyResult<PyBackedBytes> {
    let py = given.py();
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(bytes.clone().into());
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        return Ok(PyBytes::new(py, &bytes.to_vec()).into());
    }
    if let Ok(view) = given.cast::<PyMemoryView>() {
        return Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?.into());
    }
    if let Ok(text) = given.cast::<PyString>() {
        // What is no text in UTF-8 did not arrive as such: it cannot match, and the signature says so.
        let bytes = text.call_method1("encode", ("utf-8", "surrogateescape"));
        return match bytes {
            Ok(bytes) => Ok(bytes.cast_into::<PyBytes>()?.into()),
            Err(_) => Ok(PyBytes::new(py, b"").into()),
        };
    }
    let class = py.import("storycore.webhooks")?.getattr("ParsedBodyError")?;
    let kind = given.get_type().name()?;
    Err(PyErr::from_value(class.call1((format!(
        "the body is of type {kind}, not the bytes as they arrived: what was read and written again has other bytes; give \
         request.body, request.get_data() or await request.body()"
    ),))?))
}

/// The headers as pairs of texts: of a mapping, of pairs as ASGI has them, or of a WSGI environment. What is no text is left
/// out, and then missing where it is needed.
fn read_headers(given: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let pairs = if let Ok(mapping) = given.cast::<PyMapping>() {
        mapping.items().map(Bound::into_any)
    } else if given.hasattr("items")? {
        given.call_method0("items")
    } else {
        Ok(given.clone())
    };
    let mut headers = Vec::new();
    let pairs = pairs.and_then(|pairs| pairs.try_iter());
    let pairs = pairs.map_err(|_| no_headers(given))?;
    for pair in pairs {
        let pair = pair.and_then(|pair| pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>());
        let (name, value) = pair.map_err(|_| no_headers(given))?;
        let Some(name) = header_text(&name) else { continue };
        // Some gateways give a list of the values that a header had.
        let first = value.cast::<PyList>().ok().and_then(|values| values.get_item(0).ok());
        let Some(value) = header_text(first.as_ref().unwrap_or(&value)) else { continue };
        let name = match name.strip_prefix("HTTP_") {
            Some(name) => name.replace('_', "-"),
            None => name,
        };
        headers.push((name, value));
    }
    Ok(headers)
}

fn header_text(given: &Bound<'_, PyAny>) -> Option<String> {
    if let Ok(text) = given.cast::<PyString>() {
        return text.extract().ok();
    }
    let bytes = given.cast::<PyBytes>().ok()?;
    std::str::from_utf8(bytes.as_bytes()).ok().map(str::to_owned)
}

fn no_headers(given: &Bound<'_, PyAny>) -> PyErr {
    let kind = given.get_type().name().map_or_else(|_| "this".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("headers are a mapping or pairs of texts; a {kind} is neither"))
}

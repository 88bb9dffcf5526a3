//! What a webhook told: events, a class for each family of them.

use pyo3::{
    exceptions::{PyKeyError, PyValueError},
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyDateTime, PyDict, PyList, PyString, PyTuple},
};
use storycore::webhooks::{self as core, EventData};

use crate::{convert, errors::raised, models::Model, object::Held};

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
    /// The class of its family, read at once, so that an event that Python holds is whole.
    pub(super) fn python(py: Python<'_>, event: core::Event) -> PyResult<Py<PyAny>> {
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

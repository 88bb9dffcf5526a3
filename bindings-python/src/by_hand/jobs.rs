//! Waiting for a job.

use std::{sync::Arc, time::Duration};

use pyo3::prelude::*;
use storycore::jobs::WaitOptions;

use crate::{bridge::Handle, convert::Arg, models::Model, object::Held};

/// What waits for jobs.
#[pyclass(frozen, subclass, module = "storycore", name = "_JobsByHand")]
pub(crate) struct Jobs(Arc<Handle>);

impl Jobs {
    pub(crate) fn new(handle: &Arc<Handle>) -> Self {
        Self(Arc::clone(handle))
    }
}

#[pymethods]
impl Jobs {
    /// Waits until the job has completed, for 30 minutes at most. What is not waited for any more goes on.
    ///
    /// Args:
    ///     id: The job's id.
    ///     timeout: How long to wait at most, in seconds. Default 30 minutes.
    ///     on_progress: Is told of the job each time that it is seen. What it raises ends the waiting.
    ///
    /// Raises:
    ///     StoryCoreError: `JobFailedError`, `JobCancelledError` or `WaitTimeoutError`, each carrying the job, and as
    ///         every call.
    #[pyo3(signature = (id, *, timeout=None, on_progress=None))]
    fn wait(
        &self,
        py: Python<'_>,
        id: String,
        timeout: Option<Arg<Duration>>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let mut options = WaitOptions::new();
        if let Some(Arg(time)) = timeout {
            options = options.timeout(time);
        }
        self.0.run_telling(py, move |client, teller| async move {
            if let Some(function) = on_progress {
                let function = Arc::new(function);
                options = options.on_progress(move |job| {
                    let (function, job) = (Arc::clone(&function), job.clone());
                    teller.tell(move |py| {
                        let job = Model::python(py, Held::new(job))?;
                        function.call1(py, (job,)).map(drop)
                    });
                });
            }
            client.jobs().wait_with(&id, options).await
        })
    }
}

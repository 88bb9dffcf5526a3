//! Waiting for a job.

use std::{sync::Arc, time::Duration};

use pyo3::prelude::*;
use storycore::jobs::WaitOptions;

use super::upload::Function;
use crate::{
    convert::{Arg, given},
    models::Model,
    object::Held,
    resources::Jobs,
};

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
        id: Arg<String>,
        timeout: Option<Arg<Duration>>,
        on_progress: Option<Arg<Function>>,
    ) -> PyResult<Py<PyAny>> {
        const THIS: &str = "Jobs.wait";
        let id = id.of(THIS, "id")?;
        let mut options = WaitOptions::new();
        if let Some(time) = given(timeout, THIS, "timeout")? {
            options = options.timeout(time);
        }
        let on_progress = given(on_progress, THIS, "on_progress")?;
        self.0.run_telling(py, move |client, teller| async move {
            if let Some(Function(function)) = on_progress {
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

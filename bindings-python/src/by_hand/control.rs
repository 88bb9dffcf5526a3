//! The handle by which a program steers an upload, and reads how it went.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use storycore::upload::{self, Uploaded};

/// Pauses, resumes and cancels the upload that it is given to, and knows how it went.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct UploadControl {
    pub(super) control: upload::UploadControl,
    pub(super) told: ReportSlot,
}

/// Where it is written how the last upload went.
#[derive(Clone, Default)]
pub(super) struct ReportSlot(Arc<Mutex<Option<Report>>>);

impl ReportSlot {
    pub(super) fn set(&self, report: Report) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }
}

/// How an upload went.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) sent: u64,
    pub(super) failures: u32,
    pub(super) restarts: Vec<String>,
}

impl Report {
    pub(super) fn of(uploaded: &Uploaded) -> Self {
        let Uploaded { sent, failures, restarts, .. } = uploaded;
        Self { sent: *sent, failures: *failures, restarts: restarts.clone() }
    }
}

impl UploadControl {
    fn report(&self) -> Option<Report> {
        self.told.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl UploadControl {
    #[new]
    fn new() -> Self {
        Self { control: upload::UploadControl::new(), told: ReportSlot::default() }
    }

    /// Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its way
    /// goes on.
    fn pause(&self) {
        self.control.pause();
    }

    /// Goes on from where the platform is.
    fn resume(&self) {
        self.control.resume();
    }

    /// Ends the upload with a `CallCancelledError`, and takes back what the platform has of it, the asset too that it may
    /// just have become: within five seconds. A small file whose single request had arrived whole is an asset that stays; so
    /// is what the platform needs longer than three seconds to join or to finish. Taking back needs the permission `admin`;
    /// without it, what arrived stays until it expires. The next upload of the same file goes on with what stayed.
    fn cancel(&self) {
        self.control.cancel();
    }

    /// Of an upload that is there: bytes of the file that went out, also those that went twice; fewer than the file has
    /// when an earlier upload was continued.
    #[getter]
    fn sent(&self) -> Option<u64> {
        self.report().map(|report| report.sent)
    }

    /// Of an upload that is there: requests that failed and were made good. To be told that the joining of the parts is under way
    /// is no failure.
    #[getter]
    fn failures(&self) -> Option<u32> {
        self.report().map(|report| report.failures)
    }

    /// Of an upload that is there: what had to be begun anew, and why, in words.
    #[getter]
    fn restarts(&self) -> Option<Vec<String>> {
        self.report().map(|report| report.restarts)
    }
}

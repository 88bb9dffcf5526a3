//! How far uploads are, as Python's functions are told.

use pyo3::prelude::*;
use storycore::upload;

/// How far an upload is.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Progress(pub(super) upload::Progress);

#[pymethods]
impl Progress {
    /// Bytes of the file given to the network; less than before when some are to be sent again.
    #[getter]
    fn sent(&self) -> u64 {
        self.0.sent
    }

    /// Bytes that the platform said it has.
    #[getter]
    fn acknowledged(&self) -> u64 {
        self.0.acknowledged
    }

    /// Bytes of the file. Of a stream of unknown length, what was read of it so far.
    #[getter]
    fn total(&self) -> u64 {
        self.0.total
    }

    /// Bytes a second over the last five seconds.
    #[getter]
    fn rate(&self) -> f64 {
        self.0.rate
    }

    /// Seconds left at that rate, once there is one.
    #[getter]
    fn time_left(&self) -> Option<f64> {
        self.0.time_left.map(|time| time.as_secs_f64())
    }

    fn __repr__(&self) -> String {
        let upload::Progress { sent, acknowledged, total, rate, .. } = self.0;
        format!("Progress(sent={sent}, acknowledged={acknowledged}, total={total}, rate={rate:.0})")
    }
}

/// How far the upload of many files is.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct UploadAllProgress(pub(super) upload::UploadAllProgress);

#[pymethods]
impl UploadAllProgress {
    /// Files in all.
    #[getter]
    fn files(&self) -> usize {
        self.0.files
    }

    /// Files that are there.
    #[getter]
    fn files_done(&self) -> usize {
        self.0.files_done
    }

    /// Files that failed.
    #[getter]
    fn files_failed(&self) -> usize {
        self.0.files_failed
    }

    /// The bytes of all files together. File objects, and files that cannot be read, are not in its total.
    #[getter]
    fn bytes(&self) -> Progress {
        Progress(self.0.bytes)
    }

    fn __repr__(&self) -> String {
        let upload::UploadAllProgress { files, files_done, files_failed, .. } = self.0;
        let bytes = self.bytes().__repr__();
        format!(
            "UploadAllProgress(files={files}, files_done={files_done}, files_failed={files_failed}, bytes={bytes})"
        )
    }
}

//! How far uploads are, as Python's functions are told.

use std::time::Duration;

use pyo3::{
    prelude::*,
    types::{PyTuple, PyType},
};
use storycore::upload;

/// How far an upload is.
#[pyclass(frozen, eq, module = "storycore")]
#[derive(PartialEq)]
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

    /// Seconds since the upload began.
    #[getter]
    fn elapsed(&self) -> f64 {
        self.0.elapsed.as_secs_f64()
    }

    fn __repr__(&self) -> String {
        let upload::Progress { sent, acknowledged, total, rate, .. } = self.0;
        format!("Progress(sent={sent}, acknowledged={acknowledged}, total={total}, rate={rate:.0})")
    }

    fn __hash__(&self) -> u64 {
        self.0.sent ^ self.0.acknowledged.rotate_left(24) ^ self.0.total.rotate_left(48)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let this = slf.get();
        let upload::Progress { sent, acknowledged, total, rate, .. } = this.0;
        let fields = (sent, acknowledged, total, rate, this.time_left(), this.elapsed());
        (slf.get_type().getattr("_restore")?, fields).into_pyobject(slf.py())
    }

    #[classmethod]
    fn _restore(
        _: &Bound<'_, PyType>,
        sent: u64,
        acknowledged: u64,
        total: u64,
        rate: f64,
        time_left: Option<f64>,
        elapsed: f64,
    ) -> Self {
        let time = |seconds| Duration::try_from_secs_f64(seconds).ok();
        let (time_left, elapsed) = (time_left.and_then(time), time(elapsed).unwrap_or_default());
        Self(upload::Progress { sent, acknowledged, total, rate, time_left, elapsed })
    }
}

/// How far the upload of many files is.
#[pyclass(frozen, eq, module = "storycore")]
#[derive(PartialEq)]
pub(crate) struct UploadAllProgress {
    /// Files in all.
    #[pyo3(get)]
    files: usize,
    /// Files that are there.
    #[pyo3(get)]
    files_done: usize,
    /// Files that failed.
    #[pyo3(get)]
    files_failed: usize,
    bytes: upload::Progress,
}

impl From<upload::UploadAllProgress> for UploadAllProgress {
    fn from(progress: upload::UploadAllProgress) -> Self {
        let upload::UploadAllProgress { files, files_done, files_failed, bytes, .. } = progress;
        Self { files, files_done, files_failed, bytes }
    }
}

#[pymethods]
impl UploadAllProgress {
    /// The bytes of all files together; of a file object what was read so far, of files that cannot be read none.
    #[getter]
    fn bytes(&self) -> Progress {
        Progress(self.bytes)
    }

    fn __repr__(&self) -> String {
        let Self { files, files_done, files_failed, .. } = self;
        let bytes = self.bytes().__repr__();
        format!(
            "UploadAllProgress(files={files}, files_done={files_done}, files_failed={files_failed}, bytes={bytes})"
        )
    }

    fn __hash__(&self) -> u64 {
        self.bytes().__hash__() ^ self.files_done as u64 ^ (self.files_failed as u64) << 32
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let this = slf.get();
        let fields = (this.files, this.files_done, this.files_failed, this.bytes());
        (slf.get_type().getattr("_restore")?, fields).into_pyobject(slf.py())
    }

    #[classmethod]
    fn _restore(
        _: &Bound<'_, PyType>,
        files: usize,
        files_done: usize,
        files_failed: usize,
        bytes: &Bound<'_, Progress>,
    ) -> Self {
        Self { files, files_done, files_failed, bytes: bytes.get().0 }
    }
}

//! Uploading: from a path, from bytes, or from anything that Python can read from.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes},
};
use storycore::{
    models::UploadOptions,
    upload::{self, Journal, UploadSource, Uploaded},
};

use super::content::{self, Reading};
use crate::{bridge::Handle, convert::Arg};

/// What uploads.
#[pyclass(frozen, subclass, module = "storycore", name = "_AssetsByHand")]
pub(crate) struct Assets(Arc<Handle>);

impl Assets {
    pub(crate) fn new(handle: &Arc<Handle>) -> Self {
        Self(Arc::clone(handle))
    }
}

#[pymethods]
impl Assets {
    /// Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
    /// survive broken connections, and a crash: the same call then goes on from where it was.
    ///
    /// Args:
    ///     file_path: A path, bytes, or an object with `read`. The last can be read once only: an upload of it survives
    ///         no crash.
    ///     name: Its name. Default: the file's.
    ///     type: `video`, `audio`, `image` or `document`. Default: by the file's extension.
    ///     description: What it shows.
    ///     project_id: The project it belongs to.
    ///     content_type: Its media type. Default: by the file's extension.
    ///     file_name: The file's name, where bytes or a file object have none.
    ///     progress: Is told of the progress, at most ten times a second. What it raises stops the upload, which the same
    ///         call continues.
    ///     control: Pauses, resumes and cancels it.
    ///     chunk_size: The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s.
    ///     max_streams: The most requests side by side, from 1 to 16.
    ///     multipart_below: Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
    ///     retries: Failures in a row that are survived. Default 8.
    ///     stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
    ///     journal: A file to write the upload down in, or False for none. Default: the user's own.
    ///
    /// Raises:
    ///     StoryCoreError: `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as every
    ///         call. Whatever it is, the same upload called again goes on from what the platform has.
    #[pyo3(signature = (
        file_path, *, name=None, r#type=None, description=None, project_id=None, content_type=None, file_name=None,
        progress=None, control=None, chunk_size=None, max_streams=None, multipart_below=None, retries=None,
        stall_timeout=None, journal=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn upload(
        &self,
        py: Python<'_>,
        file_path: &Bound<'_, PyAny>,
        name: Option<String>,
        r#type: Option<String>,
        description: Option<String>,
        project_id: Option<String>,
        content_type: Option<String>,
        file_name: Option<String>,
        progress: Option<Py<PyAny>>,
        control: Option<&Bound<'_, UploadControl>>,
        chunk_size: Option<u64>,
        max_streams: Option<usize>,
        multipart_below: Option<u64>,
        retries: Option<u32>,
        stall_timeout: Option<Arg<Duration>>,
        journal: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let file_name = file_name.or_else(|| name.clone());
        let (source, named, reading) = source(file_path, file_name)?;
        let options = UploadOptions {
            kind: r#type.unwrap_or_else(|| kind_of(&named).to_owned()),
            name,
            description,
            project_id,
            content_type,
        };
        let journal = journal.map(journal_of).transpose()?;
        let report = control.map(|control| Arc::clone(&control.get().report));
        let control = control.map(|control| control.get().control.clone());
        self.0.run_telling(py, move |client, teller| async move {
            if let Some(reading) = reading {
                let _ = reading.set(teller.clone());
            }
            let mut upload = client.assets().prepare_upload(source, options);
            if let Some(bytes) = chunk_size {
                upload = upload.chunk_size(bytes);
            }
            if let Some(streams) = max_streams {
                upload = upload.max_streams(streams);
            }
            if let Some(bytes) = multipart_below {
                upload = upload.multipart_below(bytes);
            }
            if let Some(retries) = retries {
                upload = upload.retries(retries);
            }
            if let Some(Arg(time)) = stall_timeout {
                upload = upload.stall_timeout(time);
            }
            if let Some(journal) = journal {
                upload = upload.journal(journal);
            }
            if let Some(control) = &control {
                upload = upload.control(control);
            }
            if let Some(function) = progress {
                let function = Arc::new(function);
                upload = upload.on_progress(move |progress| {
                    let function = Arc::clone(&function);
                    teller.tell(move |py| function.call1(py, (Progress(progress),)).map(drop));
                });
            }
            let uploaded = upload.send().await?;
            if let Some(report) = report {
                let Uploaded { sent, failures, restarts, .. } = &uploaded;
                let facts = Report { sent: *sent, failures: *failures, restarts: restarts.clone() };
                *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(facts);
            }
            Ok(uploaded.asset)
        })
    }
}

/// What is uploaded, the name by which its kind is guessed, and the reading of a file object.
fn source(
    given: &Bound<'_, PyAny>,
    file_name: Option<String>,
) -> PyResult<(UploadSource, String, Option<Reading>)> {
    let named = |file_name: Option<String>| file_name.unwrap_or_else(|| "upload.bin".to_owned());
    if let Ok(bytes) = given.cast::<PyBytes>() {
        let name = named(file_name);
        let bytes = Bytes::copy_from_slice(bytes.as_bytes());
        return Ok((UploadSource::bytes(name.clone(), bytes), name, None));
    }
    if let Ok(bytes) = given.cast::<PyByteArray>() {
        let name = named(file_name);
        return Ok((UploadSource::bytes(name.clone(), bytes.to_vec()), name, None));
    }
    if given.hasattr("read")? {
        let own = given.getattr("name").ok().and_then(|name| name.extract::<PathBuf>().ok());
        let own = own.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let name = named(file_name.or(own));
        let (pieces, reading) = content::pieces(given);
        return Ok((UploadSource::stream(name.clone(), pieces), name, Some(reading)));
    }
    let path: PathBuf = given.extract().map_err(|_| {
        PyTypeError::new_err(
            "a path, bytes or an object with read() can be uploaded, and nothing else",
        )
    })?;
    let name = path.to_string_lossy().into_owned();
    Ok((UploadSource::Path(path), name, None))
}

fn journal_of(given: &Bound<'_, PyAny>) -> PyResult<Journal> {
    match given.extract::<bool>() {
        Ok(true) => Ok(Journal::User),
        Ok(false) => Ok(Journal::Off),
        Err(_) => match given.extract::<PathBuf>() {
            Ok(path) => Ok(Journal::At(path)),
            Err(_) => Err(PyValueError::new_err("journal is a path, True or False")),
        },
    }
}

/// What a file is, by its name.
fn kind_of(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "mp4" | "m4v" | "mov" | "mkv" | "webm" | "avi" | "mpg" | "mpeg" | "wmv" | "flv" | "mxf"
        | "ts" | "3gp" => "video",
        "mp3" | "wav" | "aac" | "m4a" | "flac" | "ogg" | "oga" | "opus" | "wma" | "aif"
        | "aiff" => "audio",
        "jpg" | "jpeg" | "png" | "gif" | "webp" | "avif" | "bmp" | "tif" | "tiff" | "heic"
        | "svg" => "image",
        _ => "document",
    }
}

/// How far an upload is.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Progress(upload::Progress);

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

/// Pauses, resumes and cancels the upload that it is given to, and knows how it went.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct UploadControl {
    control: upload::UploadControl,
    report: Arc<Mutex<Option<Report>>>,
}

/// How an upload went.
#[derive(Clone)]
struct Report {
    sent: u64,
    failures: u32,
    restarts: Vec<String>,
}

impl UploadControl {
    fn report(&self) -> Option<Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl UploadControl {
    #[new]
    fn new() -> Self {
        Self { control: upload::UploadControl::new(), report: Arc::default() }
    }

    /// Stops the requests at once; what arrived is kept. A single multipart request is not stopped.
    fn pause(&self) {
        self.control.pause();
    }

    /// Goes on from where the platform is.
    fn resume(&self) {
        self.control.resume();
    }

    /// Ends the upload with a `CallCancelledError` and takes back what the platform has of it.
    fn cancel(&self) {
        self.control.cancel();
    }

    /// Of an upload that is there: bytes of the file that went out, also those that went twice; fewer than the file has
    /// when an earlier upload was continued.
    #[getter]
    fn sent(&self) -> Option<u64> {
        self.report().map(|report| report.sent)
    }

    /// Of an upload that is there: requests that failed and were made good.
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

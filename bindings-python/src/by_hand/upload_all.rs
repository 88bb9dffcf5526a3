//! Uploading many files side by side, each with a result of its own.

use std::{sync::Arc, time::Duration};

use futures_util::stream;
use pyo3::{
    exceptions::{PyException, PyTypeError},
    prelude::*,
    types::PyString,
};
use storycore::{
    Error,
    models::{Asset, UploadOptions},
    upload::{Knobs, UploadSource},
};

use super::{
    UploadAllProgress, UploadControl,
    content::Reading,
    control::Report,
    upload::{Function, Journal, Source},
};
use crate::{
    bridge::Give,
    convert::{Arg, FromPython, given, wrong},
    errors,
    models::Model,
    object::Held,
    resources::Assets,
};

#[pymethods]
impl Assets {
    /// Uploads many files side by side, and goes over them as they end: one that fails stops no other. Files are sent while
    /// the next one is waited for; leaving the loop stops what is under way.
    ///
    /// Args:
    ///     file_paths: Paths, bytes and objects with `read`, as `upload` takes them.
    ///     type: `video`, `audio`, `image` or `document`. Default: by each file's extension.
    ///     description: What each shows.
    ///     project_id: The project that they belong to.
    ///     content_type: Their media type. Default: by each file's extension.
    ///     at_once: The most files at a time. Default 16. Large files share 16 streams among them.
    ///     progress: Is told of the progress over all files, at most ten times a second. What it raises ends the loop.
    ///     control: Pauses, resumes and cancels all of them.
    ///     chunk_size: As for `upload`, and so are the following.
    ///     max_streams: The most requests side by side of each file, from 1 to 16.
    ///     multipart_below: Files of fewer bytes go as one request. Default 16 MiB.
    ///     chunk_checksums: Whether the SHA-256 of each chunk is sent. Default True.
    ///     retries: Failures in a row that one file survives. Default 8.
    ///     stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
    ///     journal: A file to write the uploads down in, or False for none. Default: the user's own.
    #[pyo3(signature = (
        file_paths, *, r#type=None, description=None, project_id=None, content_type=None, at_once=None, progress=None,
        control=None, chunk_size=None, max_streams=None, multipart_below=None, chunk_checksums=None, retries=None,
        stall_timeout=None, journal=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn upload_all(
        &self,
        py: Python<'_>,
        file_paths: Arg<Sources>,
        r#type: Option<Arg<String>>,
        description: Option<Arg<String>>,
        project_id: Option<Arg<String>>,
        content_type: Option<Arg<String>>,
        at_once: Option<Arg<usize>>,
        progress: Option<Arg<Function>>,
        control: Option<&Bound<'_, UploadControl>>,
        chunk_size: Option<Arg<u64>>,
        max_streams: Option<Arg<usize>>,
        multipart_below: Option<Arg<u64>>,
        chunk_checksums: Option<Arg<bool>>,
        retries: Option<Arg<u32>>,
        stall_timeout: Option<Arg<Duration>>,
        journal: Option<Arg<Journal>>,
    ) -> PyResult<Py<PyAny>> {
        const THIS: &str = "Assets.upload_all";
        let Sources { given: named, sources } = file_paths.of(THIS, "file_paths")?;
        let options = UploadOptions {
            // Empty: by each file's name.
            kind: given(r#type, THIS, "type")?.unwrap_or_default(),
            name: None,
            description: given(description, THIS, "description")?,
            project_id: given(project_id, THIS, "project_id")?,
            content_type: given(content_type, THIS, "content_type")?,
        };
        let knobs = Knobs {
            control: control.map(|control| control.get().control.clone()),
            chunk_size: given(chunk_size, THIS, "chunk_size")?,
            max_streams: given(max_streams, THIS, "max_streams")?,
            multipart_below: given(multipart_below, THIS, "multipart_below")?,
            chunk_checksums: given(chunk_checksums, THIS, "chunk_checksums")?,
            retries: given(retries, THIS, "retries")?,
            stall_timeout: given(stall_timeout, THIS, "stall_timeout")?,
            journal: given(journal, THIS, "journal")?.map(|Journal(journal)| journal),
        };
        let at_once = given(at_once, THIS, "at_once")?;
        let progress = given(progress, THIS, "progress")?;
        self.0.telling(py, move |client, told| {
            let mut uploads = client.assets().upload_all(sources, options);
            uploads = uploads.each(move |upload| knobs.on(upload));
            if let Some(files) = at_once {
                uploads = uploads.at_once(files);
            }
            if let Some(Function(function)) = progress {
                let told = told.clone();
                uploads = uploads.on_progress(move |progress| {
                    let function = Arc::clone(&function);
                    let progress = UploadAllProgress::from(progress);
                    told.tell(move |py| function.call1(py, (progress,)).map(drop));
                });
            }
            let named = Arc::new(named);
            Box::pin(stream::unfold(uploads, move |mut uploads| {
                let named = Arc::clone(&named);
                async move {
                    let file = uploads.next().await?;
                    let ended = Ended {
                        report: file.result.as_ref().ok().map(Report::of),
                        result: file.result.map(|uploaded| uploaded.asset),
                        index: file.index,
                        named,
                    };
                    Some((Ok::<_, Error>(ended), uploads))
                }
            }))
        })
    }
}

/// What is uploaded, beside what Python gave for it.
struct Sources {
    given: Vec<Given>,
    sources: Vec<UploadSource>,
}

/// One of several, as Python gave it.
struct Given {
    file: Py<PyAny>,
    reading: Option<Reading>,
}

impl FromPython for Sources {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let expected = "an iterable of paths, bytes or objects with read()";
        // One path is an iterable too, of its letters.
        let is_one = value.cast::<PyString>().is_ok() || value.extract::<&[u8]>().is_ok();
        if is_one || value.hasattr("read")? {
            return Err(wrong(value, expected));
        }
        let (mut given, mut sources) = (Vec::new(), Vec::new());
        for (index, one) in value.try_iter().map_err(|_| wrong(value, expected))?.enumerate() {
            let one = one?;
            let source = Source::from_python(&one).map_err(|error| {
                PyTypeError::new_err(format!("has at {index} what {}", error.value(value.py())))
            })?;
            sources.push(source.source);
            given.push(Given { file: one.unbind(), reading: source.reading });
        }
        Ok(Self { given, sources })
    }
}

/// How one file of several ended.
struct Ended {
    index: usize,
    named: Arc<Vec<Given>>,
    report: Option<Report>,
    result: Result<Asset, Error>,
}

impl Give for Ended {
    fn give(self: Box<Self>, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let given = self.named.get(self.index);
        let (asset, error) = match self.result {
            Ok(asset) => (Some(Model::python(py, Held::new(asset))?), None),
            Err(error) => {
                let error = errors::raised(py, error);
                let reading = given.and_then(|given| given.reading.as_ref());
                if let Some(raised) = reading.and_then(Reading::raised) {
                    // `KeyboardInterrupt` and its like are of the whole program, and not of one file.
                    if !raised.is_instance_of::<PyException>(py) {
                        return Err(raised);
                    }
                    error.set_cause(py, Some(raised));
                }
                (None, Some(error.into_value(py).into_any()))
            }
        };
        let file_path = given.map_or_else(|| py.None(), |given| given.file.clone_ref(py));
        let file = UploadedFile { index: self.index, file_path, asset, error, report: self.report };
        Ok(Py::new(py, file)?.into_any())
    }
}

/// How one file of several ended: `asset` is there, or `error`.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct UploadedFile {
    /// Its place among those that were given, from 0.
    #[pyo3(get)]
    index: usize,
    /// What was given for it.
    #[pyo3(get)]
    file_path: Py<PyAny>,
    /// What it has become on the platform, or None where it failed.
    #[pyo3(get)]
    asset: Option<Py<PyAny>>,
    /// The `StoryCoreError` by which it failed, or None. The same file uploaded again goes on from what the platform has.
    #[pyo3(get)]
    error: Option<Py<PyAny>>,
    report: Option<Report>,
}

#[pymethods]
impl UploadedFile {
    /// Bytes of the file that went out, also those that went twice; fewer than the file has when an earlier upload was
    /// continued. None where it failed.
    #[getter]
    fn sent(&self) -> Option<u64> {
        self.report.as_ref().map(|report| report.sent)
    }

    /// Requests that failed and were made good. To be told that the joining of the parts is under way is no failure. None where it
    /// failed itself.
    #[getter]
    fn failures(&self) -> Option<u32> {
        self.report.as_ref().map(|report| report.failures)
    }

    /// What had to be begun anew, and why, in words. None where it failed.
    #[getter]
    fn restarts(&self) -> Option<Vec<String>> {
        self.report.as_ref().map(|report| report.restarts.clone())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (name, what) = match (&self.asset, &self.error) {
            (Some(asset), _) => ("asset", asset.bind(py).repr()?),
            (None, Some(error)) => ("error", error.bind(py).repr()?),
            (None, None) => ("asset", py.None().into_bound(py).repr()?),
        };
        Ok(format!("UploadedFile(index={}, {name}={what})", self.index))
    }
}

//! Uploading one file: from a path, from bytes, or from anything that Python can read from.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use pyo3::{
    prelude::*,
    types::{PyByteArray, PyBytes},
};
use storycore::{
    models::UploadOptions,
    upload::{self, Knobs, UploadSource},
};

use super::{
    Progress, UploadControl,
    content::{self, Reading},
    control::Report,
};
use crate::{
    convert::{Arg, FromPython, given, wrong},
    resources::Assets,
};

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
    ///     max_streams: The most requests side by side, from 1 to 16. A number that is given holds. Default 16: it begins with 4
    ///         and adds while that brings more; from 128 MiB on, to a platform on this machine, 1.
    ///     multipart_below: Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB.
    ///     chunk_checksums: Whether the SHA-256 of each chunk is sent, where the platform takes it. Default True.
    ///     retries: Failures in a row that are survived. Default 8.
    ///     stall_timeout: A request of which no byte moves for so many seconds is given up. Default 30.
    ///     journal: A file to write the upload down in, or False for none. Default: the user's own.
    ///
    /// Raises:
    ///     StoryCoreError: `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as every
    ///         call. Whatever it is, the same upload called again goes on from what the platform has.
    #[pyo3(signature = (
        file_path, *, name=None, r#type=None, description=None, project_id=None, content_type=None, file_name=None,
        progress=None, control=None, chunk_size=None, max_streams=None, multipart_below=None,
        chunk_checksums=None, retries=None, stall_timeout=None, journal=None,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords")]
    fn upload(
        &self,
        py: Python<'_>,
        file_path: Arg<Source>,
        name: Option<Arg<String>>,
        r#type: Option<Arg<String>>,
        description: Option<Arg<String>>,
        project_id: Option<Arg<String>>,
        content_type: Option<Arg<String>>,
        file_name: Option<Arg<String>>,
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
        const THIS: &str = "Assets.upload";
        let name = given(name, THIS, "name")?;
        let file_name = given(file_name, THIS, "file_name")?.or_else(|| name.clone());
        let Source { source, reading } = file_path.of(THIS, "file_path")?.named(file_name);
        let options = UploadOptions {
            // Empty: by the file's name.
            kind: given(r#type, THIS, "type")?.unwrap_or_default(),
            name,
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
        let progress = given(progress, THIS, "progress")?;
        let report = control.map(|control| control.get().told.clone());
        self.0.run_telling(py, move |client, teller| async move {
            if let Some(reading) = reading {
                reading.ends(teller.clone());
            }
            let mut upload = knobs.on(client.assets().prepare_upload(source, options));
            if let Some(Function(function)) = progress {
                upload = upload.on_progress(move |progress| {
                    let function = Arc::clone(&function);
                    teller.tell(move |py| function.call1(py, (Progress(progress),)).map(drop));
                });
            }
            let uploaded = upload.send().await?;
            if let Some(report) = report {
                report.set(Report::of(&uploaded));
            }
            Ok(uploaded.asset)
        })
    }
}

/// A function of the caller's.
pub(super) struct Function(pub(super) Arc<Py<PyAny>>);

impl FromPython for Function {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_callable() {
            Ok(Self(Arc::new(value.clone().unbind())))
        } else {
            Err(wrong(value, "a function"))
        }
    }
}

/// What is uploaded, and the reading of a file object.
pub(super) struct Source {
    pub(super) source: UploadSource,
    pub(super) reading: Option<Reading>,
}

impl Source {
    /// The same under the name of a file, where bytes or a file object have none.
    fn named(self, file_name: Option<String>) -> Self {
        let Some(file_name) = file_name else { return self };
        let source = match self.source {
            UploadSource::Bytes { bytes, .. } => UploadSource::bytes(file_name, bytes),
            UploadSource::Stream(stream) => UploadSource::Stream(stream.named(file_name)),
            path @ UploadSource::Path(_) => path,
        };
        Self { source, ..self }
    }
}

/// What has no name of its own.
const UNNAMED: &str = "upload.bin";

impl FromPython for Source {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            let bytes = Bytes::copy_from_slice(bytes.as_bytes());
            return Ok(Self { source: UploadSource::bytes(UNNAMED, bytes), reading: None });
        }
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            return Ok(Self {
                source: UploadSource::bytes(UNNAMED, bytes.to_vec()),
                reading: None,
            });
        }
        if value.hasattr("read")? {
            let own = value.getattr("name").ok().and_then(|name| name.extract::<PathBuf>().ok());
            let own = own.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
            let name = own.unwrap_or_else(|| UNNAMED.to_owned());
            let (pieces, reading) = content::pieces(value);
            return Ok(Self { source: UploadSource::stream(name, pieces), reading: Some(reading) });
        }
        let path = value.extract::<PathBuf>();
        let path = path.map_err(|_| wrong(value, "a path, bytes or an object with read()"))?;
        Ok(Self { source: UploadSource::Path(path), reading: None })
    }
}

/// Where an upload is written down.
pub(super) struct Journal(pub(super) upload::Journal);

impl FromPython for Journal {
    fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(match value.extract::<bool>() {
            Ok(true) => upload::Journal::User,
            Ok(false) => upload::Journal::Off,
            Err(_) => match value.extract() {
                Ok(path) => upload::Journal::At(path),
                Err(_) => return Err(wrong(value, "a path, True or False")),
            },
        }))
    }
}

//! A download that is set up before it is begun.

use std::{path::PathBuf, sync::Arc};

use pyo3::prelude::*;

use crate::{
    bridge::Handle,
    convert::{Arg, given},
    resources::Assets,
};

#[pymethods]
impl Assets {
    /// A download to be set up, which `send()` does: `download` with a say in how many ranges are asked for side by side.
    ///
    /// Args:
    ///     id: The asset's id.
    ///     to: The file to download into, which is there whole or not at all.
    ///     max_streams: The most ranges side by side, from 1 to 16. Default: 1 under 64 MiB, else 4.
    #[pyo3(signature = (id, to, *, max_streams=None))]
    fn prepare_download(
        &self,
        id: Arg<String>,
        to: Arg<PathBuf>,
        max_streams: Option<Arg<usize>>,
    ) -> PyResult<Download> {
        const THIS: &str = "Assets.prepare_download";
        Ok(Download {
            handle: Arc::clone(&self.0),
            id: id.of(THIS, "id")?,
            to: to.of(THIS, "to")?,
            max_streams: given(max_streams, THIS, "max_streams")?,
        })
    }
}

/// A download that is set up and not yet begun. It may be sent more than once.
#[pyclass(frozen, module = "storycore")]
pub(crate) struct Download {
    handle: Arc<Handle>,
    id: String,
    to: PathBuf,
    max_streams: Option<usize>,
}

#[pymethods]
impl Download {
    /// Downloads, and gives the asset. What broke off is taken up where it was, also after a crash.
    ///
    /// Raises:
    ///     StoryCoreError: `ConfigError` when the target is a directory, a device or a pipe, or its directory is not there,
    ///         `UploadError` when the file cannot be written or what arrived is not the asset, and as every call.
    fn send(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (id, to, max_streams) = (self.id.clone(), self.to.clone(), self.max_streams);
        self.handle.run(py, move |client| async move {
            let mut download = client.assets().prepare_download(&id, to);
            if let Some(streams) = max_streams {
                download = download.max_streams(streams);
            }
            download.send().await
        })
    }

    fn __repr__(&self) -> String {
        format!("<Download of {} to {}>", self.id, self.to.display())
    }
}

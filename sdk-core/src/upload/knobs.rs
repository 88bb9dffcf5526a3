//! The knobs of an upload in one value: bindings take them as named arguments, each of which may be absent. Rust programs call
//! the [`Upload`]'s own methods, which say what each of them is.

use std::time::Duration;

use super::{Journal, Upload, UploadControl};

/// How uploads are done, where not by default.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each is the method of an Upload by its name")]
pub struct Knobs {
    pub chunk_size: Option<u64>,
    pub max_streams: Option<usize>,
    pub multipart_below: Option<u64>,
    pub chunk_checksums: Option<bool>,
    pub retries: Option<u32>,
    pub stall_timeout: Option<Duration>,
    pub journal: Option<Journal>,
    pub control: Option<UploadControl>,
}

impl Knobs {
    /// The upload, done so.
    pub fn on(&self, mut upload: Upload) -> Upload {
        if let Some(bytes) = self.chunk_size {
            upload = upload.chunk_size(bytes);
        }
        if let Some(streams) = self.max_streams {
            upload = upload.max_streams(streams);
        }
        if let Some(bytes) = self.multipart_below {
            upload = upload.multipart_below(bytes);
        }
        if let Some(send) = self.chunk_checksums {
            upload = upload.chunk_checksums(send);
        }
        if let Some(failures) = self.retries {
            upload = upload.retries(failures);
        }
        if let Some(time) = self.stall_timeout {
            upload = upload.stall_timeout(time);
        }
        if let Some(journal) = &self.journal {
            upload = upload.journal(journal.clone());
        }
        if let Some(control) = &self.control {
            upload = upload.control(control);
        }
        upload
    }
}

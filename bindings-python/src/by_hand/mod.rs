//! Methods that no template makes: they stream from Python's files, call its functions, or have options of their own. They are
//! further methods of the generated classes of resources.

mod content;
mod control;
mod download;
mod jobs;
mod progress;
mod upload;
mod upload_all;

pub(crate) use content::Content;
pub(crate) use control::UploadControl;
pub(crate) use download::Download;
pub(crate) use progress::{Progress, UploadAllProgress};
pub(crate) use upload_all::UploadedFile;

//! Methods that no template makes: they stream from Python's files, call its functions, or have options of their own. The
//! generated class of a resource extends the one here.

mod assets;
mod content;
mod jobs;

pub(crate) use assets::{Assets, Progress, UploadControl};
pub(crate) use content::Content;
pub(crate) use jobs::Jobs;

//! Calls that tell of themselves while they go on, take streams, or have options of their own.

mod assets;
mod content;
mod feed;
mod jobs;
pub(crate) mod oauth;
mod request;
mod upload_options;
mod uploads;

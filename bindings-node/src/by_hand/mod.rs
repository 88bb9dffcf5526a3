//! Calls that tell of themselves while they go on, take streams, or have options of their own.

mod assets;
mod jobs;
pub(crate) mod oauth;
mod request;

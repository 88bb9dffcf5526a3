//! What has a shape of its own: uploads, waiting, signing in, and requests that are not typed.

mod assets;
mod jobs;
pub(crate) mod oauth;
mod request;

//! The typed, async client of the StoryCore media platform: projects, media, jobs, webhooks and keys, in every dialect of
//! its API.
//!
//! ```no_run
//! use storycore::{Client, models::{NewJob, NewProject, UploadOptions, VideoSettings}};
//!
//! # async fn run() -> Result<(), storycore::Error> {
//! let client = Client::from_env()?;
//! let project = client.projects().create(NewProject::new("Film")).await?;
//! let asset = client.media().upload("film.mp4", UploadOptions::new("video").project(&project.id)).await?;
//! let job = client.jobs().create(NewJob::video_processing(&asset.id, VideoSettings::default())).await?;
//! let done = client.jobs().wait(&job.id).await?;
//! if let Some(id) = done.output_asset() {
//!     client.media().download(id, "result.mp4").await?;
//! }
//! # Ok(()) }
//! ```
//!
//! It runs inside the caller's tokio runtime and starts nothing by itself: no thread, socket or file before the first call.

#[macro_use]
mod open_enum;

mod base_url;
mod beside;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod client;
mod decode;
pub mod download;
mod environment;
pub mod error;
mod field;
mod finite;
#[cfg(test)]
mod for_a_while;
pub mod jobs;
mod json_path;
mod list;
pub mod models;
pub mod oauth;
mod options;
pub mod platform;
#[doc(hidden)]
pub mod process;
mod random;
#[doc(hidden)]
pub mod recorder;
pub mod resources;
#[cfg(feature = "rows")]
mod rows;
pub mod secret;
mod times;
mod transport;
pub mod upload;
pub mod webhooks;

pub use builder::ClientBuilder;
pub use client::{Client, RequestBuilder};
#[doc(hidden)]
pub use environment::{Environment, Variable};
pub use error::{Error, ErrorKind, Result};
pub use field::Patch;
pub use list::{Items, Pages};
pub use options::{CallOptions, Capture, RawResponse};
pub use platform::{Platform, Resource};
pub use secret::Secret;
#[cfg(feature = "rows")]
#[doc(hidden)]
pub use storycore_page_columns::{Row, RowShape};
#[doc(hidden)]
pub use times::day;
#[doc(hidden)]
pub use transport::SocketWatch;
pub use transport::{CircuitBreaker, JwtCredential};

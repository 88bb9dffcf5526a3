//! The whole StoryCore platform on one machine, in one process: SQLite for what it knows, files on disk for media,
//! ffmpeg for jobs. It is held to `spec/openapi.yaml` and shares no type with the client, so that the two cannot be
//! wrong together.
//!
//! ```no_run
//! # async fn run() -> Result<(), storycore_local::StartError> {
//! let platform = storycore_local::start(storycore_local::Config::in_memory()).await?;
//! println!("{} {}", platform.url(), platform.api_key());
//! platform.shutdown().await;
//! # Ok(()) }
//! ```

mod app;
mod clock;
mod config;
mod delivery;
mod error;
mod events;
mod faults;
mod files;
mod http;
mod ids;
mod jobs;
mod keys;
mod local;
mod media;
mod oauth;
mod resources;
mod retention;
mod seal;
mod server;
mod store;
mod validate;

pub use config::{Config, Data, StartError};
pub use server::{Running, start};

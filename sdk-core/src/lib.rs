//! The typed, async client of the StoryCore media platform.

pub mod error;
pub mod secret;
pub mod webhooks;

pub use error::{Error, ErrorKind, Result};
pub use secret::Secret;

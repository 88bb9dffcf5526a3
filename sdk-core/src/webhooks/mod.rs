//! Webhooks as they arrive: verifying, signing and reading them. Subscribing to them is a resource.
//!
//! ```
//! use storycore::webhooks::{Webhook, sign};
//! # fn main() -> Result<(), storycore::Error> {
//! let webhook = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
//! # let body = br#"{"id":"evt_1","event":"job.completed","data":{"id":"job_1"}}"#;
//! # let headers = sign::standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "evt_1", std::time::SystemTime::now(), body)?;
//! let event = webhook.verify(body, &headers)?;
//! if event.kind() == "job.completed" {
//!     println!("{} is done", event.payload()?.data["id"]);
//! }
//! # Ok(()) }
//! ```

mod event;
#[cfg(feature = "axum")]
pub mod layer;
mod replay;
mod secret;
pub mod sign;
mod verify;

pub use event::{Event, EventData, Payload};
#[cfg(feature = "redis")]
pub use replay::RedisStore;
pub use replay::{MemoryStore, ReplayGuard, ReplayStore, Taken};
pub use secret::new_secret;
pub use verify::{HeaderLookup, RawBody, StandardHeaders, Webhook};

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

mod body;
mod event;
mod headers;
#[cfg(feature = "axum")]
pub mod layer;
mod replay;
mod secret;
pub mod sign;
mod signature;
mod verify;

pub use body::RawBody;
pub use event::{Event, EventData, Payload};
pub use headers::{HeaderLookup, StandardHeaders};
#[cfg(feature = "redis")]
pub use replay::RedisStore;
pub use replay::{MemoryStore, ReplayGuard, ReplayStore, Taken};
pub use secret::new_secret;
pub use verify::Webhook;

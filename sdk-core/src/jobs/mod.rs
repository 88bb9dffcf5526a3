//! Waiting for jobs and following what happens to them.

mod events;
mod poll;
mod sse;
mod wait;

pub use events::JobEvents;
pub use wait::WaitOptions;
pub(crate) use wait::wait;

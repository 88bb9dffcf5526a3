//! The native part of the npm package `storycore`: calls go in as numbers and JSON text, what comes of them goes out as one
//! JSON text for many. Everything that JavaScript users see is written in JavaScript, in `lib`; what is one line a method is
//! generated there and in `operations`.

mod allocator;
mod bridge;
mod by_hand;
mod client;
#[cfg(feature = "conformance")]
pub mod conformance;
mod failure;
mod fields;
mod operations;
mod streams;
mod unread;
pub mod watching;
pub mod webhooks;

/// The version of this library, which must be the package's.
#[napi_derive::napi]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

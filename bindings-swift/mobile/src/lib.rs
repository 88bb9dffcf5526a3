//! What Swift and Kotlin load: the Rust client as uniffi has it. Its shapes are plain on purpose (texts for open enums, JSON,
//! dates and URLs): what users of the two languages see is written over it, in `bindings-swift` and `bindings-kotlin`.
//!
//! `models` and `resources` are generated from `sdk-core`; by hand are the runtime, the client's settings, errors, what
//! streams, uploads, waiting and signing in.

mod by_hand;
mod changes;
mod client;
#[cfg(feature = "conformance")]
mod conformance;
mod convert;
mod failure;
mod given;
#[cfg(test)]
mod lone_calls;
mod models;
mod options;
mod resources;
mod runtime;
mod streams;

uniffi::setup_scaffolding!();

/// The version of this library, which must be the package's.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

//! The extension module `storycore._storycore`: Python's classes over the Rust client. What is one line a method or a field
//! is generated (`models/`, `resources/`); the runtime bridge and everything that streams is written here by hand.

mod bridge;
mod by_hand;
mod client;
#[cfg(feature = "conformance")]
mod conformance;
mod convert;
mod credentials;
mod errors;
mod items;
mod logs;
mod metrics;
mod models;
mod object;
mod page;
mod raw;
mod resources;
mod telemetry;
mod webhooks;

use pyo3::prelude::*;

/// For what is Rust; Python's objects have an allocator of their own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// `gil_used`: a free-threaded interpreter turns its lock on for it. PyO3 would declare the opposite unasked, which nothing here
// has been tested for (README.md, Without the GIL).
#[pymodule(gil_used = true)]
fn _storycore(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("OMIT", convert::Omit)?;
    module.add_class::<convert::Omit>()?;
    module.add_class::<client::StoryCoreClient>()?;
    module.add_class::<client::AsyncStoryCoreClient>()?;
    module.add_class::<raw::Response>()?;
    module.add_class::<raw::Capture>()?;
    module.add_class::<credentials::JwtCredential>()?;
    module.add_class::<credentials::OAuthCredential>()?;
    module.add_class::<credentials::TokenSet>()?;
    module.add_class::<credentials::Authorization>()?;
    module.add_class::<credentials::CircuitBreaker>()?;
    module.add_function(wrap_pyfunction!(metrics::enable, module)?)?;
    module.add_function(wrap_pyfunction!(metrics::snapshot, module)?)?;
    module.add_class::<by_hand::Progress>()?;
    module.add_class::<by_hand::UploadControl>()?;
    module.add_class::<by_hand::UploadAllProgress>()?;
    module.add_class::<by_hand::UploadedFile>()?;
    module.add_class::<by_hand::Download>()?;
    module.add_class::<items::Items>()?;
    module.add_class::<items::AsyncItems>()?;
    module.add_class::<bridge::Call>()?;
    module.add_class::<page::Page>()?;
    module.add_class::<page::AsyncPage>()?;
    module.add_class::<page::ListCall>()?;
    #[cfg(feature = "conformance")]
    {
        module.add_function(wrap_pyfunction!(conformance::advance_all, module)?)?;
        module.add_function(wrap_pyfunction!(conformance::break_inside, module)?)?;
    }
    models::add(module)?;
    resources::add(module)?;
    webhooks::add(module)
}

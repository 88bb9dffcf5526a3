//! What one can ask for, by number.
mod projects;

use futures_util::future::BoxFuture;

use crate::{bridge::Outcome, client::Call, failure::Failure};

/// Runs the operation with this number.
pub(crate) fn run(operation: u32, call: Call) -> BoxFuture<'static, Outcome> {
    match operation {
        0 => Box::pin(projects::create(call)),
        1 => Box::pin(projects::get(call)),
        2 => Box::pin(projects::list(call)),
        _ => Box::pin(std::future::ready(Err(Failure::inside()))),
    }
}

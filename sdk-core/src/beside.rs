//! Work beside a call: on threads that may block, and in tasks of its own. The runtime gets all of it as one type, since what it
//! needs for each type that it is given is some kilobytes.

use std::{any::Any, pin::Pin};

use tokio::task::JoinError;

type Made = Box<dyn Any + Send>;

/// Does `work` on a thread of the runtime's, which it may block. It goes on when this is dropped.
///
/// # Errors
/// When it panicked, or the runtime ends.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let work: Box<dyn FnOnce() -> Made + Send> = Box::new(|| Box::new(work()));
    let made = tokio::task::spawn_blocking(work).await?;
    Ok(*made.downcast().expect("what was made is what `work` makes"))
}

/// The same for what nobody waits for.
pub(crate) fn blocking_alone(work: impl FnOnce() + Send + 'static) {
    let work: Box<dyn FnOnce() -> Made + Send> = Box::new(|| {
        work();
        Box::new(())
    });
    drop(tokio::task::spawn_blocking(work));
}

/// A task without the type of what it does.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Gives hyper's own tasks to the runtime that runs now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tasks;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        let task: Task = Box::pin(task);
        tokio::spawn(task);
    }
}

//! Where a blocking client's futures run: a runtime on the caller's own thread, made at the first call and anew in a process
//! that was forked off. It knows nothing of what it runs.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;

/// The runtime of a client and its clones.
#[derive(Debug, Default)]
pub(super) struct Shell(Mutex<Option<Arc<Kept>>>);

/// A runtime and the process that it belongs to.
#[derive(Debug)]
struct Kept {
    process: u32,
    /// Taken out only when this is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.process == std::process::id() {
            // Waits for nothing, and so may happen anywhere, in an async runtime too.
            runtime.shutdown_background();
        } else {
            // A parent's: its sockets are the parent's to close.
            std::mem::forget(runtime);
        }
    }
}

impl Shell {
    /// Waits for `work` on this thread.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if Handle::try_current().is_ok() {
            return Err(Error::config(
                "a blocking client cannot be used inside an async runtime: use storycore::Client there, or a thread of its own",
            ));
        }
        let kept = self.kept()?;
        let runtime = kept.runtime.as_ref().expect("a runtime is there until it is dropped");
        runtime.block_on(work)
    }

    fn kept(&self) -> Result<Arc<Kept>, Error> {
        let process = std::process::id();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.process == process) {
            return Ok(Arc::clone(kept));
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| {
            Error::config("the blocking client's runtime cannot be made").with_source(e)
        })?;
        let made = Arc::new(Kept { process, runtime: Some(runtime) });
        *kept = Some(Arc::clone(&made));
        Ok(made)
    }
}

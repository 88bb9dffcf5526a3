//! Things that belong to one process. A forked child must not touch its parent's sockets and threads, not even to close them:
//! it makes its own and forgets the others.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use storycore::process;

/// A `T` of this process. No lock guards it, since another thread might have held it when the process was forked.
pub(crate) struct PerProcess<T>(ArcSwapOption<Owned<T>>);

struct Owned<T> {
    process: u32,
    value: Arc<T>,
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self(ArcSwapOption::const_empty())
    }

    /// This process's, if it has one.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let owned = self.0.load();
        let owned = owned.as_ref().filter(|owned| owned.process == process::id())?;
        Some(Arc::clone(&owned.value))
    }

    /// This process's, made now if need be.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        let process = process::id();
        let made = Arc::new(Owned { process, value: Arc::new(make()) });
        let before = self.0.rcu(|now| match now {
            // Another thread was first.
            Some(owned) if owned.process == process => Some(Arc::clone(owned)),
            _ => Some(Arc::clone(&made)),
        });
        match before {
            Some(owned) if owned.process == process => Arc::clone(&owned.value),
            parents => {
                std::mem::forget(parents);
                Arc::clone(&made.value)
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        if let Some(owned) = self.0.swap(None)
            && owned.process != process::id()
        {
            std::mem::forget(owned);
        }
    }
}

//! What a journal that cannot be written means for its upload: an error where it was asked for by name, before the asset is made;
//! one that is kept by default is only missed, and nothing more is written into it.

use std::{
    fmt::Display,
    sync::{
        Arc, Once,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::Journal;
use crate::error::Error;

/// Whether an upload has to be written down. Clones are the same upload's.
#[derive(Debug, Clone)]
pub(crate) struct Duty {
    is_asked: bool,
    is_missed: Arc<AtomicBool>,
}

impl Duty {
    pub(crate) fn of(journal: &Journal) -> Self {
        Self { is_asked: matches!(journal, Journal::At(_)), is_missed: Arc::default() }
    }

    /// A line was missed. Those that would follow it tell nothing without it.
    pub(crate) fn is_missed(&self) -> bool {
        self.is_missed.load(Relaxed)
    }

    /// What came of a line; nothing, where it failed and may be missed.
    pub(crate) fn done<T>(&self, outcome: Result<T, Error>) -> Result<Option<T>, Error> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.is_asked => Err(error),
            Err(error) => {
                self.is_missed.store(true, Relaxed);
                missed(error.message());
                Ok(None)
            }
        }
    }
}

/// Tells that an upload goes without the journal. Once: a program that sends thousands of files does it thousands of times.
pub(crate) fn missed(problem: impl Display) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| tracing::warn!(%problem, "uploading without a journal"));
}

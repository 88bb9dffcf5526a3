//! Lists and a job's events as iterators. Each ends after an error, as the streams below them do.

use std::{fmt, sync::Arc};

use super::shell::Shell;
use crate::{error::Error, models::Page};

macro_rules! iterator {
    ($(#[$docs:meta])* $name:ident$(<$t:ident>)?, $stream:ty, $item:ty, $next:ident) => {
        $(#[$docs])*
        #[must_use = "an iterator does nothing until it is asked"]
        pub struct $name$(<$t>)? {
            inner: $stream,
            shell: Arc<Shell>,
            ended: bool,
        }

        impl$(<$t: Send + 'static>)? $name$(<$t>)? {
            pub(super) fn new(inner: $stream, shell: &Arc<Shell>) -> Self {
                Self { inner, shell: Arc::clone(shell), ended: false }
            }
        }

        impl$(<$t: Send + 'static>)? Iterator for $name$(<$t>)? {
            type Item = Result<$item, Error>;

            fn next(&mut self) -> Option<Self::Item> {
                if self.ended {
                    return None;
                }
                let next = self.shell.wait(self.inner.$next()).transpose();
                self.ended = !matches!(next, Some(Ok(_)));
                next
            }
        }

        impl$(<$t: Send + 'static>)? std::iter::FusedIterator for $name$(<$t>)? {}

        impl$(<$t>)? fmt::Debug for $name$(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("ended", &self.ended).finish_non_exhaustive()
            }
        }
    };
}

iterator! {
    /// Every page of a list. Those behind the one that is read are asked for ahead, and move on while the next is waited for.
    Pages<T>, crate::Pages<T>, Page<T>, next_page
}

iterator! {
    /// Every object of a list, over all pages.
    Items<T>, crate::Items<T>, T, next_item
}

iterator! {
    /// What happens to a job, until it ends.
    JobEvents, crate::jobs::JobEvents, crate::models::JobEvent, next_event
}

//! What uploads beside each other may have together, however many they are: so many requests with a file's bytes, each with what
//! memory it takes. Whoever has a share counts for it until it is dropped.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::settings::MOST_STREAMS;

/// Shares of 4 MiB: what one request has of a file in memory, read, hashed and not yet sent.
const SHARE: usize = 4 * 1024 * 1024;
/// A long stream's: the piece that is sent, the one after it, and the room in which that one grows.
const OF_A_STREAM: u32 = 8;

/// The shares of all uploads of one call. Clones are the same ones; who asks first has first.
#[derive(Debug, Clone)]
pub(crate) struct Shares(Arc<Semaphore>);

impl Default for Shares {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

impl Shares {
    /// What one request needs.
    pub(crate) async fn request(&self) -> OwnedSemaphorePermit {
        self.take(1).await
    }

    /// What a stream of unknown length needs.
    pub(crate) async fn stream(&self) -> OwnedSemaphorePermit {
        self.take(OF_A_STREAM).await
    }

    async fn take(&self, count: u32) -> OwnedSemaphorePermit {
        let taken = Arc::clone(&self.0).acquire_many_owned(count).await;
        taken.expect("nobody closes it")
    }
}

/// Gives back what a stream that ended after so many bytes does not need.
pub(crate) fn ended(held: &mut OwnedSemaphorePermit, length: usize) {
    // Its bytes lie in room that grew by doubling.
    let needed = (2 * length).div_ceil(SHARE).max(1);
    drop(held.split(held.num_permits().saturating_sub(needed)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_short_stream_keeps_what_it_holds_and_gives_the_rest_back() {
        let shares = Shares::default();
        for (length, kept) in [(0, 1), (100, 1), (SHARE / 2 + 1, 2), (2 * SHARE, 4), (1 << 30, 8)] {
            let mut held = shares.stream().await;
            ended(&mut held, length);
            assert_eq!(held.num_permits(), kept, "{length}");
            assert_eq!(shares.0.available_permits(), MOST_STREAMS - kept);
        }
    }
}

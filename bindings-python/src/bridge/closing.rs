//! Whether a client was closed, and what its calls wait for meanwhile. The latter is of one process: a child that was forked off while
//! calls were under way would, in closing its client, wake those that wait on the stacks of threads that it does not have.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio_util::sync::CancellationToken;

use super::process::PerProcess;

/// Closed by itself, or with the client that its own was made of.
#[derive(Default)]
pub(super) struct Closing {
    above: Option<Arc<Self>>,
    is_closed: AtomicBool,
    token: PerProcess<CancellationToken>,
}

impl Closing {
    pub(super) fn below(above: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { above: Some(Arc::clone(above)), ..Self::default() })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst) || self.above.as_ref().is_some_and(|above| above.is_closed())
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.token().cancel();
    }

    /// Cancelled when it is closed.
    pub(super) fn token(&self) -> Arc<CancellationToken> {
        if let Some(token) = self.token.get() {
            return token;
        }
        let token = self.token.get_or_make(|| match &self.above {
            Some(above) => above.token().child_token(),
            None => CancellationToken::new(),
        });
        // Closed in the parent's process, or by another thread that found no token to cancel.
        if self.is_closed() {
            token.cancel();
        }
        token
    }
}

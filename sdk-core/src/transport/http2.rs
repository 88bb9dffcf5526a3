//! One HTTP/2 connection, which carries many calls at a time and has a task of its own. Which connection a request gets is
//! `pool.rs`'s; what is large does not go over one (`Lane::Bulk`).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
    rt::Executor as _,
};
use hyper_util::rt::TokioTimer;
use tokio::time::Instant;

use super::{body::SendBody, connector::Stream, destination::Destination};
use crate::beside::Tasks;

/// A connection that gave no answer for so long, until somebody waited no more, carries no further request: what it leads to
/// may not be there any more, and the system would go on sending for a quarter of an hour.
const SILENT: Duration = Duration::from_secs(1);

/// A connection. Clones are the same one.
#[derive(Clone)]
pub(super) struct Http2 {
    pub(super) to: Destination,
    /// Whether the other end takes no HTTP/1.1, so that what is large has to go over this one, too.
    pub(super) is_all_there_is: bool,
    sender: http2::SendRequest<SendBody>,
    owing: Arc<Mutex<Owing>>,
}

/// What a connection owes.
#[derive(Default)]
struct Owing {
    /// Calls that wait for it.
    waiting: usize,
    /// Since when it was asked and has answered nothing.
    since: Option<Instant>,
    /// When somebody waited no more.
    left: Option<Instant>,
    is_given_up: bool,
}

impl Http2 {
    pub(super) async fn open(
        stream: Stream,
        to: &Destination,
        is_all_there_is: bool,
    ) -> Result<Self, hyper::Error> {
        let builder = http2::Builder::new(Tasks).timer(TokioTimer::new()).clone();
        let (mut sender, connection) = builder.handshake(stream).await?;
        // It serves many calls at a time, so that none of them can be the one that drives it.
        Tasks.execute(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
        sender.ready().await?;
        Ok(Self { to: to.clone(), is_all_there_is, sender, owing: Arc::default() })
    }

    /// Whether it can carry another request, as far as that is known without waiting.
    pub(super) fn is_free(&self) -> bool {
        self.sender.is_ready() && !owing(&self.owing).is_given_up
    }

    /// Sends a request and waits for the answer's head. A request that was not begun comes back with the error.
    pub(super) async fn exchange(
        &mut self,
        request: &mut Request<SendBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<SendBody>>> {
        let waiting = Waiting::begin(Arc::clone(&self.owing));
        let answer = self.sender.try_send_request(std::mem::take(request)).await;
        waiting.answered();
        answer
    }
}

/// Somebody who waits for an answer.
struct Waiting(Option<Arc<Mutex<Owing>>>);

impl Waiting {
    fn begin(connection: Arc<Mutex<Owing>>) -> Self {
        let mut owed = owing(&connection);
        // Nobody was there to see whether it was silent meanwhile.
        if owed.waiting == 0 && owed.left.is_some_and(|left| left.elapsed() >= SILENT) {
            owed.since = None;
        }
        owed.waiting += 1;
        owed.since.get_or_insert_with(Instant::now);
        drop(owed);
        Self(Some(connection))
    }

    /// There is one; whoever else waits knows by it that the connection is alive.
    fn answered(mut self) {
        if let Some(connection) = self.0.take() {
            let mut owed = owing(&connection);
            owed.waiting -= 1;
            owed.since = (owed.waiting > 0).then(Instant::now);
        }
    }
}

impl Drop for Waiting {
    /// Nobody waits any more.
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            let mut owed = owing(&connection);
            owed.waiting -= 1;
            owed.left = Some(Instant::now());
            owed.is_given_up |= owed.since.is_some_and(|since| since.elapsed() >= SILENT);
        }
    }
}

fn owing(connection: &Mutex<Owing>) -> MutexGuard<'_, Owing> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

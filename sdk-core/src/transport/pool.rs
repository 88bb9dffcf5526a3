//! The connections of one process that are open: which one a request gets, when a new one is opened, and how long one that
//! nobody uses is kept.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::{Either, select};
use http::{Request, Uri, uri::Authority};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::Connection as _;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{JoinHandle, yield_now},
    time::{Instant, Sleep, sleep},
};

use super::{
    body::SendBody,
    connector::{BoxError, Connector},
    destination::Destination,
    http1::Http1,
    http2::Http2,
    uri::Origin,
};
use crate::beside::Task;

/// How long a connection that nobody uses is kept, where a runtime runs: less than the minute and a half after which many servers close theirs.
const IDLE: Duration = Duration::from_secs(85);

/// A connection that rested for so long is waited for, so that it is closed when the other end closes it; and it is looked at
/// before it is used, since a runtime that runs for single calls does not wait.
const RESTED: Duration = Duration::from_secs(1);

/// Open connections. Clones are the same pool.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    connector: Connector,
    open: Mutex<Open>,
    /// Rung when a connection came free.
    freed: Notify,
}

#[derive(Default)]
struct Open {
    /// Those that carry nothing now, and since when; the one that was used last stands last.
    http1: Vec<(Instant, Box<Http1>)>,
    /// At most one to each place, and when it was used last.
    http2: Vec<(Instant, Http2)>,
    /// Closes what is not used any more, or was closed at the other end. It ends with its runtime.
    tending: Option<JoinHandle<()>>,
}

/// What a request needs of its connection. One whose answer is large has it among its extensions; one with a stream as its body
/// needs no such mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// It may share one with others.
    Shared,
    /// A file's bytes, there or back: a connection of its own wherever the other end takes HTTP/1.1. Over a shared one the
    /// parallel parts of a file would be one stream again, and an answer that is read slowly would hold up every other.
    Bulk,
}

impl Lane {
    fn of(request: &Request<SendBody>) -> Self {
        match request.body() {
            SendBody::Stream(_) => Self::Bulk,
            SendBody::Empty | SendBody::Whole(_) => {
                request.extensions().get().copied().unwrap_or(Self::Shared)
            }
        }
    }
}

/// Why a request got no answer.
pub(crate) struct Failed {
    pub(crate) why: Why,
    /// Where it was to go.
    pub(crate) to: Option<Authority>,
}

pub(crate) enum Why {
    Connect(BoxError),
    Exchange(hyper::Error),
}

/// A connection for one request.
enum Taken {
    Http1(Box<Http1>),
    Http2(Http2),
}

impl Taken {
    fn to(&self) -> &Destination {
        match self {
            Self::Http1(connection) => &connection.to,
            Self::Http2(connection) => &connection.to,
        }
    }
}

/// A connection whose answer is being read. It is free for another request when that was read to its end.
pub(super) struct Lease {
    connection: Option<Box<Http1>>,
    pool: Arc<Shared>,
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Self {
        Self(Arc::new(Shared { connector, open: Mutex::default(), freed: Notify::new() }))
    }

    /// Whether a connection to there is open and free, as far as is known.
    pub(super) fn is_open_to(&self, origin: &Origin) -> bool {
        let leads = |to: &Destination| to.is_at(origin);
        let open = self.0.open();
        open.http1.iter().any(|(since, connection)| since.elapsed() < IDLE && leads(&connection.to))
            || open.http2.iter().any(|(used, connection)| {
                used.elapsed() < IDLE && connection.is_free() && leads(&connection.to)
            })
    }

    /// Sends a request, with the whole URI, and waits for the answer's head. Its body is read over the lease.
    pub(super) async fn request(
        &self,
        request: &mut Request<SendBody>,
    ) -> Result<(http::Response<Incoming>, Option<Lease>), Failed> {
        let lane = Lane::of(request);
        loop {
            let (mut taken, was_open) = match self.0.take(request.uri(), lane).await {
                Some(taken) => (taken, true),
                None => {
                    let Some(to) = Destination::of(request.uri()) else {
                        let why = Why::Connect("the URL has no host".into());
                        return Err(Failed { why, to: None });
                    };
                    // On the heap: the largest part of a call's state, and the rarest.
                    let connected = Box::pin(self.0.connect(&to, lane)).await;
                    connected.map_err(|why| Failed { why, to: Some(to.authority) })?
                }
            };
            let sent = match &mut taken {
                Taken::Http1(connection) => connection.exchange(request).await,
                Taken::Http2(connection) => connection.exchange(request).await,
            };
            let (mut failed, taken) = match (sent, taken) {
                (Ok(answer), Taken::Http1(connection)) => {
                    return Ok((answer, Some(Lease::new(connection, &self.0))));
                }
                (Ok(answer), Taken::Http2(_)) => return Ok((answer, None)),
                (Err(failed), taken) => (failed, taken),
            };
            match failed.take_message() {
                // The other end had closed the connection before the request was begun.
                Some(unsent) if was_open => {
                    *request = unsent;
                    *request.uri_mut() = taken.to().uri(request.uri().path_and_query());
                }
                _ => {
                    let to = Some(taken.to().authority.clone());
                    return Err(Failed { why: Why::Exchange(failed.into_error()), to });
                }
            }
        }
    }
}

impl Shared {
    /// A connection that is open, if there is a free one.
    async fn take(&self, uri: &Uri, lane: Lane) -> Option<Taken> {
        let mut is_seen = false;
        loop {
            let (since, mut taken) = self.free(|to| to.is_of(uri), lane)?;
            if since.elapsed() < RESTED {
                self.uses(&taken);
                return Some(taken);
            }
            if !is_seen {
                // What came meanwhile is seen at the first, and a connection that has a task of its own runs until the second.
                yield_now().await;
                yield_now().await;
                is_seen = true;
            }
            let is_sound = match &mut taken {
                Taken::Http1(connection) => since.elapsed() < IDLE && connection.is_free(),
                Taken::Http2(connection) => connection.is_free(),
            };
            if is_sound {
                self.uses(&taken);
                return Some(taken);
            }
        }
    }

    /// Notes that a shared connection is used now. Not before it is known to be sound: whoever comes meanwhile looks, too.
    fn uses(&self, taken: &Taken) {
        if let Taken::Http2(connection) = taken {
            let mut open = self.open();
            let own = open.http2.iter_mut().find(|(_, other)| other.to == connection.to);
            if let Some((used, _)) = own {
                *used = Instant::now();
            }
        }
    }

    /// One that is free as far as is known, and since when.
    fn free(&self, leads: impl Fn(&Destination) -> bool, lane: Lane) -> Option<(Instant, Taken)> {
        let mut open = self.open();
        if let Some(at) = open.http1.iter().rposition(|(_, connection)| leads(&connection.to)) {
            let (since, connection) = open.http1.remove(at);
            return Some((since, Taken::Http1(connection)));
        }
        let at = open.http2.iter().position(|(_, connection)| leads(&connection.to))?;
        let (used, connection) = &mut open.http2[at];
        if used.elapsed() >= IDLE || !connection.is_free() {
            open.http2.swap_remove(at);
            return None;
        }
        if lane == Lane::Bulk && !connection.is_all_there_is {
            return None;
        }
        Some((*used, Taken::Http2(connection.clone())))
    }

    /// A new connection, or one that comes free before it is there, and whether it is that.
    async fn connect(self: &Arc<Self>, to: &Destination, lane: Lane) -> Result<(Taken, bool), Why> {
        let mut opened = pin!(self.open_another(to, lane));
        loop {
            match select(opened.as_mut(), pin!(self.freed.notified())).await {
                Either::Left((opened, _)) => return opened.map(|opened| (opened, false)),
                Either::Right(((), _)) => {
                    if let Some((_, free)) = self.free(|other| other == to, lane) {
                        return Ok((free, true));
                    }
                }
            }
        }
    }

    async fn open_another(self: &Arc<Self>, to: &Destination, lane: Lane) -> Result<Taken, Why> {
        let stream = self.connector.open(to.uri(None), lane).await.map_err(Why::Connect)?;
        if !stream.connected().is_negotiated_h2() {
            let connection = Http1::open(stream, to).await.map_err(Why::Exchange)?;
            return Ok(Taken::Http1(Box::new(connection)));
        }
        let is_all_there_is = lane == Lane::Bulk;
        let connection = Http2::open(stream, to, is_all_there_is).await.map_err(Why::Exchange)?;
        let mut open = self.open();
        // Another call may have opened one meanwhile: this one ends with its only request then.
        match open.http2.iter_mut().find(|(_, other)| other.to == *to && other.is_free()) {
            Some((_, other)) => other.is_all_there_is |= is_all_there_is,
            None => {
                open.http2.retain(|(_, other)| other.to != *to);
                open.http2.push((Instant::now(), connection.clone()));
            }
        }
        self.tend(&mut open);
        drop(open);
        self.freed.notify_waiters();
        Ok(Taken::Http2(connection))
    }

    /// Keeps a connection for the next request.
    fn keep(self: &Arc<Self>, connection: Box<Http1>) {
        let mut open = self.open();
        if self.tend(&mut open) {
            open.http1.push((Instant::now(), connection));
            drop(open);
            self.freed.notify_one();
        }
    }

    /// Sees to it that what is not used any more is closed; `false` where no runtime is there to do so.
    fn tend(self: &Arc<Self>, open: &mut Open) -> bool {
        if open.tending.as_ref().is_some_and(|task| !task.is_finished()) {
            return true;
        }
        let Ok(runtime) = Handle::try_current() else { return false };
        let pool = Arc::downgrade(self);
        let tending: Task = Box::pin(async move {
            let (mut next, mut was_empty) = (pin!(sleep(RESTED)), false);
            std::future::poll_fn(|cx| Self::look(&pool, next.as_mut(), &mut was_empty, cx)).await;
        });
        open.tending = Some(runtime.spawn(tending));
        true
    }

    /// Closes what is not used any more and what the other end closed, whose end wakes this; ready when nothing was there twice.
    /// A runtime for one call at a time, whose only connection is in use whenever it runs, would begin anew for each call else.
    fn look(
        pool: &Weak<Self>,
        mut next: Pin<&mut Sleep>,
        was_empty: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(pool) = pool.upgrade() else { return Poll::Ready(()) };
        let mut open = pool.open();
        // Those that are in use all the time are left alone.
        open.http1.retain_mut(|(since, connection)| {
            let rested = since.elapsed();
            rested < RESTED || (rested < IDLE && connection.rests(cx))
        });
        open.http2.retain(|(used, connection)| used.elapsed() < IDLE && connection.is_free());
        let used = open.http1.iter().map(|(since, _)| *since);
        let oldest = used.chain(open.http2.iter().map(|(used, _)| *used)).min();
        if oldest.is_none() && *was_empty && next.is_elapsed() {
            open.tending = None;
            return Poll::Ready(());
        }
        let is_any_new = open.http1.iter().any(|(since, _)| since.elapsed() < RESTED);
        drop(open);
        match oldest {
            Some(oldest) if !is_any_new => next.as_mut().reset(oldest + IDLE),
            None if *was_empty => {}
            _ => next.as_mut().reset(Instant::now() + RESTED),
        }
        *was_empty = oldest.is_none();
        if next.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    fn new(connection: Box<Http1>, pool: &Arc<Shared>) -> Self {
        Self { connection: Some(connection), pool: Arc::clone(pool) }
    }

    /// Lets the connection go on, so that more of the answer comes.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection {
            connection.drive(cx);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && !connection.is_parents()
            && connection.is_free()
        {
            self.pool.keep(connection);
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open = self.0.open();
        let (http1, http2) = (open.http1.len(), open.http2.len());
        f.debug_struct("Pool").field("idle", &http1).field("http2", &http2).finish_non_exhaustive()
    }
}

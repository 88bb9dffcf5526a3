//! Where calls run: on the library's own two threads, which begin with the first call. A call that is dropped from outside, as
//! a cancelled task or coroutine does, ends on its thread with all of its requests.
//!
//! When calls come one after another, the app's thread writes the next request itself, so that none of the library's has to be
//! woken before: only where that keeps it from nothing, with a connection that is open and a credential that holds. From there
//! on, and with whatever has to be waited for, the library's thread goes on.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::{AbortHandle, Abortable, BoxFuture, Either, FutureExt as _, select};
use pin_project_lite::pin_project;
use storycore_shards::{self as shards, Begin};
pub(crate) use storycore_shards::{Place, USUAL as SHARDS};
use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    failure::Failure,
    given::{Given, Lowered},
};

/// Ends what it was made with once it is dropped. What has ended by then is not touched.
pub(crate) struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// That a client is closed, or the one that it was made of, as its calls see it.
#[derive(Clone, Default)]
pub(crate) struct Closing(CancellationToken);

impl Closing {
    /// Of a client that is made of this one's.
    pub(crate) fn derived(&self) -> Self {
        Self(self.0.child_token())
    }

    pub(crate) fn close(&self) {
        self.0.cancel();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// A call on its way to a thread. All between the two ends is compiled once for every call there is.
pub(crate) type Work = BoxFuture<'static, Result<Lowered, Failure>>;

pin_project! {
    /// A call, without the type of what it gives.
    pub(crate) struct Untyped<F> {
        #[pin]
        call: F,
    }
}

impl<F> Untyped<F> {
    pub(crate) fn new(call: F) -> Self {
        Self { call }
    }
}

impl<T, F: Future<Output = Result<Given<T>, Failure>>> Future for Untyped<F> {
    type Output = Result<Lowered, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx).map_ok(Given::lowered)
    }
}

/// A call that runs on a thread. Dropping it ends the call, as closing the client does.
pub(crate) struct Running<T> {
    work: Started,
    gives: PhantomData<fn() -> T>,
}

impl<T> Running<T> {
    /// A call that gives a `T`.
    pub(crate) fn of(work: Started) -> Self {
        Self { work, gives: PhantomData }
    }
}

impl<T> Future for Running<T> {
    type Output = Result<Given<T>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.poll(cx).map_ok(Given::of_lowered)
    }
}

/// What a call that was begun is known by.
pub(crate) enum Started {
    Yes { ended: oneshot::Receiver<Result<Lowered, Failure>>, _ends_with_this: AbortOnDrop },
    Not(Option<Failure>),
}

impl Started {
    /// What it made, once it has ended; an error where it broke inside, which its thread has caught.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Lowered, Failure>> {
        match self {
            Self::Yes { ended, .. } => {
                ended.poll_unpin(cx).map(|ended| ended.unwrap_or_else(|_| Err(Failure::inside())))
            }
            Self::Not(failure) => Poll::Ready(Err(failure.take().unwrap_or_else(Failure::inside))),
        }
    }
}

/// Whether a call can begin on this thread: not on one that a runtime runs on, as the library's own do; such a call comes out of
/// a listener, or of what goes on where its last call ended. Nor on one that is ending.
pub(crate) fn is_free_to_begin() -> bool {
    Handle::try_current().is_err_and(|error| error.is_missing_context())
}

/// Begins a call on the thread of its place, or here where its place says so and no other call is under way.
pub(crate) fn start(place: Place, closing: &Closing, work: Work) -> Started {
    let (end, ended) = oneshot::channel();
    let (abort, registration) = AbortHandle::new_pair();
    let number = place.number();
    let begin = if place.begins_here() { Begin::Here } else { Begin::There };
    let counted = Counted::begin();
    let closed = closing.0.clone();
    let call = async move {
        let closed = std::pin::pin!(closed.cancelled());
        let outcome = match select(work, closed).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(Failure::closed()),
        };
        counted.finish();
        // Before it is told: whoever hears of it makes the next call, which is alone then.
        drop(place);
        // Nobody waits for it any more when the sending fails.
        drop(end.send(outcome));
    };
    match shards::put(number, Box::pin(Abortable::new(call, registration).map(drop)), begin) {
        Ok(()) => Started::Yes { ended, _ends_with_this: AbortOnDrop(abort) },
        Err(error) => {
            let message = format!("the SDK's thread cannot be started: {error}");
            Started::Not(Some(Failure::config(message)))
        }
    }
}

/// Lets go of something on the thread where its connections are.
pub(crate) fn drop_on<T: Send + 'static>(number: usize, it: T) {
    // Without a thread there is no connection either, and it is dropped here.
    drop(shards::put(number, Box::pin(async move { drop(it) }), Begin::There));
}

/// A call, counted where the conformance drivers want to know what became of it.
#[cfg(feature = "conformance")]
struct Counted(bool);

#[cfg(feature = "conformance")]
pub(crate) mod counts {
    use std::sync::atomic::AtomicU64;

    pub(crate) static STARTED: AtomicU64 = AtomicU64::new(0);
    pub(crate) static FINISHED: AtomicU64 = AtomicU64::new(0);
    pub(crate) static DROPPED: AtomicU64 = AtomicU64::new(0);
}

#[cfg(feature = "conformance")]
impl Counted {
    fn begin() -> Self {
        counts::STARTED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(false)
    }

    fn finish(mut self) {
        self.0 = true;
    }
}

#[cfg(feature = "conformance")]
impl Drop for Counted {
    fn drop(&mut self) {
        let what = if self.0 { &counts::FINISHED } else { &counts::DROPPED };
        what.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(not(feature = "conformance"))]
struct Counted;

#[cfg(not(feature = "conformance"))]
impl Counted {
    fn begin() -> Self {
        Self
    }

    fn finish(self) {}
}

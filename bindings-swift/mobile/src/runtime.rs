//! Where calls run: on the library's own two threads, which begin with the first call. A call that is dropped from outside, as
//! a cancelled task or coroutine does, ends on its thread with all of its requests.

#[path = "../../../bindings-node/src/bridge/shards.rs"]
#[allow(dead_code, reason = "calls begin on the thread that makes them in JavaScript alone")]
mod shards;

use std::future::Future;

use futures_util::{
    FutureExt as _,
    future::{AbortHandle, Abortable},
};
use tokio::sync::oneshot;

pub(crate) use self::shards::{Place, SHARDS};
use crate::failure::Failure;

/// Ends what it was made with once it is dropped. What has ended by then is not touched.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a call on the thread of its place. Dropping what this gives ends the call.
pub(crate) async fn run<T: Send + 'static>(
    place: Place,
    call: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let (answer, answered) = oneshot::channel();
    let (abort, registration) = AbortHandle::new_pair();
    let number = place.number();
    let counted = Counted::begin();
    let call = async move {
        outlive_closed_connections();
        let _place = place;
        let outcome = call.await;
        counted.finish();
        // Nobody waits for it any more when the sending fails.
        drop(answer.send(outcome));
    };
    shards::put(number, Box::pin(Abortable::new(call, registration).map(drop)), false)
        .map_err(|error| Failure::config(format!("the SDK's thread cannot be started: {error}")))?;
    let _ends_with_this = AbortOnDrop(abort);
    // Without an answer the call broke inside: its thread has caught that.
    answered.await.unwrap_or_else(|_| Err(Failure::inside()))
}

/// To write into a connection that the platform has closed raises SIGPIPE, which ends a program whose language does not ignore it,
/// as Swift's on Linux. Our threads block it, so that such a write is an error like any other; the program's own are left alone.
/// On Apple's systems sockets have an option of their own against it, which Rust sets.
fn outlive_closed_connections() {
    #[cfg(all(unix, not(target_vendor = "apple")))]
    {
        use nix::sys::signal::{SigSet, Signal};
        thread_local! {
            // It fails for a signal that does not exist alone.
            static BLOCKED: bool = SigSet::from_iter([Signal::SIGPIPE]).thread_block().is_ok();
        }
        BLOCKED.with(|_| ());
    }
}

/// Lets go of something on the thread where its connections are.
pub(crate) fn drop_on<T: Send + 'static>(number: usize, it: T) {
    // Without a thread there is no connection either, and it is dropped here.
    drop(shards::put(number, Box::pin(async move { drop(it) }), false));
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

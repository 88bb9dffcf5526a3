//! A lone call's answer, read by the event loop of the environment that asked, on its own thread: no other thread is woken.
//! What is looked for, and who else reads it, is in `storycore_shards`; how a loop is asked to wait, in `uv`.

use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use napi::{
    Env,
    bindgen_prelude::{Function, FunctionRef},
    threadsafe_function::UnknownReturnValue,
};
use storycore_shards::{self as shards, Begin, Waiting};

use super::{
    Environment, Told, lock, sockets,
    uv::{Poll, Waiter},
};

type Fetched = FunctionRef<Told, UnknownReturnValue>;

/// Whether and how an environment's own loop waits.
pub(super) struct Lone {
    number: Waiting,
    /// JavaScript's function that takes answers; nothing where its loop does not wait.
    fetched: Mutex<Option<Fetched>>,
    poll: OnceLock<Option<Poll<Weak<Environment>>>>,
}

impl Lone {
    /// Opens nothing; `waits` says whether the environment's loop is libuv's.
    pub(super) fn new(
        fetched: &Function<'_, Told, UnknownReturnValue>,
        waits: bool,
    ) -> napi::Result<Self> {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let fetched = if waits { Some(fetched.create_ref()?) } else { None };
        let number = LAST.fetch_add(1, Relaxed);
        Ok(Self { number, fetched: Mutex::new(fetched), poll: OnceLock::new() })
    }

    /// Gives work to its thread, or begins it here and lets the loop wait for it.
    pub(super) fn begin<T>(
        &self,
        env: &Env,
        own: &Arc<Environment>,
        put: impl FnOnce(Begin<'_>) -> T,
    ) -> T {
        match self.poll(env, own) {
            None => put(Begin::Here),
            Some(poll) => {
                put(Begin::HereAndWait(self.number, &|| sockets::is_all_open() && poll.start()))
            }
        }
    }

    fn poll(&self, env: &Env, own: &Arc<Environment>) -> Option<&Poll<Weak<Environment>>> {
        let descriptor = sockets::descriptor()?;
        let made = || {
            let _waits = lock(&self.fetched).as_ref()?;
            // Without it the thread waits, as it does elsewhere.
            Poll::new(env, descriptor, Arc::downgrade(own)).ok().flatten()
        };
        self.poll.get_or_init(made).as_ref()
    }
}

impl Waiter for Weak<Environment> {
    fn readable(&self) -> bool {
        let Some(own) = self.upgrade() else { return false };
        // What ends now is fetched here, and not by a call of the threadsafe function.
        let was_told = std::mem::replace(&mut lock(&own.calls).outbox.is_told, true);
        let goes_on = shards::look(own.lone.number, sockets::is_all_open);
        if !goes_on && let Some(Some(poll)) = own.lone.poll.get() {
            poll.stop();
        }
        let mut calls = lock(&own.calls);
        let outbox = &mut calls.outbox;
        outbox.is_told = was_told || !outbox.is_empty();
        !outbox.is_empty()
    }

    fn deliver(&self, env: &Env) -> napi::Result<()> {
        let Some(own) = self.upgrade() else { return Ok(()) };
        let told = own.fetch(env)?;
        let fetched = match &*lock(&own.lone.fetched) {
            Some(fetched) => fetched.borrow_back(env)?,
            None => return Ok(()),
        };
        fetched.call(told).map(drop)
    }

    fn ended(&self) {
        if let Some(own) = self.upgrade() {
            drop(lock(&own.lone.fetched).take());
        }
    }
}

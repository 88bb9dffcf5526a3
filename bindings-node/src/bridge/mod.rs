//! Between one JavaScript environment (the main thread, or a worker) and the threads that make its calls. Calls are known by
//! numbers that JavaScript gives them. While one is under way the environment is kept from ending, and not longer.

#[cfg(target_os = "linux")]
mod lone;
mod outbox;
#[cfg(target_os = "linux")]
pub(crate) mod sockets;
#[cfg(target_os = "linux")]
mod uv;

use std::{
    collections::HashMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use futures_util::{
    FutureExt as _,
    future::{AbortHandle, AbortRegistration, Abortable},
};
use napi::{
    Env,
    bindgen_prelude::{Buffer, Either, FnArgs, Function, Latin1String},
    threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue},
};
use napi_derive::napi;
use storycore_shards::{self as shards, Begin, Place};

use self::outbox::Outbox;
pub(crate) use self::outbox::Reply;
use crate::{allocator::give_back, failure::Failure};

/// What a call ends with.
pub(crate) type Outcome = Result<Reply, Failure>;

/// The text of several answers, and the bytes beside it. ASCII goes the short way into JavaScript.
type Told = FnArgs<(Either<Latin1String, String>, Vec<Buffer>)>;
/// The one function of an environment that other threads can call. `Weak`: by itself it keeps nothing from ending.
type Wake = ThreadsafeFunction<(), UnknownReturnValue, Told, napi::Status, false, true>;

/// One JavaScript environment.
pub(crate) struct Environment {
    outbox: Mutex<Outbox>,
    wake: Mutex<Option<Wake>>,
    /// Calls that can still be taken back.
    running: Mutex<HashMap<u32, Running>>,
    /// Calls whose end JavaScript has not heard. Changed on the environment's own thread alone.
    open: AtomicUsize,
    #[cfg(target_os = "linux")]
    lone: lone::Lone,
}

/// How far a call is.
enum Running {
    /// Its thread has it, and has not begun it.
    Given,
    Begun(AbortHandle),
}

impl Running {
    fn abort(&self) {
        if let Self::Begun(handle) = self {
            handle.abort();
        }
    }
}

impl shards::Woken for Environment {
    fn wake(&self) {
        if let Some(wake) = &*lock(&self.wake) {
            // An environment that ends takes no more calls, and nobody waits for them.
            let _ = wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl Environment {
    /// Makes `work` on the thread of `place`; JavaScript hears how it ends, unless the call is taken back before.
    pub(crate) fn run(
        self: &Arc<Self>,
        env: &Env,
        id: u32,
        place: Place,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) -> napi::Result<()> {
        let (handle, registration) = AbortHandle::new_pair();
        lock(&self.running).insert(id, Running::Begun(handle));
        let (number, begins_here) = (place.number(), place.begins_here());
        let whole = Arc::clone(self).whole(id, place, registration, work);
        let put = |begin: Begin<'_>| shards::put(number, Box::pin(whole), begin);
        let put = match begins_here {
            false => put(Begin::There),
            #[cfg(target_os = "linux")]
            true => self.lone.begin(env, self, put),
            #[cfg(not(target_os = "linux"))]
            true => put(Begin::Here),
        };
        if let Err(error) = put {
            lock(&self.running).remove(&id);
            return Err(no_thread(&error));
        }
        self.opened(env, 1)
    }

    /// Gives the thread of `places` a call for each of them, with numbers from `first` on. What the calls are is told by `make`,
    /// on that thread: one for each.
    pub(crate) fn run_all<W>(
        self: &Arc<Self>,
        env: &Env,
        first: u32,
        places: Vec<Place>,
        make: impl FnOnce() -> Vec<W> + Send + 'static,
    ) -> napi::Result<()>
    where
        W: Future<Output = Outcome> + Send + 'static,
    {
        let Some(number) = places.first().map(Place::number) else { return Ok(()) };
        let count = places.len();
        let ids = std::iter::successors(Some(first), |id| Some(id.wrapping_add(1))).take(count);
        lock(&self.running).extend(ids.clone().map(|id| (id, Running::Given)));
        let (own, numbers) = (Arc::clone(self), ids.clone());
        let all = async move {
            for ((id, place), work) in numbers.zip(places).zip(make()) {
                let (handle, registration) = AbortHandle::new_pair();
                // Not one that was taken back meanwhile.
                if let Some(given) = lock(&own.running).get_mut(&id) {
                    *given = Running::Begun(handle);
                    drop(tokio::spawn(Arc::clone(&own).whole(id, place, registration, work)));
                }
            }
        };
        if let Err(error) = shards::put(number, Box::pin(all), Begin::There) {
            let mut running = lock(&self.running);
            ids.for_each(|id| drop(running.remove(&id)));
            return Err(no_thread(&error));
        }
        self.opened(env, count)
    }

    /// A call from its first step to the end that JavaScript hears of.
    async fn whole(
        self: Arc<Self>,
        id: u32,
        place: Place,
        registration: AbortRegistration,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let guarded = AssertUnwindSafe(work).catch_unwind();
        let ended = Abortable::new(guarded, registration).await;
        if let Ok(outcome) = ended {
            self.end(id, outcome.unwrap_or_else(|_| Err(Failure::inside())));
        }
        drop(place);
    }

    fn end(self: &Arc<Self>, id: u32, outcome: Outcome) {
        // Taken back meanwhile: nobody waits for it.
        if lock(&self.running).remove(&id).is_none() {
            return;
        }
        self.put(|outbox| outbox.end(id, outcome));
    }

    /// Lets a call tell of itself while it goes on.
    pub(crate) fn tell(self: &Arc<Self>, id: u32, json: &str) {
        self.put(|outbox| outbox.tell(id, json));
    }

    fn put(self: &Arc<Self>, add: impl FnOnce(&mut Outbox)) {
        let mut outbox = lock(&self.outbox);
        add(&mut outbox);
        let is_first = !std::mem::replace(&mut outbox.is_told, true);
        drop(outbox);
        if is_first {
            shards::afterwards(Arc::<Self>::clone(self));
        }
    }

    /// What there is to tell. On the environment's own thread.
    fn fetch(&self, env: &Env) -> napi::Result<Told> {
        let mut outbox = lock(&self.outbox);
        let mut batch = outbox.take().unwrap_or_default();
        outbox.is_told = !outbox.is_empty();
        let is_more = outbox.is_told;
        drop(outbox);
        if is_more {
            shards::Woken::wake(self);
        }
        self.closed(env, batch.ended)?;
        let (text, is_ascii) = batch.text();
        let text = if is_ascii { Either::A(text.into()) } else { Either::B(text) };
        let buffers =
            batch.buffers.into_iter().map(|bytes| Buffer::from(Vec::from(bytes))).collect();
        Ok(FnArgs::from((text, buffers)))
    }

    /// The environment ends: nobody is left to hear of its calls, which end with it.
    fn ended(&self) {
        let running = std::mem::take(&mut *lock(&self.running));
        running.values().for_each(Running::abort);
        // One of them may be what its event loop waited for, which waits no more.
        shards::hand_over();
    }

    #[allow(deprecated, reason = "there is no other way to keep an environment for a while")]
    fn opened(&self, env: &Env, count: usize) -> napi::Result<()> {
        match (self.open.fetch_add(count, Relaxed), &mut *lock(&self.wake)) {
            (0, Some(wake)) => wake.refer(env),
            _ => Ok(()),
        }
    }

    #[allow(deprecated, reason = "there is no other way to keep an environment for a while")]
    fn closed(&self, env: &Env, count: usize) -> napi::Result<()> {
        if count == 0 || self.open.fetch_sub(count, Relaxed) != count {
            return Ok(());
        }
        match &mut *lock(&self.wake) {
            Some(wake) => wake.unref(env),
            None => Ok(()),
        }
    }
}

fn no_thread(error: &std::io::Error) -> napi::Error {
    Failure::config(format!("no thread can be had for the client: {error}")).thrown()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An environment's bridge. There is one, which `lib/bridge.js` keeps.
#[napi]
pub struct Bridge(pub(crate) Arc<Environment>);

#[napi]
impl Bridge {
    /// `fetched` is given the text of several answers and the bytes beside it. `waits` says that the environment's event loop
    /// is libuv's own, which can wait for an answer itself.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        fetched: Function<'_, Told, UnknownReturnValue>,
        waits: bool,
    ) -> napi::Result<Self> {
        #[cfg(not(target_os = "linux"))]
        let _ = waits;
        shards::give_back_with(give_back);
        let environment = Arc::new(Environment {
            outbox: Mutex::default(),
            wake: Mutex::default(),
            running: Mutex::default(),
            open: AtomicUsize::new(0),
            #[cfg(target_os = "linux")]
            lone: lone::Lone::new(&fetched, waits)?,
        });
        let own = Arc::downgrade(&environment);
        let wake: Wake = fetched.build_threadsafe_function::<()>().weak::<true>().build_callback(
            move |context| match own.upgrade() {
                Some(environment) => environment.fetch(&context.env),
                None => Err(napi::Error::from_reason("the bridge is gone")),
            },
        )?;
        *lock(&environment.wake) = Some(wake);
        env.add_env_cleanup_hook(Arc::clone(&environment), |ended| ended.ended())?;
        Ok(Self(environment))
    }

    /// Takes a call back: its requests stop, and nothing more is heard of it. Says whether it was still under way.
    #[napi]
    pub fn cancel(&self, env: Env, id: u32) -> napi::Result<bool> {
        let Some(running) = lock(&self.0.running).remove(&id) else { return Ok(false) };
        running.abort();
        // It may be the one that an event loop waits for.
        shards::hand_over();
        self.0.closed(&env, 1)?;
        Ok(true)
    }
}

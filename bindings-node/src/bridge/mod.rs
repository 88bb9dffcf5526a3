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
    thread::available_parallelism,
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
    calls: Mutex<Calls>,
    wake: Mutex<Option<Wake>>,
    /// Calls whose end JavaScript has not heard. Changed on the environment's own thread alone.
    open: AtomicUsize,
    #[cfg(target_os = "linux")]
    lone: lone::Lone,
}

/// An environment as calls of one thread share it. Threads that count in one place how many calls have it wait for each other.
struct Share(Arc<Environment>);

impl Share {
    fn of(environment: &Arc<Environment>) -> Arc<Self> {
        Arc::new(Self(Arc::clone(environment)))
    }
}

/// Its calls. One lock is taken for all of it: each time that is another thread's turn, which costs more than what is done then.
#[derive(Default)]
struct Calls {
    outbox: Outbox,
    /// Those that can still be taken back.
    running: HashMap<u32, Running>,
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
        lock(&self.calls).running.insert(id, Running::Begun(handle));
        let (number, begins_here) = (place.number(), place.begins_here());
        let whole = Self::whole(Share::of(self), id, place, registration, work);
        let put = |begin: Begin<'_>| shards::put(number, Box::pin(whole), begin);
        let put = match begins_here {
            false => put(Begin::There),
            #[cfg(target_os = "linux")]
            true => self.lone.begin(env, self, put),
            #[cfg(not(target_os = "linux"))]
            true => put(Begin::Here),
        };
        if let Err(error) = put {
            lock(&self.calls).running.remove(&id);
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
        lock(&self.calls).running.extend(ids.clone().map(|id| (id, Running::Given)));
        let (own, numbers) = (Share::of(self), ids.clone());
        let all = async move {
            let begun = own.0.begin(numbers.clone());
            for (((id, place), registration), work) in numbers.zip(places).zip(begun).zip(make()) {
                // Not one that was taken back meanwhile.
                if let Some(registration) = registration {
                    let whole = Self::whole(Arc::clone(&own), id, place, registration, work);
                    drop(tokio::spawn(whole));
                }
            }
        };
        if let Err(error) = shards::put(number, Box::pin(all), Begin::There) {
            let mut calls = lock(&self.calls);
            ids.for_each(|id| drop(calls.running.remove(&id)));
            return Err(no_thread(&error));
        }
        self.opened(env, count)
    }

    /// Lets calls be aborted from here on, but those that were taken back already.
    fn begin(&self, ids: impl Iterator<Item = u32>) -> Vec<Option<AbortRegistration>> {
        let mut calls = lock(&self.calls);
        let begin = |id| {
            let given = calls.running.get_mut(&id)?;
            let (handle, registration) = AbortHandle::new_pair();
            *given = Running::Begun(handle);
            Some(registration)
        };
        ids.map(begin).collect()
    }

    /// A call from its first step to the end that JavaScript hears of.
    async fn whole(
        own: Arc<Share>,
        id: u32,
        place: Place,
        registration: AbortRegistration,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let guarded = AssertUnwindSafe(work).catch_unwind();
        let ended = Abortable::new(guarded, registration).await;
        if let Ok(outcome) = ended {
            own.0.end(id, outcome.unwrap_or_else(|_| Err(Failure::inside())));
        }
        drop(place);
    }

    fn end(self: &Arc<Self>, id: u32, outcome: Outcome) {
        self.put(|calls| {
            // Where it was taken back meanwhile nobody waits for it.
            let is_awaited = calls.running.remove(&id).is_some();
            if is_awaited {
                calls.outbox.end(id, outcome);
            }
            is_awaited
        });
    }

    /// Lets a call tell of itself while it goes on.
    pub(crate) fn tell(self: &Arc<Self>, id: u32, json: &str) {
        self.put(|calls| {
            calls.outbox.tell(id, json);
            true
        });
    }

    /// `add` says whether it added something.
    fn put(self: &Arc<Self>, add: impl FnOnce(&mut Calls) -> bool) {
        let mut calls = lock(&self.calls);
        let is_first = add(&mut calls) && !std::mem::replace(&mut calls.outbox.is_told, true);
        drop(calls);
        if is_first {
            shards::afterwards(Arc::<Self>::clone(self));
        }
    }

    /// What there is to tell. On the environment's own thread.
    fn fetch(&self, env: &Env) -> napi::Result<Told> {
        let mut calls = lock(&self.calls);
        let outbox = &mut calls.outbox;
        let mut batch = outbox.take().unwrap_or_default();
        outbox.is_told = !outbox.is_empty();
        let is_more = outbox.is_told;
        drop(calls);
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
        let running = std::mem::take(&mut lock(&self.calls).running);
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
        shards::spread_by(spread);
        let environment = Arc::new(Environment {
            calls: Mutex::default(),
            wake: Mutex::default(),
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
        let Some(running) = lock(&self.0.calls).running.remove(&id) else { return Ok(false) };
        running.abort();
        // It may be the one that an event loop waits for.
        shards::hand_over();
        self.0.closed(&env, 1)?;
        Ok(true)
    }
}

/// The threads are what is full when a program makes as many calls as it can: a third one takes part where there are more processors
/// than the other two and JavaScript's thread, which is half idle, fill.
fn spread() -> usize {
    if available_parallelism().is_ok_and(|processors| processors.get() > 2) { 3 } else { 2 }
}

//! The process's own threads: single-threaded runtimes, each of which drives connections of its own, so that no call
//! hops between threads. They begin with the first call, and an idle one waits in the kernel.
//!
//! When calls come one after another, JavaScript's own thread writes the next request itself: a runtime's thread that has
//! nothing left to do lets go of its runtime for a moment. Where JavaScript's event loop can wait for the answer, it reads
//! that, too, and no thread is woken at all; the runtime's thread takes over when that takes long, or a second call comes.
//! Elsewhere it is woken for the answer, while the request is on its way.
//!
//! It knows nothing of what a call is: a binding gives it the work of one ([`put`]) with the [`Place`] that it takes. It stands
//! by itself because Node's library and the mobile one both make their calls so.
//!
//! What spawns a task is `#[inline]`, so that it is compiled with the library that uses it: the core spawns tasks of the same type,
//! and what the runtime needs for one stands there once.

mod eager;
mod place;

use std::{
    cell::RefCell,
    io,
    pin::{Pin, pin},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    task::yield_now,
};

use eager::Eager;
use place::BUSY;
pub use place::{Place, USUAL, spread_by};

/// As many as there may be.
pub const SHARDS: usize = 3;

/// Where lone calls are.
pub const FIRST: usize = 0;

/// How long nobody drives a runtime, or only an event loop does. Timers, and connections that end without a call, are served
/// behind it, twice this time later at most.
const LET_GO: Duration = Duration::from_millis(20);

/// How often an event loop looks for one answer. A longer one is read beside JavaScript.
const LOOKS: u32 = 16;

/// How often a runtime's tasks are run at one look: what has come is read at the first, what follows from it at the others.
const TURNS: usize = 4;

/// After so many calls, and when no others follow, memory is given back: it takes about as long as some calls.
const MANY: usize = 1000;

/// What a thread is given to do.
pub type Work = BoxFuture<'static, ()>;

static ALL: [OnceLock<Arc<Shard>>; SHARDS] = [const { OnceLock::new() }; SHARDS];
static STARTING: Mutex<()> = Mutex::new(());
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

thread_local! {
    /// Of a runtime's thread: who has answers to fetch, and is told of it when the tasks had their turn that can go on now. Telling
    /// wakes a thread, which then fetches what all of them have and begins what follows on it together.
    static TO_WAKE: RefCell<Option<Vec<Arc<dyn Woken>>>> = const { RefCell::new(None) };
}

/// One runtime, its thread, and what is to be begun there.
struct Shard {
    number: usize,
    runtime: Runtime,
    state: Mutex<State>,
    /// For the thread while it drives.
    wake: Notify,
    /// For the thread while it does not.
    is_needed: Condvar,
}

struct State {
    work: Vec<Work>,
    driver: Driver,
    /// Grows when somebody drove who is not the runtime's thread.
    driven: u64,
    /// Who waits for the answer of the one call, while nobody drives, and how often that one looked for it.
    waiting: Option<(Waiting, u32)>,
}

/// The number of an event loop that waits.
pub type Waiting = usize;

/// Who begins a call.
#[derive(Clone, Copy)]
pub enum Begin<'a> {
    /// The runtime's thread.
    There,
    /// The thread that puts it there, where the call is the only one. It keeps no thread waiting.
    Here,
    /// The same, and that thread's event loop waits for the answer, if the function says that it can.
    HereAndWait(Waiting, &'a dyn Fn() -> bool),
}

/// Who polls what there is to be polled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    /// The runtime's own thread.
    Thread,
    /// A thread that begins a call.
    Caller,
    Nobody,
}

impl Shard {
    #[inline]
    fn start(number: usize) -> io::Result<Arc<Self>> {
        let runtime = Builder::new_current_thread()
            // Not signals: they are the program's.
            .enable_io()
            .enable_time()
            // Files are read and written beside it: few threads, which end soon.
            .max_blocking_threads(16)
            .thread_keep_alive(Duration::from_secs(2))
            .build()?;
        let shard = Arc::new(Self {
            number,
            runtime,
            state: Mutex::new(State {
                work: Vec::new(),
                driver: Driver::Thread,
                driven: 0,
                waiting: None,
            }),
            wake: Notify::new(),
            is_needed: Condvar::new(),
        });
        let own = Arc::clone(&shard);
        std::thread::Builder::new()
            .name(format!("storycore-{number}"))
            .spawn(move || own.drive())?;
        Ok(shard)
    }

    /// Never ends: the process ends it.
    #[inline]
    fn drive(&self) {
        TO_WAKE.set(Some(Vec::new()));
        let (mut has_calls, mut begun, mut eager) = (false, 0, Eager::default());
        loop {
            self.block_on(pin!(self.run(has_calls, &mut begun, &mut eager)));
            wake_now();
            has_calls = self.let_go();
            if !has_calls && begun >= MANY {
                begun = 0;
                if let Some(give_back) = GIVE_BACK.get() {
                    give_back();
                }
            }
        }
    }

    /// Begins what it is given, until the last call has ended, and counts it. Without `has_calls` one has to come first.
    #[inline]
    async fn run(&self, mut has_calls: bool, begun: &mut usize, eager: &mut Eager) {
        let mut work = Vec::new();
        loop {
            std::mem::swap(&mut work, &mut self.lock().work);
            let busy = BUSY[self.number].load(Relaxed);
            if !work.is_empty() {
                has_calls = true;
                *begun += work.len();
                eager.came(busy);
                work.drain(..).for_each(|task| drop(tokio::spawn(task)));
            } else if eager.looks_again(busy) {
                // The tasks that can go on have their turn, and so has any other thread where there are no more cores.
                std::thread::yield_now();
                yield_now().await;
            } else if has_calls && busy == 0 {
                // What the last call left runs on: tasks of connections, and what looks after them.
                return yield_now().await;
            } else {
                self.wake.notified().await;
            }
        }
    }

    /// What a runtime needs to drive one kind of future is some kilobytes: there is one kind.
    #[inline]
    fn block_on(&self, work: Pin<&mut dyn Future<Output = ()>>) {
        self.runtime.block_on(work);
    }

    /// Lets others drive for a while. Says whether there are calls.
    fn let_go(&self) -> bool {
        let mut state = self.lock();
        // A place is taken before work is put, and work is put under the lock: none is missed.
        if !state.work.is_empty() || BUSY[self.number].load(Relaxed) > 0 {
            return true;
        }
        state.driver = Driver::Nobody;
        let mut driven = state.driven;
        loop {
            let waited = self.is_needed.wait_timeout(state, LET_GO);
            let timeout;
            (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            match state.driver {
                Driver::Thread => return true,
                Driver::Nobody if timeout.timed_out() && state.driven == driven => {
                    state.driver = Driver::Thread;
                    return BUSY[self.number].load(Relaxed) > 0;
                }
                Driver::Nobody | Driver::Caller => driven = state.driven,
            }
        }
    }

    #[inline]
    fn put(&self, work: Work, begin: Begin<'_>) {
        let mut state = self.lock();
        let driver = state.driver;
        let is_alone = BUSY[self.number].load(Relaxed) == 1;
        if driver == Driver::Nobody && is_alone && !matches!(begin, Begin::There) {
            let driving = Driving::begin(self, state);
            self.block_on(pin!(async {
                // What came while nobody drove: a connection that the platform closed is not written into.
                yield_now().await;
                drop(tokio::spawn(work));
                // Runs as far as it goes without waiting: at the first turn, or where its connection rested and is looked at
                // before, at the others.
                for _ in 0..3 {
                    yield_now().await;
                }
            }));
            if let Begin::HereAndWait(waiting, wait) = begin
                && wait()
            {
                driving.leave_to(waiting, 0);
            }
            return;
        }
        state.work.push(work);
        let is_first = state.work.len() == 1;
        if driver == Driver::Nobody {
            state.driver = Driver::Thread;
        }
        drop(state);
        match driver {
            Driver::Thread if is_first => self.wake.notify_one(),
            // The caller hands over to the thread, which looks for work.
            Driver::Thread | Driver::Caller => {}
            Driver::Nobody => self.is_needed.notify_one(),
        }
    }

    fn look(&self, waiting: Waiting, can_wait: fn() -> bool) -> bool {
        let mut state = self.lock();
        let looks = match state.waiting {
            Some((of, looks)) if of == waiting && state.driver == Driver::Nobody => looks + 1,
            _ => return false,
        };
        if looks > LOOKS {
            state.waiting = None;
            if BUSY[self.number].load(Relaxed) > 0 {
                self.hand_over(state);
            }
            return false;
        }
        let driving = Driving::begin(self, state);
        self.block_on(pin!(async {
            for _ in 0..TURNS {
                yield_now().await;
                if BUSY[self.number].load(Relaxed) == 0 {
                    break;
                }
            }
        }));
        can_wait() && driving.leave_to(waiting, looks)
    }

    /// Lets the runtime's thread go on where nobody drives.
    fn hand_over(&self, mut state: MutexGuard<'_, State>) {
        if state.driver == Driver::Nobody {
            state.driver = Driver::Thread;
            drop(state);
            self.is_needed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another thread than the runtime's drives, which goes on with what this one leaves.
struct Driving<'a>(&'a Shard);

impl<'a> Driving<'a> {
    fn begin(shard: &'a Shard, mut state: MutexGuard<'_, State>) -> Self {
        state.driver = Driver::Caller;
        state.driven += 1;
        state.waiting = None;
        Self(shard)
    }

    /// Leaves what there is to this event loop, which has looked for it so often. Says whether it does.
    fn leave_to(self, waiting: Waiting, looks: u32) -> bool {
        let mut state = self.0.lock();
        if !state.work.is_empty() {
            return false;
        }
        state.driver = Driver::Nobody;
        state.waiting = Some((waiting, looks));
        drop(state);
        std::mem::forget(self);
        true
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.lock().driver = Driver::Thread;
        self.0.is_needed.notify_one();
    }
}

/// Fetches answers on a thread of its own.
pub trait Woken: Send + Sync {
    /// Wakes that thread.
    fn wake(&self);
}

/// Wakes it: on a runtime's thread behind the tasks that can go on now, elsewhere at once.
#[inline]
pub fn afterwards(woken: Arc<dyn Woken>) {
    let is_first = TO_WAKE.with_borrow_mut(|all| match all {
        Some(all) => {
            all.push(woken);
            all.len() == 1
        }
        None => {
            woken.wake();
            false
        }
    });
    if is_first {
        // It stands in line behind those tasks.
        drop(tokio::spawn(async { wake_now() }));
    }
}

fn wake_now() {
    let all = TO_WAKE.with_borrow_mut(|all| all.as_mut().map(std::mem::take));
    all.into_iter().flatten().for_each(|woken| woken.wake());
}

/// Tells how memory that nobody uses any more is given back to the system, where the allocator does not by itself: a thread does
/// it once it has nothing left to do after many calls. What is told first counts.
pub fn give_back_with(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// Gives a thread work; it is woken where it had none.
///
/// # Errors
/// When the thread is not there yet and cannot be had.
#[inline]
pub fn put(number: usize, work: Work, begin: Begin<'_>) -> io::Result<()> {
    let shard = match ALL[number].get() {
        Some(shard) => shard,
        None => {
            let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
            match ALL[number].get() {
                Some(shard) => shard,
                None => {
                    let shard = Shard::start(number)?;
                    ALL[number].get_or_init(|| shard)
                }
            }
        }
    };
    shard.put(work, begin);
    Ok(())
}

/// An event loop looks for the answer that it waits for, of a call that it began, and goes on with that if `can_wait` says
/// that it can. Says whether it does.
pub fn look(waiting: Waiting, can_wait: fn() -> bool) -> bool {
    ALL[FIRST].get().is_some_and(|shard| shard.look(waiting, can_wait))
}

/// Lets the threads go on with calls that only an event loop waits for: something else happened to one.
pub fn hand_over() {
    for shard in ALL.iter().filter_map(OnceLock::get) {
        if BUSY[shard.number].load(Relaxed) > 0 {
            shard.hand_over(shard.lock());
        }
    }
}

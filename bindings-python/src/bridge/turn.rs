//! Who of the calls' threads asks for the interpreter next. Between two calls a thread mostly holds it for a few microseconds;
//! whoever comes meanwhile is put to sleep by the interpreter's own lock, and woken by its holder, at each release, only to find
//! it taken again. So a call's thread looks a while itself first, and then sleeps here, where the one that leaves wakes it, after
//! it has given the interpreter up, and only while nobody looks. This is no lock: who holds the interpreter otherwise is not
//! known here, and whoever has waited long enough asks for it.

use std::{
    cell::Cell,
    hint::spin_loop,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use super::process::PerProcess;

/// How long is looked before each sleep: what a thread does between two calls takes less, and to sleep and be woken more.
const PATIENCE: Duration = Duration::from_micros(5);

/// How long a thread that makes one call after another is taken to hold the interpreter when it came. It holds it for longer
/// where another thread has got its core; else it does something new, and may have given the interpreter up for that.
const HELD: Duration = Duration::from_micros(100);

/// How long a call waits here in all, however often others are quicker. The interpreter's own queue is a fair one.
const LONGEST: Duration = Duration::from_millis(1);

/// Elsewhere a timer may take milliseconds for microseconds, as Windows' does.
const CAN_SLEEP_SHORTLY: bool = cfg!(target_os = "linux");

const NOBODY: usize = 0;

/// The process's own: its lock may be held by a thread that a forked child does not have.
static TURN: PerProcess<Turn> = PerProcess::new();

struct Turn {
    /// The thread that came back last, until it makes another call.
    came: AtomicUsize,
    /// When it came, in nanoseconds from `start`; 0 where that tells nothing of when it makes another.
    came_at: AtomicU64,
    start: Instant,
    /// Threads that look now.
    looking: AtomicUsize,
    /// Threads that sleep, and whether one of them has been woken and is not awake yet.
    sleeping: AtomicUsize,
    is_waking: AtomicBool,
    /// Held by who goes to sleep until it does: it is not woken before.
    falling_asleep: Mutex<()>,
    left: Condvar,
}

/// What is known of one thread.
struct Here {
    /// When it asked for the interpreter.
    asked: Cell<Option<Instant>>,
    /// Since when it has the interpreter, unless it has made a call since.
    since: Cell<Option<Instant>>,
    /// How often, of late, it made its next call at once. Others sleep only for one that does: what another does between two
    /// calls may take long, and leave the interpreter free. Nor for one that had to wait for a thread that computes in Python: that
    /// gives the interpreter up every 5 ms, and whoever does not ask for it then waits for as long again.
    at_once: Cell<u8>,
}

/// From so many on it is expected to do it again.
const USUAL: u8 = 2;

thread_local!(static HERE: Here = const {
    Here { asked: Cell::new(None), since: Cell::new(None), at_once: Cell::new(0) }
});

/// A call has given the interpreter up.
pub(super) fn leave() {
    HERE.with(Here::leave);
    TURN.get_or_make(Turn::new).leave();
}

/// A call is about to take the interpreter back.
pub(super) fn come() {
    TURN.get_or_make(Turn::new).come();
}

/// A call has the interpreter again.
pub(super) fn has_come() {
    HERE.with(Here::has_come);
}

impl Here {
    fn has_come(&self) {
        let now = Instant::now();
        if self.asked.take().is_some_and(|asked| now - asked > LONGEST) {
            self.at_once.set(0);
        }
        self.since.set(Some(now));
    }

    fn leave(&self) {
        let Some(since) = self.since.take() else { return };
        let at_once = self.at_once.get();
        self.at_once.set(match since.elapsed() <= HELD {
            true => (at_once + 1).min(2 * USUAL),
            // Once may be because another thread had its core.
            false => at_once.saturating_sub(2),
        });
    }

    fn is_quick(&self) -> bool {
        self.at_once.get() >= USUAL
    }
}

impl Turn {
    fn new() -> Self {
        Self {
            came: AtomicUsize::new(NOBODY),
            came_at: AtomicU64::new(0),
            start: Instant::now(),
            looking: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            is_waking: AtomicBool::new(false),
            falling_asleep: Mutex::new(()),
            left: Condvar::new(),
        }
    }

    fn leave(&self) {
        let has_left = self.came.compare_exchange(here(), NOBODY, SeqCst, Relaxed).is_ok();
        // To wake takes as long as a whole turn: who looks, or is on its way already, comes sooner.
        if has_left
            && self.sleeping.load(SeqCst) > 0
            && self.looking.load(SeqCst) == 0
            && !self.is_waking.swap(true, SeqCst)
        {
            drop(self.lock());
            self.left.notify_one();
        }
    }

    fn come(&self) {
        if !self.take() && !self.wait() {
            // It asks the interpreter itself, and others wait for it.
            self.came.store(here(), SeqCst);
        }
        let now = Instant::now();
        let is_quick = HERE.with(|here| {
            here.asked.set(Some(now));
            here.is_quick()
        });
        self.came_at.store(if is_quick { self.since_start(now) } else { 0 }, Relaxed);
    }

    fn take(&self) -> bool {
        self.came.load(Relaxed) == NOBODY
            && self.came.compare_exchange(NOBODY, here(), SeqCst, Relaxed).is_ok()
    }

    /// Whether it is this thread's turn after a while.
    fn wait(&self) -> bool {
        let since = Instant::now();
        loop {
            if self.look() {
                return true;
            }
            let held = self.since_start(Instant::now()).saturating_sub(self.came_at.load(Relaxed));
            let rest = HELD.saturating_sub(Duration::from_nanos(held));
            if !CAN_SLEEP_SHORTLY || rest.is_zero() || since.elapsed() > LONGEST {
                return false;
            }
            if self.sleep(rest) {
                return true;
            }
        }
    }

    fn look(&self) -> bool {
        if !are_several_cores() {
            return false;
        }
        self.looking.fetch_add(1, SeqCst);
        let since = Instant::now();
        let is_mine = loop {
            // A look at the clock takes as long as some of these.
            for _ in 0..4 {
                spin_loop();
            }
            if self.take() {
                break true;
            }
            if since.elapsed() > PATIENCE {
                break false;
            }
        };
        self.looking.fetch_sub(1, SeqCst);
        is_mine
    }

    /// Until somebody leaves, or for so long.
    fn sleep(&self, longest: Duration) -> bool {
        let awake = self.lock();
        self.sleeping.fetch_add(1, SeqCst);
        self.is_waking.store(false, SeqCst);
        // Who left before this did not know of it.
        if !self.take() {
            let woken = self.left.wait_timeout(awake, longest);
            drop(woken.unwrap_or_else(PoisonError::into_inner));
            self.is_waking.store(false, SeqCst);
            self.sleeping.fetch_sub(1, SeqCst);
            return self.take();
        }
        self.sleeping.fetch_sub(1, SeqCst);
        true
    }

    fn since_start(&self, now: Instant) -> u64 {
        // Enough for 500 years.
        u64::try_from(now.duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.falling_asleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With one, whoever has the interpreter cannot go on while another looks. Asked once, without a lock that a process could be
/// forked under.
fn are_several_cores() -> bool {
    static CORES: AtomicU8 = AtomicU8::new(0);
    match CORES.load(Relaxed) {
        0 => {
            let several = available_parallelism().is_ok_and(|cores| cores.get() > 1);
            CORES.store(1 + u8::from(several), Relaxed);
            several
        }
        known => known > 1,
    }
}

/// A number that no other thread has while this one lasts.
pub(super) fn here() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

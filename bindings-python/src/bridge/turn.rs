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

/// A thread that makes its next call within this made it at once: about twice what a call's way through Python takes. Who took
/// longer did something else between the two, and may have given the interpreter up for that, as hashing does.
const AT_ONCE: Duration = Duration::from_micros(20);

/// How long others sleep at most for a thread that mostly makes its next call at once, from when it came. It holds the
/// interpreter for longer than usual where another thread has got its core.
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

/// From so many calls made at once on, the next is expected to be.
const USUAL: u8 = 2;
/// More are not counted.
const MOST: u8 = 2 * USUAL;
/// What a call that came later takes away: one may have come later because another thread had the core, two not.
const LATER: u8 = MOST - USUAL;

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
        self.calls_after(since.elapsed());
    }

    fn calls_after(&self, pause: Duration) {
        let at_once = self.at_once.get();
        self.at_once.set(match pause <= AT_ONCE {
            true => (at_once + 1).min(MOST),
            false => at_once.saturating_sub(LATER),
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
            // Whoever holds the lock may have found it taken already, and would sleep through this.
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
            let rest = self.rest(Instant::now());
            if !CAN_SLEEP_SHORTLY || rest.is_zero() || since.elapsed() > LONGEST {
                return false;
            }
            if self.sleep(rest) {
                return true;
            }
        }
    }

    /// How long the thread that came last may be slept for.
    fn rest(&self, now: Instant) -> Duration {
        match self.came_at.load(Relaxed) {
            0 => Duration::ZERO,
            came_at => {
                let held = self.since_start(now).saturating_sub(came_at);
                HELD.saturating_sub(Duration::from_nanos(held))
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
        // Who left before this did not know of it. Either it sees this thread sleep or this one sees that it left: not so with a
        // relaxed look, which may be made before this thread is counted.
        if self.came.compare_exchange(NOBODY, here(), SeqCst, SeqCst).is_err() {
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

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    /// No test takes so long, and no sleeper may need it.
    const FOR_EVER: Duration = Duration::from_secs(60);

    /// This thread takes its turn, as one that has made `pauses` between its calls.
    fn come_after(turn: &Turn, pauses: &[Duration]) {
        HERE.with(|here| {
            here.at_once.set(0);
            for pause in pauses {
                here.calls_after(*pause);
            }
        });
        turn.come();
    }

    const QUICK: [Duration; 4] = [AT_ONCE; 4];

    #[test]
    fn a_quick_thread_is_slept_for_and_one_that_works_between_its_calls_is_not() {
        let later = AT_ONCE * 2;
        let is_slept_for = |pauses: &[Duration]| {
            let turn = Turn::new();
            let now = Instant::now();
            come_after(&turn, pauses);
            !turn.rest(now).is_zero()
        };
        assert!(is_slept_for(&QUICK));
        assert!(is_slept_for(&[AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, later]), "one may be late");
        assert!(!is_slept_for(&[]), "nothing is known of it");
        assert!(!is_slept_for(&[later; 4]));
        assert!(!is_slept_for(&[AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, later, later]));
        assert!(later < HELD, "it was slept for");
    }

    #[test]
    fn a_thread_that_had_to_wait_for_the_interpreter_is_not_slept_for() {
        HERE.with(|here| {
            here.at_once.set(MOST);
            here.asked.set(Instant::now().checked_sub(LONGEST * 2));
            here.has_come();
            assert!(!here.is_quick());
        });
    }

    #[test]
    fn who_leaves_wakes_who_sleeps_or_falls_asleep() {
        let (slept, woken) = mpsc::channel();
        for round in 0..500 {
            let turn = std::sync::Arc::new(Turn::new());
            come_after(&turn, &QUICK);
            let (its, slept) = (turn.clone(), slept.clone());
            thread::spawn(move || slept.send(its.sleep(FOR_EVER * 60)));
            // Asleep in every other round; else somewhere on its way.
            while round % 2 == 0 && turn.sleeping.load(SeqCst) == 0 {
                thread::yield_now();
            }
            turn.leave();
            assert_eq!(woken.recv_timeout(FOR_EVER), Ok(true), "round {round}");
            assert_eq!(turn.sleeping.load(SeqCst), 0);
        }
    }

    #[test]
    fn a_thread_that_never_leaves_holds_nobody_up_for_ever() {
        let turn = std::sync::Arc::new(Turn::new());
        come_after(&turn, &QUICK);
        let (came, others) = mpsc::channel();
        for _ in 0..8 {
            let (turn, came) = (turn.clone(), came.clone());
            thread::spawn(move || {
                come_after(&turn, &QUICK);
                came.send(())
            });
        }
        for _ in 0..8 {
            assert_eq!(others.recv_timeout(FOR_EVER), Ok(()));
        }
    }

    #[test]
    fn threads_that_make_one_call_after_another_all_come_to_their_end() {
        let calls = || {
            for _ in 0..1000 {
                leave();
                come();
                has_come();
            }
            leave();
        };
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(calls))));
        let turn = TURN.get_or_make(Turn::new);
        assert_eq!(turn.came.load(SeqCst), NOBODY);
        assert_eq!((turn.looking.load(SeqCst), turn.sleeping.load(SeqCst)), (0, 0));
    }
}

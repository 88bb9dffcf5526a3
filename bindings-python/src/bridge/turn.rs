//! A moment of patience before a waiting call takes the interpreter back. Between two calls a thread mostly holds it for a few
//! microseconds; whoever comes meanwhile is put to sleep by the interpreter's own lock, and woken later than it was free. So it
//! looks a while itself first. This is no lock: who is not told apart here, or has no patience left, asks for the interpreter.

use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicU8, AtomicU32, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

/// How long is looked: what a thread does between two calls takes less, and to sleep and be woken more.
const PATIENCE: Duration = Duration::from_micros(5);

/// Looks in vain, less `WORTH` for each that was not, after which patience is taken not to pay: threads work for longer between
/// their calls.
const MOST_IN_VAIN: u32 = 64;

/// To be put to sleep and woken costs as much as some looks in vain.
const WORTH: u32 = 4;

/// Turns without patience after that, until it is tried again.
const PAUSE: u32 = 64;

const NOBODY: usize = 0;

/// The thread that came back last, until it makes another call. It may have given the interpreter up long ago, for something
/// else than a call; who looks in vain takes its place.
static CAME: AtomicUsize = AtomicUsize::new(NOBODY);

static IN_VAIN: AtomicU32 = AtomicU32::new(0);

/// A call has given the interpreter up.
pub(super) fn leave() {
    let _ = CAME.compare_exchange(here(), NOBODY, Release, Relaxed);
}

/// A call is about to take the interpreter back.
pub(super) fn come() {
    if take() || (pays() && look()) {
        return;
    }
    CAME.store(here(), Relaxed);
}

fn take() -> bool {
    CAME.load(Relaxed) == NOBODY && CAME.compare_exchange(NOBODY, here(), Acquire, Relaxed).is_ok()
}

fn look() -> bool {
    let since = Instant::now();
    loop {
        // A look at the clock takes as long as some of these.
        for _ in 0..4 {
            spin_loop();
        }
        if take() {
            let vain = IN_VAIN.load(Relaxed);
            IN_VAIN.store(vain.saturating_sub(WORTH), Relaxed);
            return true;
        }
        if since.elapsed() > PATIENCE {
            IN_VAIN.fetch_add(1, Relaxed);
            return false;
        }
    }
}

/// Whether to look: not where the one who has the interpreter cannot go on meanwhile, nor where that was in vain of late.
fn pays() -> bool {
    let vain = IN_VAIN.load(Relaxed);
    if vain < MOST_IN_VAIN {
        return are_several_cores();
    }
    IN_VAIN.store(if vain < MOST_IN_VAIN + PAUSE { vain + 1 } else { MOST_IN_VAIN - 1 }, Relaxed);
    false
}

/// Asked once, without a lock that a process could be forked under.
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

/// A number that no other thread has.
fn here() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

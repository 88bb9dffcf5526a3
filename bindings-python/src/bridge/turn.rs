//! A moment of patience before a waiting call takes the interpreter back. Between two calls a thread mostly holds it for a few
//! microseconds; whoever comes meanwhile is put to sleep by the interpreter's own lock, and woken later than it was free. So it
//! looks a while itself first. This is no lock: who is not told apart here, or has looked in vain, asks for the interpreter.

use std::{
    hint::spin_loop,
    sync::atomic::{
        AtomicU8, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

/// How long is looked: what a thread does between two calls takes less, and to sleep and be woken more. That is also all that can
/// be lost by a call whose look is in vain, since threads work for longer between theirs: less than the call itself takes.
const PATIENCE: Duration = Duration::from_micros(5);

const NOBODY: usize = 0;

/// The thread that came back last, until it makes another call. It may have given the interpreter up long ago, for something
/// else than a call; who looks in vain takes its place.
static CAME: AtomicUsize = AtomicUsize::new(NOBODY);

/// A call has given the interpreter up.
pub(super) fn leave() {
    let _ = CAME.compare_exchange(here(), NOBODY, Release, Relaxed);
}

/// A call is about to take the interpreter back.
pub(super) fn come() {
    if take() || (are_several_cores() && look()) {
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
            return true;
        }
        if since.elapsed() > PATIENCE {
            return false;
        }
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
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

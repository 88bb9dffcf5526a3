//! Which process this is, for what must not be shared with one that is forked off. Asking the system takes a third of a
//! microsecond, and a call wants to know four times; so the answer is kept until the C library says that this is a child.
#![allow(unsafe_code, reason = "one function of the C library's, which has no safe form")]

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// This process's number; 0 while it is not known. No process has that.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// This process's number. A child that was made by the system's own call, past the C library, is taken for its parent; nothing
/// that allocates memory or takes a lock can be relied on in such a child.
#[must_use]
pub fn id() -> u32 {
    match NUMBER.load(Relaxed) {
        0 => asked(),
        number => number,
    }
}

#[cold]
fn asked() -> u32 {
    let number = std::process::id();
    if forks_are_told() {
        NUMBER.store(number, Relaxed);
    }
    number
}

/// Whether a child forgets its parent's number from here on. No lock is taken: another thread might hold it while this process
/// is forked, and the child would wait for ever.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn forks_are_told() -> bool {
    use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

    const UNASKED: u8 = 0;
    const ASKING: u8 = 1;
    const TOLD: u8 = 2;
    static STATE: AtomicU8 = AtomicU8::new(UNASKED);

    extern "C" fn forget() {
        NUMBER.store(0, Relaxed);
    }

    if STATE.compare_exchange(UNASKED, ASKING, SeqCst, SeqCst).is_ok() {
        // SAFETY: it is handed a function that lives as long as this code and only writes a number, as is allowed in a child of
        // a process with threads.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(forget)) };
        if refused == 0 {
            STATE.store(TOLD, SeqCst);
        }
    }
    STATE.load(SeqCst) == TOLD
}

/// Windows forks nothing; whatever else there is is asked each time.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn forks_are_told() -> bool {
    cfg!(windows)
}

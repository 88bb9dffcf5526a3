//! Which process this is, for what must not be shared with one that is forked off. Asking the system takes a third of a
//! microsecond, and a call wants to know four times; so the answer is kept until the C library says that this is a child.
#![allow(unsafe_code, reason = "one function of the C library's, which has no safe form")]

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// This process's number; 0 while it is not known. No process has that.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A `T` for each process that has this. In a child that was forked off, the one of its parent is as some thread left it that is not
/// there: what it held there is held for ever. So it gets one of its own, and of its parent's takes no lock.
#[derive(Debug)]
pub struct PerProcess<T> {
    process: u32,
    value: T,
    child: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    const fn of(process: u32, value: T) -> Self {
        Self { process, value, child: OnceLock::new() }
    }

    /// `value` is no process's own: for a static, which is there before any process asks.
    pub const fn nobodys(value: T) -> Self {
        Self::of(0, value)
    }

    /// `value` is this process's.
    pub fn new(value: T) -> Self {
        Self::of(id(), value)
    }

    /// This process's; where it has none yet, made by `anew` of its parent's.
    pub fn get(&self, anew: impl Fn(&T) -> T) -> &T {
        let process = id();
        let mut known = self;
        while known.process != process {
            known = known.child.get_or_init(|| Box::new(Self::of(process, anew(&known.value))));
        }
        &known.value
    }
}

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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_child_waits_for_no_lock_of_its_parents() {
        let parents = Mutex::new(1);
        let _held_by_another_thread = parents.lock().unwrap();
        // Such as a child finds it: no process has the number 0.
        let per_process = PerProcess::nobodys(&parents);
        let own = Box::leak(Box::new(Mutex::new(2)));
        assert_eq!(*per_process.get(|_| own).lock().unwrap(), 2);
        assert!(std::ptr::eq(*per_process.get(|_| unreachable!("it is there")), own));
        assert!(std::ptr::eq(
            *PerProcess::new(&parents).get(|_| unreachable!()),
            &raw const parents
        ));
    }
}

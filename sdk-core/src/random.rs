//! Random bytes that no other process has: a thread's generator is copied into a process that is forked off, where it
//! would go on with the same numbers, and two children with the same idempotency keys.

use std::cell::Cell;

use rand::Rng as _;
use uuid::Uuid;

use crate::process;

thread_local! {
    /// The process in which this thread's generator was seeded last; no process has the number 0.
    static SEEDED_IN: Cell<u32> = const { Cell::new(0) };
}

/// Bytes that cannot be guessed.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut generator = rand::rng();
    let process = process::id();
    if SEEDED_IN.replace(process) != process {
        generator.reseed().expect("the system gives random bytes");
    }
    let mut bytes = [0; N];
    generator.fill_bytes(&mut bytes);
    bytes
}

/// A UUIDv4.
pub(crate) fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(bytes()).into_uuid()
}

//! The allocator of what is Rust; JavaScript's objects have one of their own.
#![allow(
    unsafe_code,
    reason = "an allocator's trait, and functions that mimalloc's crate does not pass on"
)]

use std::{
    alloc::{GlobalAlloc, Layout},
    ffi::c_void,
};

use mimalloc::MiMalloc;

/// A tenth less CPU a call than the system's: answers are made on one thread and let go on another.
#[global_allocator]
static ALLOCATOR: Plain = Plain;

/// mimalloc as a C program calls it. Its crate asks for every block with its alignment, and a block of more than a kilobyte is then
/// a larger one whose size is no power of two and in which the right place is looked for, as it is when the block is freed.
struct Plain;

/// What every block is aligned to that is as large: `MI_MAX_ALIGN_SIZE`, the alignment of C's `max_align_t`.
const ALIGNED: usize = 16;

// SAFETY: mimalloc's own declarations, of the version that is linked into this library.
unsafe extern "C" {
    /// May be called on any thread.
    safe fn mi_collect(force: bool);
    safe fn mi_malloc(size: usize) -> *mut c_void;
    safe fn mi_zalloc(size: usize) -> *mut c_void;
    /// `block` is one of mimalloc's that was not freed.
    fn mi_realloc(block: *mut c_void, size: usize) -> *mut c_void;
}

/// Whether such a block is aligned without being asked to be. A smaller one is aligned to its own size.
fn is_plain(layout: Layout) -> bool {
    layout.align() <= ALIGNED && layout.align() <= layout.size()
}

// SAFETY: each block is one of mimalloc's with at least the size and the alignment of its layout: where it is no plain one,
// mimalloc's crate sees to that. Blocks of both kinds are freed by the same function.
unsafe impl GlobalAlloc for Plain {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            return mi_malloc(layout.size()).cast();
        }
        // SAFETY: the caller's promise is that one's.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_plain(layout) {
            return mi_zalloc(layout.size()).cast();
        }
        // SAFETY: the caller's promise is that one's.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is that one's.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= ALIGNED && layout.align() <= size {
            // SAFETY: the caller gives a block of this allocator's, which is mimalloc's.
            return unsafe { mi_realloc(block.cast(), size) }.cast();
        }
        // SAFETY: the caller's promise is that one's.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }
}

/// Gives memory that nobody uses any more back to the system: a thread that waits would keep what its last calls left.
pub(crate) fn give_back() {
    mi_collect(true);
}

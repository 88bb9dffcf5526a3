//! Room for the pieces of a file on their way to the network. It begins where a page of memory does, and is used again: a file needs
//! a few of them, however long it is.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

const PAGE: usize = 4096;

/// Buffers that nobody has at the moment. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Buffer>>>);

/// Room for a piece, from a page's beginning on.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    size: usize,
}

/// A buffer on its way. It returns to be filled again when the last who has it lets go of it.
struct Lent {
    buffer: Buffer,
    length: usize,
    home: Buffers,
}

impl Buffers {
    /// One with room for `size` bytes.
    pub(crate) fn take(&self, size: usize) -> Buffer {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.filter(|buffer| buffer.size == size).unwrap_or_else(|| Buffer::new(size))
    }

    /// The first `length` bytes of one.
    pub(crate) fn filled(&self, buffer: Buffer, length: usize) -> Bytes {
        Bytes::from_owner(Lent { buffer, length, home: self.clone() })
    }
}

impl Buffer {
    /// A file's pages are copied to where a page begins: AMD's processors need twice the time for a target that begins
    /// a few bytes into one, which is what the allocator gives.
    fn new(size: usize) -> Self {
        let bytes = vec![0; size + PAGE];
        let start = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        Self { bytes, start, size }
    }

    /// Where to read to.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.size]
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.bytes[self.buffer.start..][..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let buffer = Buffer { bytes: std::mem::take(&mut self.buffer.bytes), ..self.buffer };
        self.home.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

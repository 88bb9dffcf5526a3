//! A block of bytes on its way between the network and the disk. It begins where a page of memory does: the kernel copies
//! pages, and AMD's processors need up to three times as long for a copy whose other end begins a few bytes into one, as
//! what an allocator gives does.

use std::io::{self, Read};

use bytes::Bytes;

/// Bytes read or written at a time: fewer cost more in waking threads than in moving bytes.
const SIZE: usize = 512 * 1024;
const PAGE: usize = 4096;

/// Room for 512 KiB, taken from memory at its first use.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

impl Block {
    pub(super) fn is_full(&self) -> bool {
        self.length == SIZE
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// What is in it.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..][..self.length]
    }

    /// Takes as much of a piece as there is room for.
    pub(super) fn take(&mut self, piece: &mut Bytes) {
        self.settle();
        let taken = piece.split_to(piece.len().min(SIZE - self.length));
        let at = self.start + self.length;
        match self.bytes.get_mut(at..at + taken.len()) {
            Some(room) => room.copy_from_slice(&taken),
            None => {
                self.bytes.truncate(at);
                self.bytes.extend_from_slice(&taken);
            }
        }
        self.length += taken.len();
    }

    /// Reads anew; false at the end.
    pub(super) fn read(&mut self, from: &mut impl Read) -> io::Result<bool> {
        self.settle();
        self.bytes.resize(self.start + SIZE, 0);
        self.length = from.read(&mut self.bytes[self.start..])?;
        Ok(self.length > 0)
    }

    /// Finds where a page begins.
    fn settle(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(SIZE + PAGE);
            self.start = self.bytes.as_ptr().align_offset(PAGE).min(PAGE);
            self.bytes.resize(self.start, 0);
        }
    }
}

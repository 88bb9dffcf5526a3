//! A block of bytes on its way between the network and the disk. It begins where a page of memory does: the kernel copies
//! pages, and AMD's processors need up to three times as long for a copy whose other end begins a few bytes into one, as
//! what an allocator gives does.

use std::{
    io::{self, Read},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Bytes read or written at a time: fewer cost more in waking threads than in moving bytes.
const SIZE: usize = 512 * 1024;
const PAGE: usize = 4096;

/// Blocks that are kept for whoever comes next, 8 MiB: a new one's memory is had from the system page by page, which takes as long
/// as a small file's way through it.
const KEPT: usize = 16;

/// Room for 512 KiB, taken from memory at its first use.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
    /// Where its room goes when it is dropped.
    spare: Option<Spare>,
}

/// Room that nobody needs at the moment. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// An empty block, whose room comes from here and returns to here.
    pub(super) fn block(&self) -> Block {
        let mut block = Block::default();
        block.spare = Some(self.clone());
        block
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        if let Some(Spare(spare)) = self.spare.take().filter(|_| bytes.capacity() > 0) {
            let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < KEPT {
                spare.push(bytes);
            }
        }
    }
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
        self.length = 0;
        self.length = loop {
            match from.read(&mut self.bytes[self.start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        Ok(self.length > 0)
    }

    /// Finds where a page begins.
    fn settle(&mut self) {
        if self.bytes.capacity() == 0 {
            let spare = self.spare.as_ref().and_then(|Spare(spare)| {
                spare.lock().unwrap_or_else(PoisonError::into_inner).pop()
            });
            self.bytes = spare.unwrap_or_else(|| Vec::with_capacity(SIZE + PAGE));
            self.start = self.bytes.as_ptr().align_offset(PAGE).min(PAGE);
            self.bytes.resize(self.bytes.len().max(self.start), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_bytes_are_not_in_the_next_ones_block() {
        let spare = Spare::default();
        let mut first = spare.block();
        first.take(&mut Bytes::from(vec![1; SIZE]));
        assert!(first.is_full());
        drop(first);
        // The same room, then room of its own.
        for mut block in [spare.block(), spare.block()] {
            for bytes in [vec![2; 1000], vec![3; 5000]] {
                block.take(&mut Bytes::from(bytes));
            }
            assert_eq!(block.filled(), [vec![2; 1000], vec![3; 5000]].concat());
            assert_eq!(block.filled().as_ptr().align_offset(PAGE), 0);
        }
    }

    #[test]
    fn only_so_much_room_is_kept() {
        let spare = Spare::default();
        let full = || {
            let mut block = spare.block();
            block.take(&mut Bytes::from_static(b"bytes"));
            block
        };
        drop((0..2 * KEPT).map(|_| full()).collect::<Vec<_>>());
        assert_eq!(spare.0.lock().expect("nobody broke").len(), KEPT);
    }
}

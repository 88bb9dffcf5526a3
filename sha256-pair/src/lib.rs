//! SHA-256 of the same bytes for two hashes at once: a chunk's and that of the file which the chunk belongs to. A processor with
//! x86's SHA extensions waits for each of its rounds before it begins the next one; the rounds of a second hash fit into that
//! time, and both share what is made of the block beforehand. So two cost what one does on a processor that can begin such an
//! instruction every other cycle (AMD's), and half as much again on one that can every third (Intel's: it is ready after four).
//! Any other processor takes one after the other, and two cost what two do.
//!
//! It knows nothing of uploads: it is used by the client and by the local platform, which share no other code.

mod block;

use std::fmt;

const BLOCK: usize = 64;

/// What SHA-256 begins with (FIPS 180-4, 5.3.3).
const FIRST: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A SHA-256 as it grows.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// Bytes so far.
    length: u64,
    /// Those that fill no block yet, at its beginning.
    rest: [u8; BLOCK],
}

impl Sha256 {
    /// That of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { state: FIRST, length: 0, rest: [0; BLOCK] }
    }

    /// How many bytes it has seen.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        let bytes = self.fill(bytes);
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        block::one(&mut self.state, blocks);
        self.passed(blocks);
        self.fill(rest);
    }

    /// Takes the same bytes into this one and `other`. That costs as much as one of them while both have seen the same bytes, as a
    /// file and its first chunk have. Then two at once cost less than one after the other on a processor with x86's SHA
    /// extensions, if both are as far into a block as each other.
    pub fn update_both(&mut self, other: &mut Self, bytes: &[u8]) {
        if self.is_one_with(other) {
            self.update(bytes);
            other.clone_from(self);
            return;
        }
        if self.filled() != other.filled() {
            self.update(bytes);
            other.update(bytes);
            return;
        }
        other.fill(bytes);
        let bytes = self.fill(bytes);
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        block::both(&mut self.state, &mut other.state, blocks);
        self.passed(blocks);
        other.passed(blocks);
        self.fill(rest);
        other.fill(rest);
    }

    /// The digest.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.length.wrapping_mul(8);
        let zeros = (2 * BLOCK - 9 - self.filled()) % BLOCK;
        let mut end = [0; 2 * BLOCK];
        end[0] = 0x80;
        end[zeros + 1..zeros + 9].copy_from_slice(&bits.to_be_bytes());
        self.update(&end[..zeros + 9]);
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    /// Whether both have seen the same bytes.
    fn is_one_with(&self, other: &Self) -> bool {
        let filled = self.filled();
        self.length == other.length
            && self.state == other.state
            && self.rest[..filled] == other.rest[..filled]
    }

    fn filled(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Fills a block that was begun; what is left of the bytes then is to begin the next one.
    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let filled = self.filled();
        if filled == 0 && bytes.len() >= BLOCK {
            return bytes;
        }
        let (taken, left) = bytes.split_at(bytes.len().min(BLOCK - filled));
        self.rest[filled..filled + taken.len()].copy_from_slice(taken);
        self.length += taken.len() as u64;
        if filled + taken.len() == BLOCK {
            block::one(&mut self.state, &[self.rest]);
        }
        left
    }

    fn passed(&mut self, blocks: &[[u8; BLOCK]]) {
        self.length += (blocks.len() * BLOCK) as u64;
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The SHA-256 of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

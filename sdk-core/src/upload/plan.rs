//! How a file is cut: which way it goes, into which parts, and how large the next chunk is. Numbers in, numbers out.

use std::{ops::Range, time::Duration};

pub(crate) const MIB: u64 = 1024 * 1024;
/// Chunks are multiples of this.
const STEP: u64 = 256 * 1024;
/// Smaller files go as one multipart request.
pub(crate) const MULTIPART_BELOW: u64 = 16 * MIB;
/// The least and the most of a chunk.
const CHUNK: (u64, u64) = (5 * MIB, 64 * MIB);
/// The first chunk, before anything was measured.
const FIRST_CHUNK: u64 = 8 * MIB;
/// What a chunk should take.
const TAKES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(8));
/// The most parts: their addresses go into one header, of which proxies take 8 KiB.
const MOST_PARTS: u64 = 64;
const LEAST_PART: u64 = 8 * MIB;

/// The parts of a file, in order, without a gap. Each is by the same amount shorter than the one before it (trapezoid
/// self-scheduling), so that streams which take one after another come to their end together, and few parts are asked for.
pub(crate) fn parts(size: u64) -> Vec<Range<u64>> {
    // Half of what each of 16 streams has of it: with the last one as short as can be, they are fewer than twice as many.
    let first = (size / (MOST_PARTS / 2)).max(LEAST_PART);
    let last = LEAST_PART;
    let count = (2 * size).div_ceil(first + last).max(1);
    let mut start = 0;
    let part = |n: u64| {
        let shorter = (first - last) * n / (count - 1).max(1);
        // Rounded up, they come to the file's end no later; the last one has what is left.
        let end = match n + 1 == count {
            true => size,
            false => (start + (first - shorter).next_multiple_of(STEP)).min(size),
        };
        std::mem::replace(&mut start, end)..end
    };
    let mut parts: Vec<_> = (0..count).map(part).collect();
    // What was rounded up leaves nothing for those.
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        parts.push(0..0);
    }
    parts
}

/// The size of the next chunk, by how long the last ones took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkSize {
    now: u64,
    most: u64,
    fixed: bool,
}

impl ChunkSize {
    /// `given` is a size that the caller wants, which then only a 413 changes.
    pub(crate) fn new(given: Option<u64>) -> Self {
        let now = given.map_or(FIRST_CHUNK, |given| given.max(1));
        Self { now, most: CHUNK.1.max(now), fixed: given.is_some() }
    }

    /// Begins with the largest: what is sent to this machine is fast, and each chunk's end is a wait.
    pub(crate) fn near(&mut self) {
        if !self.fixed {
            self.now = self.most.min(CHUNK.1);
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.now
    }

    /// A chunk of the whole size took this long.
    pub(crate) fn took(&mut self, bytes: u64, time: Duration) {
        if self.fixed || bytes < self.now {
            return;
        }
        let wanted = if time < TAKES.0 {
            self.now * 2
        } else if time > TAKES.1 {
            self.now / 2
        } else {
            return;
        };
        let most = self.most.min(CHUNK.1);
        self.now = (wanted / STEP * STEP).clamp(CHUNK.0.min(most), most);
    }

    /// The platform refused a chunk of `bytes` as too large (413): smaller ones from here on, or nothing is left to try.
    pub(crate) fn too_large(&mut self, bytes: u64) -> bool {
        if bytes <= STEP {
            return false;
        }
        self.most = self.most.min((bytes / 2 / STEP * STEP).max(STEP));
        self.now = self.now.min(self.most);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_cover_the_file_without_gap_or_overlap(size in 0..1_u64 << 44) {
            let parts = parts(size);
            prop_assert!(parts.len() as u64 <= MOST_PARTS);
            prop_assert_eq!(parts[0].start, 0);
            prop_assert_eq!(parts.last().unwrap().end, size);
            for pair in parts.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
                prop_assert_eq!(pair[1].start % STEP, 0);
            }
        }

        #[test]
        fn parts_become_shorter_and_the_first_is_no_more_than_half_a_streams_share(
            size in 0..1_u64 << 44,
        ) {
            let lengths: Vec<_> = parts(size).iter().map(|part| part.end - part.start).collect();
            prop_assert!(lengths[0] <= (size / 32).max(LEAST_PART) + STEP);
            // By less than a step they may differ the other way: each is rounded by itself.
            for pair in lengths.windows(2) {
                prop_assert!(pair[1] < pair[0] + STEP);
            }
            prop_assert!(lengths[lengths.len() - 1] <= LEAST_PART + lengths[0] / 8);
        }

        #[test]
        fn chunks_stay_within_their_bounds(times in prop::collection::vec(0_u64..20_000, 0..50)) {
            let mut chunk = ChunkSize::new(None);
            for ms in times {
                chunk.took(chunk.bytes(), Duration::from_millis(ms));
                prop_assert!((CHUNK.0..=CHUNK.1).contains(&chunk.bytes()));
                prop_assert_eq!(chunk.bytes() % STEP, 0);
            }
        }
    }

    #[test]
    fn the_parts_of_a_large_file_begin_large_and_end_small() {
        let lengths = |mib: u64| -> Vec<u64> {
            parts(mib * MIB).iter().map(|part| (part.end - part.start) / MIB).collect()
        };
        assert_eq!(lengths(20), [8, 8, 4]);
        assert_eq!(lengths(256), [8; 32]);
        let large = lengths(2048);
        assert_eq!((large.len(), large[0], large[large.len() / 2]), (57, 64, 36));
        assert_eq!(large[large.len() - 1], 4);
    }

    #[test]
    fn chunks_grow_on_a_fast_line_and_shrink_on_a_slow_one() {
        let mut chunk = ChunkSize::new(None);
        for expected in [16, 32, 64, 64] {
            chunk.took(chunk.bytes(), Duration::from_secs(1));
            assert_eq!(chunk.bytes(), expected * MIB);
        }
        chunk.took(chunk.bytes(), Duration::from_secs(5));
        assert_eq!(chunk.bytes(), 64 * MIB);
        for expected in [32, 16, 8, 5, 5] {
            chunk.took(chunk.bytes(), Duration::from_secs(9));
            assert_eq!(chunk.bytes(), expected * MIB);
        }
    }

    #[test]
    fn a_refused_size_is_not_tried_again() {
        let mut chunk = ChunkSize::new(None);
        assert!(chunk.too_large(8 * MIB));
        chunk.took(chunk.bytes(), Duration::ZERO);
        assert_eq!(chunk.bytes(), 4 * MIB);
        while chunk.too_large(chunk.bytes()) {}
        assert_eq!(chunk.bytes(), STEP);
    }
}

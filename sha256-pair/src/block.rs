//! Blocks into one state, and into two at once: with the processor's own instructions where two gain by them, by the crate
//! `sha2` otherwise.

use crate::BLOCK;

pub(crate) fn one(state: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
    sha2::block_api::compress256(state, blocks);
}

pub(crate) fn both(a: &mut [u32; 8], b: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    if x86::is_there() {
        return x86::both(a, b, blocks);
    }
    each(a, b, blocks);
}

/// Both, one after the other.
fn each(a: &mut [u32; 8], b: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
    one(a, blocks);
    one(b, blocks);
}

/// Intel's SHA extensions, which AMD's processors since 2017 and Intel's since 2019 have.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod x86 {
    #[cfg(target_arch = "x86")]
    use std::arch::x86 as arch;
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64 as arch;

    use arch::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi8, _mm_set_epi32,
        _mm_set_epi64x, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
        _mm_shuffle_epi8, _mm_shuffle_epi32,
    };

    use crate::BLOCK;

    /// The constants of the rounds (FIPS 180-4, 4.2.2), four at a time.
    const K: [[u32; 4]; 16] = [
        [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
        [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
        [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
        [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
        [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
        [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
        [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
        [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
        [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
        [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
        [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
        [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
        [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
        [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
        [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
        [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
    ];

    /// Whether this processor has what [`both`] needs.
    pub(super) fn is_there() -> bool {
        // The answer is kept by the standard library.
        is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse2")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1")
    }

    #[allow(unsafe_code, reason = "instructions that not every processor has")]
    pub(super) fn both(a: &mut [u32; 8], b: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
        assert!(is_there(), "asked for before this is called");
        // SAFETY: the processor has every feature that the function is compiled for.
        unsafe { advance(a, b, blocks) }
    }

    /// A state as the instructions have it: the words a, b, e and f together, and c, d, g and h.
    #[derive(Clone, Copy)]
    struct State {
        abef: __m128i,
        cdgh: __m128i,
    }

    impl State {
        #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
        fn of([a, b, c, d, e, f, g, h]: [u32; 8]) -> Self {
            Self { abef: words([f, e, b, a]), cdgh: words([h, g, d, c]) }
        }

        #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
        fn words(self) -> [u32; 8] {
            let [f, e, b, a] = parts(self.abef);
            let [h, g, d, c] = parts(self.cdgh);
            [a, b, c, d, e, f, g, h]
        }

        #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
        #[inline]
        fn add(&mut self, before: Self) {
            self.abef = _mm_add_epi32(self.abef, before.abef);
            self.cdgh = _mm_add_epi32(self.cdgh, before.cdgh);
        }
    }

    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn advance(a: &mut [u32; 8], b: &mut [u32; 8], blocks: &[[u8; BLOCK]]) {
        let (mut one, mut two) = (State::of(*a), State::of(*b));
        for block in blocks {
            let before = (one, two);
            let [mut w0, mut w1, mut w2, mut w3] = message(block);
            let (first, later) = K.split_at(4);
            for (w, k) in [w0, w1, w2, w3].into_iter().zip(first) {
                four_rounds(&mut one, &mut two, w, *k);
            }
            // Written out, since the words then stay in registers.
            for k in later.as_chunks::<4>().0 {
                w0 = next_words(w0, w1, w2, w3);
                four_rounds(&mut one, &mut two, w0, k[0]);
                w1 = next_words(w1, w2, w3, w0);
                four_rounds(&mut one, &mut two, w1, k[1]);
                w2 = next_words(w2, w3, w0, w1);
                four_rounds(&mut one, &mut two, w2, k[2]);
                w3 = next_words(w3, w0, w1, w2);
                four_rounds(&mut one, &mut two, w3, k[3]);
            }
            one.add(before.0);
            two.add(before.1);
        }
        (*a, *b) = (one.words(), two.words());
    }

    /// Four rounds of both, of four words of the message and the constants that go with them.
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    #[inline]
    fn four_rounds(one: &mut State, two: &mut State, w: __m128i, k: [u32; 4]) {
        let first = _mm_add_epi32(w, words(k));
        let last = _mm_shuffle_epi32::<0x0E>(first);
        // In turns: while one waits for its last rounds, the other begins its own.
        one.cdgh = _mm_sha256rnds2_epu32(one.cdgh, one.abef, first);
        two.cdgh = _mm_sha256rnds2_epu32(two.cdgh, two.abef, first);
        one.abef = _mm_sha256rnds2_epu32(one.abef, one.cdgh, last);
        two.abef = _mm_sha256rnds2_epu32(two.abef, two.cdgh, last);
    }

    /// The four words that follow sixteen: each of those 16, 15, 7 and 2 before it (FIPS 180-4, 6.2.2).
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    #[inline]
    fn next_words(w0: __m128i, w1: __m128i, w2: __m128i, w3: __m128i) -> __m128i {
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
        _mm_sha256msg2_epu32(sum, w3)
    }

    /// A block's sixteen words.
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    #[inline]
    fn message(block: &[u8; BLOCK]) -> [__m128i; 4] {
        let swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        let (quarters, _) = block.as_chunks::<8>();
        let half = |n: usize| i64::from_le_bytes(quarters[n]);
        [0, 2, 4, 6].map(|n| _mm_shuffle_epi8(_mm_set_epi64x(half(n + 1), half(n)), swap))
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn words([a, b, c, d]: [u32; 4]) -> __m128i {
        _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
    }

    #[target_feature(enable = "sse4.1")]
    fn parts(words: __m128i) -> [u32; 4] {
        [
            _mm_extract_epi32::<0>(words),
            _mm_extract_epi32::<1>(words),
            _mm_extract_epi32::<2>(words),
            _mm_extract_epi32::<3>(words),
        ]
        .map(i32::cast_unsigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FIRST;

    /// The second is one block behind, as a chunk is behind its file. Without the instructions both ways are the same.
    #[test]
    fn two_at_once_and_one_after_the_other_are_the_same() {
        let mut blocks = [[0; BLOCK]; 5];
        for (n, byte) in blocks.as_flattened_mut().iter_mut().enumerate() {
            *byte = (n * 31 + n / 251) as u8;
        }
        let (first, rest) = blocks.split_at(1);
        let mut file = FIRST;
        one(&mut file, first);
        let (mut a, mut b) = ((file, FIRST), (file, FIRST));
        both(&mut a.0, &mut a.1, rest);
        each(&mut b.0, &mut b.1, rest);
        assert_eq!(a, b);
        let mut expected = (FIRST, FIRST);
        sha2::block_api::compress256(&mut expected.0, &blocks);
        sha2::block_api::compress256(&mut expected.1, rest);
        assert_eq!(b, expected);
    }
}

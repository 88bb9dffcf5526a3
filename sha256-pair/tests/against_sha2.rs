//! Every digest is the one that the crate `sha2` gives, however the bytes come and wherever a chunk begins in its file.

use proptest::prelude::*;
use sha2::Digest as _;
use storycore_sha256_pair::{Sha256, digest};

fn expected(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8).collect()
}

#[test]
fn every_length_up_to_some_blocks_is_hashed_as_sha2_does() {
    for length in 0..=520 {
        assert_eq!(digest(&bytes(length)), expected(&bytes(length)), "{length} bytes");
    }
}

#[test]
fn a_chunk_and_its_file_are_hashed_together_wherever_the_chunk_begins() {
    let file = bytes(1000);
    for begin in 0..=200 {
        let mut whole = Sha256::new();
        whole.update(&file[..begin]);
        let mut chunk = Sha256::new();
        whole.update_both(&mut chunk, &file[begin..]);
        assert_eq!(chunk.length(), file[begin..].len() as u64);
        assert_eq!(whole.finish(), expected(&file), "a file whose chunk begins at {begin}");
        assert_eq!(chunk.finish(), expected(&file[begin..]), "a chunk that begins at {begin}");
    }
}

#[test]
fn two_that_are_as_long_as_each_other_and_saw_other_bytes_stay_two() {
    let file = bytes(1000);
    for (begin, length) in [(1, 10), (10, 63), (64, 64), (100, 200)] {
        let (mut one, mut two) = (Sha256::new(), Sha256::new());
        one.update(&file[..length]);
        two.update(&file[begin..][..length]);
        one.update_both(&mut two, &file);
        assert_eq!(one.finish(), expected(&[&file[..length], &file].concat()));
        assert_eq!(two.finish(), expected(&[&file[begin..][..length], &file].concat()));
    }
}

#[test]
fn a_million_letters_have_the_digest_of_the_standard() {
    let digest: String =
        digest(&vec![b'a'; 1_000_000]).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

proptest! {
    #[test]
    fn pieces_of_any_size_make_the_same_digests(
        file in prop::collection::vec(any::<u8>(), 0..2000),
        cuts in prop::collection::vec(0..2000_usize, 0..8),
        begin in 0..4_usize,
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(file.len())).collect();
        cuts.sort_unstable();
        cuts.push(file.len());
        // What went before the chunk: nothing, whole blocks, or not.
        let before = &bytes(500)[..[0, 64, 320, 77][begin]];
        let (mut whole, mut chunk, mut alone) = (Sha256::new(), Sha256::new(), Sha256::new());
        whole.update(before);
        let mut at = 0;
        for cut in cuts {
            let mut copy = alone.clone();
            whole.update_both(&mut chunk, &file[at..cut]);
            alone.update(&file[at..cut]);
            copy.update(&file[at..cut]);
            prop_assert_eq!(copy.finish(), expected(&file[..cut]));
            at = cut;
        }
        prop_assert_eq!(alone.finish(), expected(&file));
        prop_assert_eq!(chunk.finish(), expected(&file));
        prop_assert_eq!(whole.finish(), expected(&[before, &file].concat()));
    }
}

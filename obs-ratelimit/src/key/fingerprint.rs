use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use super::{LONGEST, Parts};

/// The secret of a process's tables: without it nobody can choose keys that share a cell.
///
/// Every constant that foldhash mixes with is drawn from it. Its fixed ones are public, and a key
/// whose bytes are one of them would make a factor zero and share its fingerprint with all keys
/// that do the same, whatever the rest of the seed is. Fingerprints never leave the process, so a
/// caller has nothing to learn the secret from.
#[derive(Clone)]
pub(crate) struct TableSeed {
    hasher: u64,
    shared: SharedSeed,
}

impl TableSeed {
    pub(crate) fn new(hasher: u64, shared: u64) -> Self {
        Self { hasher, shared: SharedSeed::from_u64(shared) }
    }

    /// A key without parts yet.
    #[inline]
    pub(crate) fn fingerprint(&self) -> Fingerprint<'_> {
        let hasher = FoldHasher::with_seed(self.hasher, &self.shared);
        Fingerprint { hasher, misses_a_part: false }
    }
}

/// The parts of one key as 64 bits, which are the key's identity in a table.
///
/// Two of `n` keys share them with a probability of about `n * n / 2^65`: three in a hundred million
/// for a million keys. Each part goes in with its tag and its length, so that different parts are
/// never the same input.
pub(crate) struct Fingerprint<'a> {
    hasher: FoldHasher<'a>,
    misses_a_part: bool,
}

/// In place of a length: the part is longer than is told, or absent.
const OVERSIZED: u32 = 0xfffe;
const ABSENT: u32 = 0xffff;

impl Fingerprint<'_> {
    /// Whether a part was absent.
    #[inline]
    pub(crate) const fn misses_a_part(&self) -> bool {
        self.misses_a_part
    }

    #[inline]
    pub(crate) fn finish(&self) -> u64 {
        self.hasher.finish()
    }
}

impl Parts for Fingerprint<'_> {
    #[inline]
    fn push(&mut self, tag: u8, part: &[u8]) {
        let tag = u32::from(tag) << 16;
        if part.len() > LONGEST {
            return self.hasher.write_u32(tag | OVERSIZED);
        }
        self.hasher.write_u32(tag | part.len() as u32);
        self.hasher.write(part);
    }

    #[inline]
    fn push_absent(&mut self, tag: u8) {
        self.misses_a_part = true;
        self.hasher.write_u32(u32::from(tag) << 16 | ABSENT);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn of(seed: &TableSeed, parts: &[Vec<u8>]) -> u64 {
        let mut fingerprint = seed.fingerprint();
        for part in parts {
            fingerprint.push(1, part);
        }
        fingerprint.finish()
    }

    proptest! {
        #[test]
        fn rl_41_different_parts_have_different_fingerprints(
            a in prop::collection::vec(prop::collection::vec(0_u8..3, 0..4), 0..=6),
            b in prop::collection::vec(prop::collection::vec(0_u8..3, 0..4), 0..=6),
            seed: (u64, u64),
        ) {
            let seed = TableSeed::new(seed.0, seed.1);
            prop_assert_eq!(of(&seed, &a) == of(&seed, &b), a == b);
        }
    }

    #[test]
    fn rl_42_parts_beyond_the_longest_are_one_part_and_an_absent_one_is_not_empty() {
        let seed = TableSeed::new(1, 2);
        let long = |fill, length| of(&seed, &[vec![fill; length]]);
        assert_ne!(long(b'a', LONGEST), long(b'b', LONGEST));
        assert_eq!(long(b'a', LONGEST + 1), long(b'b', 3 * LONGEST));
        let (mut absent, mut empty) = (seed.fingerprint(), seed.fingerprint());
        absent.push_absent(1);
        empty.push(1, b"");
        assert_ne!(absent.finish(), empty.finish());
        assert!(absent.misses_a_part() && !empty.misses_a_part());
    }

    /// Under a hash whose constants are known, the keys below would all have one fingerprint.
    #[test]
    fn rl_44_keys_made_of_the_hash_functions_own_constants_do_not_share_a_fingerprint() {
        // What foldhash 0.2 mixes the second half of 16 bytes with, unless it is told otherwise.
        let public = 0x3f84_d5b5_b547_0917_u64;
        let key = |front: u64| [front.to_le_bytes(), public.to_le_bytes()].concat();
        let seed = TableSeed::new(3, 4);
        let seen: HashSet<u64> = (0..64).map(|front| of(&seed, &[key(front)])).collect();
        assert_eq!(seen.len(), 64);
    }

    #[test]
    fn rl_44_each_half_of_the_seed_changes_every_fingerprint() {
        let key = [b"acme".to_vec()];
        let seeds = [(1, 1), (1, 2), (2, 1), (2, 2)];
        let seen: HashSet<u64> = seeds
            .iter()
            .map(|(hasher, shared)| of(&TableSeed::new(*hasher, *shared), &key))
            .collect();
        assert_eq!(seen.len(), seeds.len());
    }
}

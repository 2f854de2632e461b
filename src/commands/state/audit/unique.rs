//! Whether any row is there twice, in bounded memory: hashes of 128 bits, sorted. What does not fit waits for another pass.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use types::Micros;

/// Hashes of the rows of one share of all; with each doubling of the number of shares, half of them goes.
#[derive(Debug)]
pub(super) struct Unique {
    hashes: Vec<u128>,
    most: usize,
    /// There are 2 to this many shares.
    bits: u32,
    share: u128,
}

/// Windows that are there more than once: how many rows too many, and some of their hashes.
#[derive(Debug, Default)]
pub(super) struct Twice {
    pub(super) rows: u64,
    pub(super) examples: BTreeMap<u128, Vec<String>>,
}

const EXAMPLES: usize = 10;
const BITS_MAX: u32 = 20;

/// Two hashes of 64 bits with different beginnings: nobody chooses device names so that they meet.
pub(super) fn hash_of(device: &str, sensor: Option<&str>, window_start: Micros) -> u128 {
    let half = |beginning: u64| {
        let mut hasher = DefaultHasher::new();
        (beginning, device, sensor, window_start).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

impl Unique {
    pub(super) fn new(mib: usize) -> Self {
        let most = (mib << 20) / size_of::<u128>();
        Unique { hashes: Vec::new(), most: most.max(1), bits: 0, share: 0 }
    }

    pub(super) fn add(&mut self, hash: u128) {
        if !self.is_ours(hash) {
            return;
        }
        // The first pass finds out how many shares there must be.
        while self.hashes.len() >= self.most && self.share == 0 && self.bits < BITS_MAX {
            self.bits += 1;
            let (bits, share) = (self.bits, self.share);
            self.hashes.retain(|hash| share_of(*hash, bits) == share);
        }
        if self.is_ours(hash) {
            self.hashes.push(hash);
        }
    }

    fn is_ours(&self, hash: u128) -> bool {
        share_of(hash, self.bits) == self.share
    }

    /// Ends a pass. Whether there is another one to make.
    pub(super) fn next(&mut self, twice: &mut Twice) -> bool {
        self.hashes.sort_unstable();
        for pair in self.hashes.windows(2).filter(|pair| pair[0] == pair[1]) {
            twice.rows += 1;
            if twice.examples.len() < EXAMPLES {
                twice.examples.entry(pair[0]).or_default();
            }
        }
        self.hashes.clear();
        self.share += 1;
        self.share < 1 << self.bits
    }
}

fn share_of(hash: u128, bits: u32) -> u128 {
    if bits == 0 { 0 } else { hash >> (128 - bits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_is_found_in_however_many_passes() {
        for most in [1, 10, 64, 1000, 1_000_000] {
            let mut unique = Unique { hashes: Vec::new(), most, bits: 0, share: 0 };
            let mut twice = Twice::default();
            let mut passes = 0;
            loop {
                passes += 1;
                for row in (0..1000).chain([7, 7, 999]) {
                    unique.add(hash_of("device", Some("sensor"), row));
                }
                if !unique.next(&mut twice) {
                    break;
                }
            }
            assert_eq!(twice.rows, 3, "{most}");
            let expected = [7, 999].map(|row| hash_of("device", Some("sensor"), row));
            assert!(twice.examples.keys().all(|hash| expected.contains(hash)) && twice.examples.len() == 2);
            assert_eq!(passes == 1, most > 1003, "{most}: {passes}");
        }
    }

    #[test]
    fn no_part_of_a_key_runs_into_the_next() {
        let rows =
            [("ab", Some("c"), 0), ("a", Some("bc"), 0), ("abc", None, 0), ("abc", Some(""), 0), ("ab", Some("c"), 1)];
        let hashes: std::collections::BTreeSet<_> = rows.map(|(d, s, t)| hash_of(d, s, t)).into();
        assert_eq!(hashes.len(), rows.len());
    }
}

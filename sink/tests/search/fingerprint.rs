//! 128 bits that stand for a state of the world. Writers are alike, so their order does not count.
//!
//! Two different states with one fingerprint would hide one of them: with 10^8 states the chance is about 10^-23.

use std::hash::{Hash, Hasher};

use crate::world::World;

pub(crate) fn of(world: &World) -> u128 {
    let mut writers: Vec<u128> = world.writers.iter().map(|writer| writer.fingerprint).collect();
    writers.sort_unstable();
    let mut whole = Wide::default();
    world.store.hash(&mut whole);
    writers.iter().for_each(|writer| whole.write_u128(*writer));
    whole.finish_wide()
}

pub(crate) fn one(value: &impl Hash) -> u128 {
    let mut wide = Wide::default();
    value.hash(&mut wide);
    wide.finish_wide()
}

/// Two halves that mix the same words in different ways, each step reversible.
struct Wide {
    one: u64,
    other: u64,
}

impl Default for Wide {
    fn default() -> Self {
        Wide { one: 0x9ae1_6a3b_2f90_404f, other: 0xc949_d7c7_509e_6557 }
    }
}

impl Wide {
    fn mix(&mut self, word: u64) {
        self.one = (self.one ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.one ^= self.one >> 29;
        self.other = (self.other.rotate_left(23) ^ word.rotate_left(17)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        self.other ^= self.other >> 32;
    }

    fn finish_wide(&self) -> u128 {
        u128::from(finalised(self.one)) << 64 | u128::from(finalised(self.other))
    }
}

fn finalised(mut word: u64) -> u64 {
    word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(value.into());
    }

    fn write_u128(&mut self, value: u128) {
        self.mix(value as u64);
        self.mix((value >> 64) as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.finish_wide() as u64
    }
}

/// For tables of fingerprints, which need no hashing.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

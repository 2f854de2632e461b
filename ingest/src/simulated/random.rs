//! Random numbers from a seed, the same on every machine.
//!
//! Every use has a stream of its own, named by what it decides, so that a new use does not move the others.
//! The numbers of [`Domain`] stay: they are part of what a seed means.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers decides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Domain {
    Habits = 1,
    Faulty = 2,
    Device = 3,
    Readings = 4,
    Fault = 5,
    Outage = 6,
}

pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64, domain: Domain, device: u32, block: i64) -> Self {
        let mut key = [0; 32];
        for (slot, number) in
            key.chunks_exact_mut(8).zip([seed, domain as u64, u64::from(device), block.cast_unsigned()])
        {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        Random(ChaCha8Rng::from_seed(key))
    }

    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `bound - 1`; 0 if the bound is 0.
    #[inline]
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        scale(self.bits(), bound)
    }

    /// A time from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0);
        low.saturating_add_unsigned(self.below(span.saturating_add(1)))
    }

    /// From 0 up to, not including, 1.
    pub(super) fn unit(&mut self) -> f64 {
        unit(self.bits())
    }

    /// See [`bell`].
    pub(super) fn bell(&mut self) -> f64 {
        let (a, b) = (self.bits(), self.bits());
        bell(a, b)
    }
}

/// 64 random bits as a number below `bound`.
#[inline]
pub(super) fn scale(bits: u64, bound: u64) -> u64 {
    // The high half of a product of two 64-bit numbers is below either.
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// 64 random bits as a number from 0 up to, not including, 1.
#[inline]
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Noise of mean 0 and standard deviation 1: the sum of eight uniform numbers, which needs no logarithm. Its tails end
/// at 4.9 standard deviations.
#[inline]
pub(super) fn bell(a: u64, b: u64) -> f64 {
    /// One over the root of 8/12, the standard deviation of the sum.
    const SCALE: f64 = 1.224_744_871_391_589;
    let halves = |bits: u64| (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    // Eight numbers of 0..=65535 have the mean 4 x 65535.
    (((halves(a) + halves(b)) as f64 - 262_140.0) / 65_536.0) * SCALE
}

/// A sine wave: `turns` full turns, from 0 to 1 for one period. Polynomial, good to five digits.
#[inline]
pub(super) fn wave(turns: f64) -> f64 {
    let mut x = turns - turns.floor();
    // Fold the period to the rising quarter turns around 0, where few terms are enough.
    if x > 0.75 {
        x -= 1.0;
    } else if x > 0.25 {
        x = 0.5 - x;
    }
    let x = x * std::f64::consts::TAU;
    let square = x * x;
    x * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wave_is_a_sine() {
        for step in -2000..2000 {
            let turns = f64::from(step) / 700.0;
            let sine = (turns * std::f64::consts::TAU).sin();
            assert!((wave(turns) - sine).abs() < 1e-5, "{turns}: {} {sine}", wave(turns));
        }
    }

    #[test]
    fn noise_has_mean_zero_and_deviation_one() {
        let mut random = Random::new(7, Domain::Readings, 0, 0);
        let (mut sum, mut squares) = (0.0, 0.0);
        let n = 100_000;
        for _ in 0..n {
            let x = random.bell();
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.02, "{sum}");
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02, "{squares}");
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        let mut random = Random::new(7, Domain::Device, 3, -1);
        for bound in [0, 1, 2, 10, u64::MAX] {
            assert!(random.below(bound) < bound.max(1));
        }
        assert_eq!(random.between(5, 5), 5);
        assert_eq!(random.between(5, 4), 5);
        assert!((0.0..1.0).contains(&unit(u64::MAX)));
    }
}

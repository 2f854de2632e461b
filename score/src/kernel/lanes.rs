//! The vector path: sixteen support vectors at a time, with whatever registers the machine has.
//!
//! Plain loops over `[f64; 16]` that the compiler turns into vector code, compiled once for AVX-512, once for AVX2 with
//! fused multiply-add and once for any machine; which is used is found out at run time. A block of 16 is much faster
//! than one of 8 or 32 (it unrolls and still fits the registers). `exp` is a polynomial, so that it is vector code too.

use multiversion::multiversion;

use super::{Job, LANES, Lanes, Shape, exact};
use crate::Kernel;

/// One sum for each job; `sums` has as many places as there are jobs.
pub(super) fn sums(lanes: &[Lanes], z: &[f64], jobs: &[Job], sums: &mut [f64]) {
    if has_fused() { sums_fused(lanes, z, jobs, sums) } else { sums_portable(lanes, z, jobs, sums) }
}

/// Without the instruction a fused multiply-add is a call into the C library: then it must not be used.
fn has_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

#[multiversion(targets("x86_64+avx512f+avx512dq+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
fn sums_fused(lanes: &[Lanes], z: &[f64], jobs: &[Job], sums: &mut [f64]) {
    run::<true>(lanes, z, jobs, sums);
}

pub(super) fn sums_portable(lanes: &[Lanes], z: &[f64], jobs: &[Job], sums: &mut [f64]) {
    run::<false>(lanes, z, jobs, sums);
}

#[inline(always)]
fn run<const FUSED: bool>(lanes: &[Lanes], z: &[f64], jobs: &[Job], sums: &mut [f64]) {
    for (job, sum) in jobs.iter().zip(sums) {
        let (shape, z) = (&job.shape, job.shape.z(z, job.z));
        *sum = if shape.is_exact() { exact::sum(shape, lanes, z) } else { fold::<FUSED>(shape, lanes, z) };
    }
}

// No closures from here on: what is not inlined by force is compiled for any machine, and slow on this one.

#[inline(always)]
fn fold<const FUSED: bool>(shape: &Shape, lanes: &[Lanes], z: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (features, coefficients) in shape.blocks(lanes) {
        let values = match shape.kernel {
            Kernel::Rbf { gamma } => rbf::<FUSED>(features, z, gamma),
            Kernel::Linear => dot::<FUSED>(features, z),
            Kernel::Poly { gamma, coef0, degree } => poly::<FUSED>(features, z, gamma, coef0, degree),
            Kernel::Sigmoid { .. } => [f64::NAN; LANES], // takes the exact path
        };
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = add_product::<FUSED>(coefficients.0[lane], values[lane], *sum);
        }
    }
    // Halves onto halves: the same tree of additions on every machine.
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0]
}

#[inline(always)]
fn rbf<const FUSED: bool>(features: &[Lanes], z: &[f64], gamma: f64) -> [f64; LANES] {
    let mut squares = [0.0; LANES];
    for (feature, &z) in features.iter().zip(z) {
        for (lane, square) in squares.iter_mut().enumerate() {
            let difference = z - feature.0[lane];
            *square = add_product::<FUSED>(difference, difference, *square);
        }
    }
    for square in &mut squares {
        *square *= -gamma;
    }
    exp::<FUSED>(squares)
}

#[inline(always)]
fn poly<const FUSED: bool>(features: &[Lanes], z: &[f64], gamma: f64, coef0: f64, degree: u32) -> [f64; LANES] {
    let mut values = dot::<FUSED>(features, z);
    for value in &mut values {
        *value = exact::power(gamma * *value + coef0, degree);
    }
    values
}

#[inline(always)]
fn dot<const FUSED: bool>(features: &[Lanes], z: &[f64]) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (feature, &z) in features.iter().zip(z) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = add_product::<FUSED>(z, feature.0[lane], *sum);
        }
    }
    sums
}

#[inline(always)]
fn add_product<const FUSED: bool>(a: f64, b: f64, sum: f64) -> f64 {
    if FUSED { a.mul_add(b, sum) } else { a * b + sum }
}

/// Below this the result would no longer be a normal number; what is smaller counts as this much, about 3e-308.
const LEAST: f64 = -708.0;
/// 1.5 · 2^52: adding it leaves the nearest whole number in the low bits of the sum.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts; the first has trailing zeros, so that its product with a small whole number is exact (Cody and Waite).
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1/k! from k = 13 down to 0: on |r| <= ln 2 / 2 the series is cut off below the last bit.
const SERIES: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

/// `exp` of numbers that are not above 0, within one unit in the last place.
#[inline(always)]
pub(super) fn exp<const FUSED: bool>(x: [f64; LANES]) -> [f64; LANES] {
    let mut result = [0.0; LANES];
    for (result, x) in result.iter_mut().zip(x) {
        let x = x.max(LEAST);
        // x = n · ln 2 + r with |r| <= ln 2 / 2.
        let shifted = add_product::<FUSED>(x, std::f64::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = add_product::<FUSED>(n, -LN_2_LOW, add_product::<FUSED>(n, -LN_2_HIGH, x));
        let mut series = SERIES[0];
        for coefficient in &SERIES[1..] {
            series = add_product::<FUSED>(series, r, *coefficient);
        }
        // n is at least -1022, so the biased exponent is positive: 2^n by its bits.
        let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
        *result = series * power;
    }
    result
}

//! The scalar path: scikit-learn's order of operations, the C library's `exp`.
//!
//! One term after the other, features in order, nothing fused: on the reference data every decision comes out bit for
//! bit. It is not much slower than the other path for models of a few support vectors.

use super::{LANES, Lanes, Shape};
use crate::Kernel;

#[inline(never)]
pub(super) fn sum(shape: &Shape, lanes: &[Lanes], z: &[f64]) -> f64 {
    match shape.kernel {
        Kernel::Rbf { gamma } => fold(shape, lanes, |features, lane| (-gamma * distance(features, lane, z)).exp()),
        Kernel::Linear => fold(shape, lanes, |features, lane| dot(features, lane, z)),
        Kernel::Poly { gamma, coef0, degree } => {
            fold(shape, lanes, |features, lane| power(gamma * dot(features, lane, z) + coef0, degree))
        }
        Kernel::Sigmoid { gamma, coef0 } => {
            fold(shape, lanes, |features, lane| (gamma * dot(features, lane, z) + coef0).tanh())
        }
    }
}

/// See [`super::log_sum`].
pub(super) fn log_sum(shape: &Shape, lanes: &[Lanes], z: &[f64]) -> f64 {
    let Kernel::Rbf { gamma } = shape.kernel else { return f64::NAN };
    let exponents = || {
        terms(shape, lanes).filter(|&(_, _, coefficient)| coefficient > 0.0).map(
            move |(features, lane, coefficient)| {
                let exponent = coefficient.ln() - gamma * distance(features, lane, z);
                exponent.max(-f64::MAX)
            },
        )
    };
    let largest = exponents().fold(-f64::MAX, f64::max);
    largest + exponents().map(|exponent| (exponent - largest).exp()).sum::<f64>().ln()
}

fn fold(shape: &Shape, lanes: &[Lanes], kernel: impl Fn(&[Lanes], usize) -> f64) -> f64 {
    let mut sum = 0.0;
    for (features, lane, coefficient) in terms(shape, lanes) {
        sum += coefficient * kernel(features, lane);
    }
    sum
}

/// For each support vector its block's features, its lane, its coefficient; without those that only fill the last block.
fn terms<'a>(shape: &Shape, lanes: &'a [Lanes]) -> impl Iterator<Item = (&'a [Lanes], usize, f64)> + use<'a> {
    let vectors = shape.vectors as usize;
    shape
        .blocks(lanes)
        .flat_map(|(features, coefficients)| (0..LANES).map(move |lane| (features, lane, coefficients.0[lane])))
        .take(vectors)
}

fn distance(features: &[Lanes], lane: usize, z: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (feature, z) in features.iter().zip(z) {
        let difference = z - feature.0[lane];
        sum += difference * difference;
    }
    sum
}

fn dot(features: &[Lanes], lane: usize, z: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (feature, z) in features.iter().zip(z) {
        sum += z * feature.0[lane];
    }
    sum
}

/// By repeated squaring, lowest bit first: the order in which libsvm multiplies.
pub(super) fn power(base: f64, degree: u32) -> f64 {
    let (mut result, mut square, mut left) = (1.0, base, degree);
    while left > 0 {
        if left % 2 == 1 {
            result *= square;
        }
        square *= square;
        left /= 2;
    }
    result
}

//! How far outside, on a scale that does not end: `severity = ln(rho) - ln(Σ coefficient · K)`.
//!
//! A decision stops at minus rho however far a window is from what was seen; its logarithm goes on, so thresholds can be
//! calibrated on it and severe windows can be told from slight ones. 0 is the boundary of the decision.

use crate::kernel::{self, Lanes, Shape};
use crate::{Kernel, Model};

/// Sums from here on have all their digits; below, terms may have been lost to underflow.
const SAFE: f64 = 1e-290;

/// Whether it can be told for this model.
pub(crate) fn is_defined(model: &Model) -> bool {
    matches!(model.kernel, Kernel::Rbf { .. })
        && model.intercept < 0.0
        && model.coefficients.iter().all(|&coefficient| coefficient >= 0.0)
        && model.coefficients.iter().any(|&coefficient| coefficient > 0.0)
}

/// Finite for any finite `z`. Only for rbf kernels with coefficients of 0 and above and an intercept below 0.
pub(crate) fn severity(shape: &Shape, lanes: &[Lanes], z: &[f64], start: usize, sum: f64, intercept: f64) -> f64 {
    let log_sum = if sum > SAFE { sum.ln() } else { kernel::log_sum(shape, lanes, z, start) };
    ((-intercept).ln() - log_sum).min(f64::MAX)
}

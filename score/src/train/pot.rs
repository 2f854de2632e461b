//! Peaks over threshold: what a severity exceeds with a small probability, from the tail of those seen.
//!
//! Excesses over a high level follow a generalized Pareto distribution. Its shape and scale are taken from the excesses' mean and
//! variance (Hosking and Wallis 1987): with the few dozen peaks of one model that is as good as maximum likelihood, and it cannot
//! fail to converge.

/// Share of the values that are peaks.
const PEAKS: f64 = 0.1;
const PEAKS_MIN: usize = 8;
/// Beyond it the mean of the distribution has no meaning.
const SHAPE_MAX: f64 = 0.5;

/// The value that is exceeded with this probability. None: too few values for a tail.
pub(super) fn exceeded_with(probability: f64, values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let peaks = ((PEAKS * sorted.len() as f64) as usize).max(PEAKS_MIN);
    let level = *sorted.get(sorted.len().checked_sub(peaks + 1)?)?;
    let excesses: Vec<f64> = sorted[sorted.len() - peaks..].iter().map(|value| value - level).collect();
    let (shape, scale) = pareto(&excesses);
    let ratio = peaks as f64 / (values.len() as f64 * probability);
    // More often than there are peaks: the values themselves know.
    if ratio <= 1.0 {
        return Some(level);
    }
    let beyond = if shape.abs() < 1e-9 { scale * ratio.ln() } else { scale / shape * (ratio.powf(shape) - 1.0) };
    Some(level + beyond)
}

/// Shape and scale by the method of moments.
fn pareto(excesses: &[f64]) -> (f64, f64) {
    let count = excesses.len() as f64;
    let mean = excesses.iter().sum::<f64>() / count;
    let variance = excesses.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
    if !(mean > 0.0 && variance > 0.0) {
        return (0.0, mean.max(0.0));
    }
    let ratio = mean * mean / variance;
    let shape = (0.5 * (1.0 - ratio)).min(SHAPE_MAX);
    (shape, 0.5 * mean * (ratio + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of a known distribution in place of a sample.
    fn values(count: usize, inverse: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..count).map(|at| inverse((at as f64 + 0.5) / count as f64)).collect()
    }

    #[test]
    fn tails_are_continued() {
        let exponential = |p: f64| -(1.0 - p).ln();
        let uniform = |p: f64| p;
        let heavy = |p: f64| ((1.0 - p).powf(-0.2) - 1.0) / 0.2;
        for (what, inverse, tolerance) in [
            ("exponential", &exponential as &dyn Fn(f64) -> f64, 0.05),
            ("uniform", &uniform, 0.01),
            ("heavy", &heavy, 0.1),
        ] {
            let sample = values(2000, inverse);
            let (found, truth) = (exceeded_with(1e-4, &sample).expect("a tail"), inverse(1.0 - 1e-4));
            assert!((found / truth - 1.0).abs() < tolerance, "{what}: {found} for {truth}");
        }
    }

    #[test]
    fn few_or_equal_values_are_no_trouble() {
        assert_eq!(exceeded_with(1e-4, &[1.0; 8]), None);
        assert_eq!(exceeded_with(1e-4, &[1.0; 40]), Some(1.0));
        assert!(exceeded_with(0.5, &values(100, |p| p)).is_some_and(|value| value.is_finite()));
    }
}

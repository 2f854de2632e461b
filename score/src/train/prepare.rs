//! From rows to what the kernel sees: scaling, or whitening, as the steps that the service will apply.
//!
//! The kernel sees distances only, and these are the same for every square root of the inverse covariance: principal components, as
//! usual, or a Cholesky factor, as here, which is simpler and costs a tenth.

use crate::{Step, steps};

/// The steps for these rows. `ridge` none: scaling alone.
pub(super) fn steps_for(rows: &[f64], width: usize, ridge: Option<f64>) -> Vec<Step> {
    let (mean, scale) = scaling(rows, width);
    let mut list = vec![Step::Subtract(mean), Step::Divide(scale)];
    if let Some(ridge) = ridge {
        let scaled = prepared(rows, width, &list);
        let covariance = covariance(&scaled, width, ridge);
        list.push(Step::Project { rows: width, matrix: inverse_factor(covariance, width) });
    }
    list
}

/// All rows behind the steps.
pub(super) fn prepared(rows: &[f64], width: usize, list: &[Step]) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows.len());
    let mut x = Vec::with_capacity(width);
    for row in rows.chunks_exact(width) {
        x.clear();
        x.extend_from_slice(row);
        steps::apply(list, &mut x);
        out.extend_from_slice(&x);
    }
    out
}

/// Mean and standard deviation (ddof 0) of each feature; 1 for a feature that never changes, as scikit-learn has it.
fn scaling(rows: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
    let count = (rows.len() / width) as f64;
    let column = |at: usize| rows.iter().skip(at).step_by(width);
    let mean: Vec<f64> = (0..width).map(|at| column(at).sum::<f64>() / count).collect();
    let scale = (0..width).map(|at| {
        let deviation = (column(at).map(|x| (x - mean[at]).powi(2)).sum::<f64>() / count).sqrt();
        if is_constant(mean[at], deviation) { 1.0 } else { deviation }
    });
    let scale = scale.collect();
    (mean, scale)
}

/// Rounding in the mean of equal numbers is no spread.
pub(super) fn is_constant(mean: f64, deviation: f64) -> bool {
    !(deviation > 10.0 * f64::EPSILON * mean.abs() && deviation.is_finite())
}

/// The variance of all numbers together; 1 if there is none.
pub(super) fn variance(numbers: &[f64]) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 && variance.is_finite() { variance } else { 1.0 }
}

/// Of centred rows, with the ridge on its diagonal.
fn covariance(rows: &[f64], width: usize, ridge: f64) -> Vec<f64> {
    let mut sums = vec![0.0; width * width];
    for row in rows.chunks_exact(width) {
        for (at, &x) in row.iter().enumerate() {
            for (sum, y) in sums[at * width..].iter_mut().zip(&row[..=at]) {
                *sum += x * y;
            }
        }
    }
    let count = (rows.len() / width) as f64;
    let mut covariance = vec![0.0; width * width];
    for at in 0..width {
        for other in 0..=at {
            let value = sums[at * width + other] / count;
            covariance[at * width + other] = value;
            covariance[other * width + at] = value;
        }
        covariance[at * width + at] += ridge;
    }
    covariance
}

/// The inverse of the lower Cholesky factor L of a positive definite matrix: `|inverse · x|² = xᵀ · matrix⁻¹ · x`.
fn inverse_factor(mut matrix: Vec<f64>, width: usize) -> Vec<f64> {
    let at = |row: usize, column: usize| row * width + column;
    for row in 0..width {
        for column in 0..=row {
            let product: f64 = (0..column).map(|k| matrix[at(row, k)] * matrix[at(column, k)]).sum();
            let rest = matrix[at(row, column)] - product;
            // The ridge keeps it above 0 but for rounding.
            matrix[at(row, column)] =
                if row == column { rest.max(f64::EPSILON).sqrt() } else { rest / matrix[at(column, column)] };
        }
    }
    let mut inverse = vec![0.0; width * width];
    for column in 0..width {
        for row in column..width {
            let product: f64 = (column..row).map(|k| matrix[at(row, k)] * inverse[at(k, column)]).sum();
            let unit = if row == column { 1.0 } else { 0.0 };
            inverse[at(row, column)] = (unit - product) / matrix[at(row, row)];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn whitened_rows_are_uncorrelated_with_variance_one() {
        let mut random = Random::new(5);
        let width = 4;
        // The third is nearly the sum of the first two, the fourth never changes.
        let rows: Vec<f64> = (0..400)
            .flat_map(|_| {
                let (a, b) = (random.normal(), 100.0 * random.normal());
                [a + 3.0, b, a + 0.01 * b + 0.01 * random.normal(), 7.0]
            })
            .collect();
        let list = steps_for(&rows, width, Some(1e-9));
        assert_eq!(list[1].numbers()[3], 1.0);
        let z = prepared(&rows, width, &list);
        let covariance = covariance(&z, width, 0.0);
        for row in 0..3 {
            for column in 0..3 {
                let expected = if row == column { 1.0 } else { 0.0 };
                assert!((covariance[row * width + column] - expected).abs() < 1e-4, "{covariance:?}");
            }
        }
    }

    #[test]
    fn distances_are_those_of_the_inverse_covariance() {
        let mut random = Random::new(6);
        let width = 3;
        let rows: Vec<f64> = random.numbers(60 * width);
        let list = steps_for(&rows, width, Some(0.1));
        let scaled = prepared(&rows, width, &list[..2]);
        let matrix = covariance(&scaled, width, 0.1);
        let whitened = prepared(&rows, width, &list);
        for (x, z) in scaled.chunks_exact(width).zip(whitened.chunks_exact(width)) {
            // matrix · y = x, by Cramer's rule.
            let y: Vec<f64> =
                (0..width).map(|at| determinant(&with_column(&matrix, at, x)) / determinant(&matrix)).collect();
            let expected: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            let found: f64 = z.iter().map(|z| z * z).sum();
            assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{found} {expected}");
        }
    }

    fn determinant(m: &[f64]) -> f64 {
        m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6])
    }

    fn with_column(matrix: &[f64], column: usize, x: &[f64]) -> Vec<f64> {
        let mut matrix = matrix.to_vec();
        for row in 0..3 {
            matrix[row * 3 + column] = x[row];
        }
        matrix
    }
}

//! One series' model from its own history: scaling, a one-class SVM, and a threshold calibrated on rows left out.
//!
//! A one-class SVM's own boundary runs through the training rows, so on new windows it alarms nearly always. Hence the
//! threshold: the rows are cut into blocks in time, each is judged by a model of the others, and only what is
//! well beyond the worst of these judgements is an anomaly.

use linfa::Dataset;
use linfa::dataset::Pr;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::Array2;

use crate::registry::checksum;
use crate::single::Single;
use crate::{Error, Feature, Kernel, Model, ModelKey, Step, Threshold};

/// How a model is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Share of the training rows that may lie outside; above 0 and below 1.
    pub nu: f64,
    /// The rbf kernel's gamma is this divided by (features x variance of the scaled rows).
    pub gamma: f64,
    /// Where the solver stops. The customary 1e-3 gives models of little use on one feature.
    pub tolerance: f64,
    /// Fewer rows are refused.
    pub rows_min: usize,
    /// More rows are thinned out evenly: the solver's memory grows with their square.
    pub rows_max: usize,
    /// Blocks of the calibration.
    pub folds: usize,
    /// The threshold is this times the largest severity of a row left out.
    pub margin: f64,
}

/// Why no model came out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Untrained {
    #[error("{found} rows are too few, at least {min} are needed")]
    TooFewRows { found: usize, min: usize },
    #[error("row {row} has {found} numbers for {expected} features")]
    Width { row: usize, found: usize, expected: usize },
    #[error("row {row} holds a number that is not finite")]
    NotFinite { row: usize },
    #[error("{what} is `{value}`, which is out of range")]
    Option { what: &'static str, value: f64 },
    #[error("the solver found no boundary: {problem}")]
    Solver { problem: String },
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions { nu: 0.05, gamma: 0.1, tolerance: 1e-7, rows_min: 40, rows_max: 1_000, folds: 5, margin: 1.5 }
    }
}

/// Trains on rows of feature vectors in the order of time. `trained_at` is left to the caller, who knows the time.
///
/// # Errors
/// If the rows or options do not allow a model.
pub fn train(key: ModelKey, features: &[Feature], rows: &[Vec<f64>], options: &TrainOptions) -> Result<Model, Error> {
    let failed = |untrained| Error::Train { key: Box::new(key.clone()), source: Box::new(untrained) };
    let rows = checked(features, rows, options).map_err(failed)?;
    let mut model = fit(&rows, options).map_err(failed)?;
    let threshold = calibrate(&rows, options).map_err(failed)?;
    model.key = key.clone();
    model.features = Some(features.to_vec());
    model.threshold = Some(threshold);
    model.rows = Some(rows.len() as u64);
    model.version = checksum(&model)[..12].to_owned();
    model.check().map_err(|flaw| Error::Model {
        key: Box::new(key),
        file: model.source.clone(),
        source: Box::new(flaw),
    })?;
    Ok(model)
}

/// The rows that are trained on.
fn checked<'a>(
    features: &[Feature],
    rows: &'a [Vec<f64>],
    options: &TrainOptions,
) -> Result<Vec<&'a [f64]>, Untrained> {
    let TrainOptions { nu, gamma, tolerance, rows_min, rows_max, folds, margin } = *options;
    let positive = |what, value: f64| match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Untrained::Option { what, value }),
    };
    positive("nu", nu)?;
    positive("nu", 1.0 - nu)?;
    positive("gamma", gamma)?;
    positive("tolerance", tolerance)?;
    positive("margin", margin)?;
    if folds < 2 {
        return Err(Untrained::Option { what: "folds", value: folds as f64 });
    }
    // A fold must be left with rows, and nu with at least one of them: below that the solver stops where it starts.
    let needed = rows_min.max(2 * folds).max((1.25 / nu).ceil() as usize);
    if rows.len() < needed || features.is_empty() {
        return Err(Untrained::TooFewRows { found: rows.len(), min: needed });
    }
    for (row, numbers) in rows.iter().enumerate() {
        if numbers.len() != features.len() {
            return Err(Untrained::Width { row, found: numbers.len(), expected: features.len() });
        }
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(Untrained::NotFinite { row });
        }
    }
    let kept = rows.len().min(rows_max.max(needed));
    Ok((0..kept).map(|row| rows[row * rows.len() / kept].as_slice()).collect())
}

/// A model without a threshold.
fn fit(rows: &[&[f64]], options: &TrainOptions) -> Result<Model, Untrained> {
    let width = rows[0].len();
    let (mean, scale) = scaling(rows);
    let scaled: Vec<f64> = rows.iter().flat_map(|row| (0..width).map(|at| (row[at] - mean[at]) / scale[at])).collect();
    let gamma = options.gamma / (width as f64 * variance(&scaled));
    let solver = |problem: String| Untrained::Solver { problem };
    let records = Array2::from_shape_vec((rows.len(), width), scaled).map_err(|error| solver(error.to_string()))?;
    // The solver's kernel is exp(-|x - y|² / eps). Its shrinking gives wrong models, so it stays off.
    let svm: Svm<f64, bool> = Svm::<f64, Pr>::params()
        .gaussian_kernel(1.0 / gamma)
        .nu_weight(options.nu)
        .eps(options.tolerance)
        .shrinking(false)
        .fit(&Dataset::from(records.clone()))
        .map_err(|error| solver(error.to_string()))?;
    if !svm.rho.is_finite() || svm.rho <= 0.0 {
        return Err(solver(format!("rho is {}", svm.rho)));
    }
    let chosen = || svm.alpha.iter().enumerate().filter(|(_, alpha)| **alpha > 100.0 * f64::EPSILON);
    Ok(Model {
        key: ModelKey { device: None, sensor: None },
        features: None,
        steps: vec![Step::Subtract(mean), Step::Divide(scale)],
        kernel: Kernel::Rbf { gamma },
        support_vectors: chosen().flat_map(|(row, _)| records.row(row).to_vec()).collect(),
        coefficients: chosen().map(|(_, alpha)| *alpha).collect(),
        intercept: -svm.rho,
        threshold: None,
        version: String::new(),
        source: "training".into(),
        trained_at: None,
        rows: None,
    })
}

/// Blocks, not a random choice: neighbours in time are alike, and a row whose neighbours were trained on is no test.
fn calibrate(rows: &[&[f64]], options: &TrainOptions) -> Result<Threshold, Untrained> {
    let folds = options.folds;
    let mut largest = f64::NEG_INFINITY;
    for fold in 0..folds {
        let left_out = fold * rows.len() / folds..(fold + 1) * rows.len() / folds;
        let kept = [&rows[..left_out.start], &rows[left_out.end..]].concat();
        let model = fit(&kept, options)?;
        let judge = Single::new(&model);
        largest = rows[left_out].iter().map(|row| judge.severity(row)).fold(largest, f64::max);
    }
    // Below 0 is inside the boundary; times the margin it would move inwards.
    let value = (options.margin * largest).clamp(0.0, f64::MAX);
    Ok(Threshold {
        value,
        smoothing: 1,
        how: format!("{} x the largest severity out of sample, {folds} blocks", options.margin),
    })
}

/// Mean and standard deviation (ddof 0) of each feature; 1 for a feature that never changes, as scikit-learn has it.
fn scaling(rows: &[&[f64]]) -> (Vec<f64>, Vec<f64>) {
    let (width, count) = (rows[0].len(), rows.len() as f64);
    let column = |at: usize| rows.iter().map(move |row| row[at]);
    let mean: Vec<f64> = (0..width).map(|at| column(at).sum::<f64>() / count).collect();
    let scale = (0..width).map(|at| {
        let deviation = (column(at).map(|x| (x - mean[at]).powi(2)).sum::<f64>() / count).sqrt();
        // Rounding in the mean of equal numbers is no spread.
        if deviation > 10.0 * f64::EPSILON * mean[at].abs() && deviation.is_finite() { deviation } else { 1.0 }
    });
    let scale = scale.collect();
    (mean, scale)
}

fn variance(numbers: &[f64]) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 && variance.is_finite() { variance } else { 1.0 }
}

#[cfg(test)]
mod tests;

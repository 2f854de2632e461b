//! One key's model from its own history: scaling or whitening, a one-class SVM, and a threshold calibrated on rows left out.
//!
//! ```text
//! rows ─ blocks ─> severity of each row by a model of the others ─> rows that stand out are trimmed, once more from the start
//!                                                              └─> threshold
//!      ─ all that are kept ─> steps ─> solver ─> model
//! ```
//!
//! Pure: the same rows and options give the same model. Windows, keys and files are left to the command.

mod calibrate;
mod options;
mod pot;
mod prepare;
mod report;
mod rows;
mod solve;

use crate::registry::checksum;
use crate::{Error, Feature, Kernel, Model, ModelKey};

pub use options::{Gamma, Preparation, Solver, ThresholdRule, TrainOptions, Trim};
pub use report::{TrainReport, Warning};
pub use rows::TrainingRows;

/// A model, and how its training went.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedModel {
    pub model: Model,
    pub report: TrainReport,
}

/// Why no model came out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Untrained {
    #[error("{found} rows are too few, at least {min} are needed")]
    TooFewRows { found: usize, min: usize },
    #[error("{numbers} numbers in {rows} rows of {features} features")]
    Width { numbers: usize, rows: usize, features: usize },
    #[error("row {row} is not later than the one before it")]
    Order { row: usize },
    #[error("row {row} holds a number that is not finite")]
    NotFinite { row: usize },
    #[error("{what} is `{value}`, which is out of range")]
    Option { what: &'static str, value: f64 },
    #[error("the solver found no boundary: {problem}")]
    Solver { problem: String },
}

/// Trains on rows of feature vectors in the order of time. `trained_at` is left to the caller, who knows the time.
///
/// # Errors
/// If the rows or options do not allow a model.
pub fn train(
    key: ModelKey,
    features: &[Feature],
    rows: &TrainingRows,
    options: &TrainOptions,
) -> Result<TrainedModel, Error> {
    let failed = |untrained| Error::Train { key: Box::new(key.clone()), source: Box::new(untrained) };
    let options = &resolved(options, features);
    options.check().map_err(failed)?;
    rows.check(features.len(), options).map_err(failed)?;
    let Parts { mut model, kept, used } = parts(rows, options).map_err(failed)?;
    model.key = key.clone();
    model.features = Some(features.to_vec());
    model.version = checksum(&model)[..12].to_owned();
    model.check().map_err(|flaw| Error::Model {
        key: Box::new(key),
        file: model.source.clone(),
        source: Box::new(flaw),
    })?;
    let report = report::report(&model, features, rows, kept, used, options);
    Ok(TrainedModel { model, report })
}

struct Parts {
    model: Model,
    kept: usize,
    used: usize,
}

fn parts(rows: &TrainingRows, options: &TrainOptions) -> Result<Parts, Untrained> {
    let mut severities = Vec::new();
    if options.trim != Trim::None || options.threshold != ThresholdRule::Zero {
        severities = calibrate::out_of_sample(rows, options)?;
    }
    let mut kept_rows = None;
    let kept = calibrate::kept(rows, &severities, options);
    if kept.len() < rows.len() {
        // What was trimmed has drawn the models that judged the others to itself.
        let rest = rows.select(&kept);
        severities = calibrate::out_of_sample(&rest, options)?;
        kept_rows = Some(rest);
    }
    let rows = kept_rows.as_ref().unwrap_or(rows);
    let every: Vec<usize> = (0..rows.len()).collect();
    let chosen = rows::draw(&every, options.rows_max.max(options.rows_needed()), options.seed);
    let mut model = fit(rows, &chosen, options)?;
    model.threshold = calibrate::threshold(rows, &severities, options);
    model.rows = Some(chosen.len() as u64);
    Ok(Parts { model, kept: kept.len(), used: chosen.len() })
}

/// `Auto` decided.
fn resolved(options: &TrainOptions, features: &[Feature]) -> TrainOptions {
    let several = features.iter().any(|feature| feature.sensor != features[0].sensor);
    let preparation = match options.preparation {
        Preparation::Auto if several => Preparation::Whiten { ridge: options::RIDGE },
        Preparation::Auto => Preparation::Scale,
        chosen => chosen,
    };
    TrainOptions { preparation, ..options.clone() }
}

/// A model of these rows, without a threshold.
fn fit(rows: &TrainingRows, chosen: &[usize], options: &TrainOptions) -> Result<Model, Untrained> {
    let width = rows.features();
    let numbers = rows.select(chosen).numbers;
    let ridge = match options.preparation {
        Preparation::Whiten { ridge } => Some(ridge),
        Preparation::Auto | Preparation::Scale => None,
    };
    let steps = prepare::steps_for(&numbers, width, ridge);
    let prepared = prepare::prepared(&numbers, width, &steps);
    let gamma = match options.gamma {
        Gamma::Share(share) => share / (width as f64 * prepare::variance(&prepared)),
        Gamma::Fixed(gamma) => gamma,
    };
    let problem = solve::Problem { rows: &prepared, width, nu: options.nu, gamma, tolerance: options.tolerance };
    let solution = problem.solve(options.solver)?;
    let chosen = || solution.alpha.iter().enumerate().filter(|(_, alpha)| **alpha > 0.0);
    Ok(Model {
        key: ModelKey { device: None, sensor: None },
        features: None,
        steps,
        kernel: Kernel::Rbf { gamma },
        support_vectors: chosen().flat_map(|(row, _)| &prepared[row * width..(row + 1) * width]).copied().collect(),
        coefficients: chosen().map(|(_, alpha)| *alpha).collect(),
        intercept: -solution.rho,
        threshold: None,
        version: String::new(),
        source: "training".into(),
        trained_at: None,
        rows: None,
    })
}

#[cfg(test)]
mod tests;

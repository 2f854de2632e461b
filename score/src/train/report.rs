//! What is worth knowing of a trained model, and what to be wary of.

use std::fmt;

use super::{Solver, TrainOptions, TrainingRows, calibrate, prepare, rows};
use crate::single::Single;
use crate::{Feature, Kernel, Model};

/// How the training of one model went.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Rows that were offered.
    pub rows: u64,
    /// Rows that the solver saw.
    pub rows_used: u64,
    /// Rows left out because they stood out.
    pub rows_trimmed: u64,
    pub support_vectors: u64,
    /// Share of the offered rows that the model, with its threshold, calls anomalous.
    pub flagged: f64,
    pub threshold: Option<f64>,
    pub gamma: f64,
    /// Never `Auto`.
    pub solver: Solver,
    pub warnings: Vec<Warning>,
}

/// Something that does not keep a model from being used, but may make it a poor one.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    FewRows {
        rows: usize,
    },
    ConstantFeature {
        feature: Feature,
    },
    /// All features: any change at all will be an anomaly.
    NothingVaries,
    OneSupportVector,
    /// Most windows have no neighbour before them, so that nothing is smoothed.
    ManyGaps,
    /// No row left out lay outside the boundary: the threshold is the boundary itself.
    NothingBeyond,
    /// As many rows as may be trimmed were; more may stand out.
    TrimmedAll {
        rows: u64,
    },
    /// Too few peaks for a distribution: no window will ever be an anomaly.
    NoTail,
}

/// Below it a model learns the accidents of its rows.
const ROWS_FEW: usize = 100;

impl Warning {
    /// One word for machines.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Warning::FewRows { .. } => "few_rows",
            Warning::ConstantFeature { .. } => "constant_feature",
            Warning::NothingVaries => "nothing_varies",
            Warning::OneSupportVector => "one_support_vector",
            Warning::ManyGaps => "many_gaps",
            Warning::NothingBeyond => "nothing_beyond",
            Warning::TrimmedAll { .. } => "trimmed_all",
            Warning::NoTail => "no_tail",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::FewRows { rows } => write!(f, "few rows: {rows}"),
            Warning::ConstantFeature { feature } => write!(f, "`{feature}` never changes"),
            Warning::NothingVaries => f.write_str("no feature ever changes: any change will be an anomaly"),
            Warning::OneSupportVector => f.write_str("a single support vector"),
            Warning::ManyGaps => f.write_str("most windows have no neighbour: smoothing does nothing"),
            Warning::NothingBeyond => f.write_str("no row lay outside the boundary: the threshold is the boundary"),
            Warning::TrimmedAll { rows } => write!(f, "{rows} rows trimmed, the most allowed: more may be anomalies"),
            Warning::NoTail => f.write_str("too few peaks: no window will be an anomaly"),
        }
    }
}

/// `kept`: the rows that were not trimmed; `used`: how many of them the solver saw.
pub(super) fn report(
    model: &Model,
    features: &[Feature],
    offered: &TrainingRows,
    kept: usize,
    used: usize,
    options: &TrainOptions,
) -> TrainReport {
    let Kernel::Rbf { gamma } = model.kernel else { unreachable!("rbf models are trained") };
    let trimmed = offered.len() - kept;
    let mut warnings = Vec::new();
    if offered.len() < ROWS_FEW {
        warnings.push(Warning::FewRows { rows: offered.len() });
    }
    let constant = constant(features, offered);
    match constant.len() == features.len() {
        true => warnings.push(Warning::NothingVaries),
        false => warnings.extend(constant.into_iter().map(|feature| Warning::ConstantFeature { feature })),
    }
    if model.coefficients.len() == 1 {
        warnings.push(Warning::OneSupportVector);
    }
    let gaps = offered.starts.windows(2).filter(|pair| pair[0].saturating_add(offered.width) != pair[1]).count();
    if options.smoothing > 1 && 2 * gaps > offered.len() {
        warnings.push(Warning::ManyGaps);
    }
    match model.threshold.as_ref().map(|threshold| threshold.value) {
        Some(0.0) => warnings.push(Warning::NothingBeyond),
        Some(f64::MAX) => warnings.push(Warning::NoTail),
        _ => {}
    }
    if trimmed > 0 && trimmed == calibrate::trimmed_max(offered.len(), options) {
        warnings.push(Warning::TrimmedAll { rows: trimmed as u64 });
    }
    TrainReport {
        rows: offered.len() as u64,
        rows_used: used as u64,
        rows_trimmed: trimmed as u64,
        support_vectors: model.coefficients.len() as u64,
        flagged: flagged(model, offered),
        threshold: model.threshold.as_ref().map(|threshold| threshold.value),
        gamma,
        solver: options.solver.chosen(),
        warnings,
    }
}

fn constant(features: &[Feature], rows: &TrainingRows) -> Vec<Feature> {
    let spread = |at: usize| {
        let column = || rows.numbers.iter().skip(at).step_by(features.len());
        let mean = column().sum::<f64>() / rows.len() as f64;
        (mean, (column().map(|x| (x - mean).powi(2)).sum::<f64>() / rows.len() as f64).sqrt())
    };
    let is_constant = |at: usize| {
        let (mean, deviation) = spread(at);
        prepare::is_constant(mean, deviation)
    };
    (0..features.len()).filter(|&at| is_constant(at)).map(|at| features[at].clone()).collect()
}

fn flagged(model: &Model, offered: &TrainingRows) -> f64 {
    let severities = Single::new(model).severities(&offered.numbers);
    let (value, smoothing) = model.threshold.as_ref().map_or((0.0, 1), |t| (t.value, t.smoothing));
    let judged = rows::smoothed(&offered.starts, offered.width, &severities, smoothing);
    // Without a threshold the rule is not strict, as scikit-learn's.
    let is_flagged = |severity: &f64| if model.threshold.is_some() { *severity > value } else { *severity >= 0.0 };
    judged.iter().filter(|severity| is_flagged(severity)).count() as f64 / offered.len() as f64
}

//! The threshold, and which training rows are no good: both from the severities of rows that a model was not trained on.
//!
//! A one-class SVM's own boundary runs through the training rows, so on new windows it alarms nearly always. Hence the rows are cut
//! into blocks in time, each is judged by a model of the others, and only what is well beyond these judgements is an anomaly.

use super::rows::{draw, smoothed};
use super::{ThresholdRule, TrainOptions, TrainingRows, Trim, Untrained, fit, pot};
use crate::Threshold;
use crate::single::Single;

/// Severity of each row by a model of the other blocks.
///
/// Blocks, not a random choice: neighbours in time are alike, and a row whose neighbours were trained on is no test.
pub(super) fn out_of_sample(rows: &TrainingRows, options: &TrainOptions) -> Result<Vec<f64>, Untrained> {
    let (count, folds) = (rows.len(), options.folds);
    let mut severities = Vec::with_capacity(count);
    for fold in 0..folds {
        let (from, to) = (fold * count / folds, (fold + 1) * count / folds);
        let others: Vec<usize> = (0..from).chain(to..count).collect();
        let model = fit(rows, &draw(&others, options.rows_max, options.seed), options)?;
        severities.extend(Single::new(&model).severities(&rows.numbers[from * rows.features()..to * rows.features()]));
    }
    Ok(severities)
}

/// The threshold by the rule; none for scikit-learn's.
pub(super) fn threshold(rows: &TrainingRows, severities: &[f64], options: &TrainOptions) -> Option<Threshold> {
    let judged = smoothed(&rows.starts, rows.width, severities, options.smoothing);
    let blocks = options.folds;
    let (value, how) = match options.threshold {
        ThresholdRule::Zero => return None,
        ThresholdRule::Factor(factor) => {
            let largest = judged.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (factor * largest, format!("{factor} x the largest severity out of sample, {blocks} blocks"))
        }
        ThresholdRule::Quantile { quantile, factor } => {
            let how = format!("{factor} x the {quantile} quantile of severities out of sample, {blocks} blocks");
            (factor * quantile_of(&judged, quantile), how)
        }
        ThresholdRule::Pot { probability } => {
            let how = format!("exceeded with probability {probability} by peaks out of sample, {blocks} blocks");
            (pot::exceeded_with(probability, &judged).unwrap_or(f64::INFINITY), how)
        }
    };
    // Below 0 is inside the boundary; times a factor it would move inwards.
    Some(Threshold { value: value.clamp(0.0, f64::MAX), how, smoothing: options.smoothing })
}

/// The rows to keep, by their out-of-sample severities; all, or fewer.
pub(super) fn kept(rows: &TrainingRows, severities: &[f64], options: &TrainOptions) -> Vec<usize> {
    let level = match options.trim {
        Trim::None => return (0..rows.len()).collect(),
        Trim::Share(_) => f64::NEG_INFINITY,
        Trim::Outstanding { times, .. } => {
            let middle = quantile_of(severities, 0.5);
            middle + times * (quantile_of(severities, 0.9) - middle)
        }
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| severities[b].total_cmp(&severities[a]));
    let most = trimmed_max(rows.len(), options);
    let trimmed = order.iter().take(most).take_while(|&&row| severities[row] > level).count();
    let mut kept = order.split_off(trimmed);
    kept.sort_unstable();
    kept
}

/// How many of so many rows may be trimmed: enough for a model are always left.
pub(super) fn trimmed_max(rows: usize, options: &TrainOptions) -> usize {
    let share = match options.trim {
        Trim::None => 0.0,
        Trim::Share(share) | Trim::Outstanding { share_max: share, .. } => share,
    };
    ((share * rows as f64) as usize).min(rows.saturating_sub(options.rows_needed()))
}

/// Interpolated linearly between neighbours, as numpy does.
pub(super) fn quantile_of(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = quantile * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + part * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests;

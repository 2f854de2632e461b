//! Calibration against brute force: blocks, smoothing and rules written out once more, plainly.

use super::*;
use crate::testing::{Random, key};
use crate::train::{Preparation, train};
use crate::{Feature, Kernel, Model, Statistic, Step};

const WIDTH: i64 = 60;

/// Two features of 203 windows with a gap, and as many outliers as wanted.
fn rows(seed: u64, outliers: usize) -> TrainingRows {
    let mut random = Random::new(seed);
    let mut rows = TrainingRows { width: WIDTH, ..TrainingRows::default() };
    for row in 0..203_i64 {
        rows.starts.push(WIDTH * (row + i64::from(row >= 90)));
        // One after the other, as faults are: then they are in one block, and the others do not know them.
        let far = if (100..100 + outliers as i64).contains(&row) { 40.0 } else { 0.0 };
        rows.numbers.extend([10.0 + random.normal() + far, 0.1 * random.normal()]);
    }
    rows
}

fn options() -> TrainOptions {
    TrainOptions { preparation: Preparation::Scale, smoothing: 3, trim: Trim::None, ..TrainOptions::default() }
}

/// `ln rho - ln Σ α K` of one row, without any of the product's kernels.
fn severity(model: &Model, row: &[f64]) -> f64 {
    let [Step::Subtract(mean), Step::Divide(scale)] = &model.steps[..] else { panic!("scaling") };
    let Kernel::Rbf { gamma } = model.kernel else { panic!("rbf") };
    let z: Vec<f64> = (0..row.len()).map(|at| (row[at] - mean[at]) / scale[at]).collect();
    let kernel = |vector: &[f64]| (-gamma * vector.iter().zip(&z).map(|(a, b)| (a - b).powi(2)).sum::<f64>()).exp();
    let sum: f64 = (0..model.coefficients.len())
        .map(|at| model.coefficients[at] * kernel(&model.support_vectors[at * row.len()..(at + 1) * row.len()]))
        .sum();
    (-model.intercept).ln() - sum.ln()
}

/// What every row's severity is by a model of the other four fifths, smoothed over three.
fn judged(rows: &TrainingRows, options: &TrainOptions) -> Vec<f64> {
    let mut all = Vec::new();
    for fold in 0..5 {
        let (from, to) = (fold * rows.len() / 5, (fold + 1) * rows.len() / 5);
        let others: Vec<usize> = (0..rows.len()).filter(|row| !(from..to).contains(row)).collect();
        let model = fit(&rows.select(&others), &(0..others.len()).collect::<Vec<_>>(), options).expect("a model");
        all.extend((from..to).map(|row| severity(&model, rows.row(row))));
    }
    let mean_of = |row: usize| {
        let mut members = vec![all[row]];
        while members.len() < 3 && members.len() <= row {
            let back = row - members.len();
            if rows.starts[back] + WIDTH * members.len() as i64 != rows.starts[row] {
                break;
            }
            members.push(all[back]);
        }
        members.iter().sum::<f64>() / members.len() as f64
    };
    (0..all.len()).map(mean_of).collect()
}

fn features() -> [Feature; 2] {
    [Statistic::Mean.into(), Statistic::Delta.into()]
}

fn threshold_by(rule: ThresholdRule, rows: &TrainingRows) -> Option<Threshold> {
    let options = TrainOptions { threshold: rule, ..options() };
    train(key("d", "s"), &features(), rows, &options).expect("a model").model.threshold
}

#[test]
fn thresholds_are_those_of_brute_force() {
    let rows = rows(1, 1);
    let mut judged = judged(&rows, &options());
    judged.sort_by(f64::total_cmp);
    let (largest, count) = (judged[judged.len() - 1], judged.len());
    let place = 0.95 * (count - 1) as f64;
    let (below, above) = (judged[place as usize], judged[place as usize + 1]);
    let quantile = below + place.fract() * (above - below);
    for (rule, expected) in [
        (ThresholdRule::Factor(1.5), 1.5 * largest),
        (ThresholdRule::Factor(2.0), 2.0 * largest),
        (ThresholdRule::Quantile { quantile: 0.95, factor: 2.0 }, (2.0 * quantile).max(0.0)),
    ] {
        let threshold = threshold_by(rule, &rows).expect("a threshold");
        assert!(
            (threshold.value - expected).abs() < 1e-9 * expected.max(1.0),
            "{rule}: {} {expected}",
            threshold.value
        );
        assert_eq!(threshold.smoothing, 3);
    }
    // Beyond nearly all that was seen; how far is the tail's own test.
    let pot = threshold_by(ThresholdRule::Pot { probability: 1e-3 }, &rows).expect("a threshold").value;
    assert!(pot > judged[count - 5], "{pot}");
    assert_eq!(threshold_by(ThresholdRule::Zero, &rows), None);
}

#[test]
fn quantiles_are_numpys() {
    let values = [3.0, 1.0, 4.0, 1.5, 9.0];
    for (quantile, expected) in [(0.0, 1.0), (0.5, 3.0), (0.9, 7.0), (1.0, 9.0), (0.3, 1.8)] {
        assert!((quantile_of(&values, quantile) - expected).abs() < 1e-12);
    }
}

#[test]
fn outstanding_rows_are_trimmed_and_ordinary_ones_kept() {
    let trim = Trim::Outstanding { share_max: 0.1, times: 4.0 };
    let trained = |rows: &TrainingRows, trim| {
        train(key("d", "s"), &features(), rows, &TrainOptions { trim, ..options() }).expect("a model")
    };
    let (clean, spoilt) = (rows(2, 0), rows(2, 6));
    let spoilt_threshold = trained(&spoilt, Trim::None).report.threshold.expect("a threshold");
    let robust = trained(&spoilt, trim);
    assert_eq!(robust.report.rows_trimmed, 6);
    assert_eq!(robust.model.rows, Some(203 - 6));
    let threshold = robust.report.threshold.expect("a threshold");
    assert!(threshold < spoilt_threshold / 2.0, "{threshold} instead of {spoilt_threshold}");
    // Nothing stands out here, and the model is the same as without.
    assert_eq!(trained(&clean, trim).model, trained(&clean, Trim::None).model);
    // A share is trimmed whatever it looks like.
    assert_eq!(trained(&clean, Trim::Share(0.05)).report.rows_trimmed, 10);
}

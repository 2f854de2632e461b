//! TrainedModel models on windows of a made-up sensor: faults stand out, ordinary days do not.

use super::*;
use crate::single::Single;
use crate::testing::{Random, key};
use crate::{Statistic, Step};

/// Windows of an hour with 60 readings: a daily cycle, noise, what is added to all readings of some hours, and to one of
/// each hour's.
fn windows(
    random: &mut Random,
    hours: usize,
    drift: impl Fn(usize) -> f64,
    spike: impl Fn(usize) -> f64,
) -> Vec<Vec<f64>> {
    (0..hours)
        .map(|hour| {
            let level = 20.0 + 3.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin() + drift(hour);
            let mut readings: Vec<f64> = (0..60).map(|_| level + 0.5 * random.normal()).collect();
            readings[30] += spike(hour);
            let mean = readings.iter().sum::<f64>() / 60.0;
            let std = (readings.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 60.0).sqrt();
            let (min, max) = readings.iter().fold((f64::MAX, f64::MIN), |(min, max), &x| (min.min(x), max.max(x)));
            vec![mean, std, min, max]
        })
        .collect()
}

/// Consecutive hours.
fn hourly(rows: &[Vec<f64>]) -> TrainingRows {
    const HOUR: i64 = 3_600_000_000;
    let starts = (0..rows.len() as i64).map(|row| row * HOUR).collect();
    TrainingRows { width: HOUR, starts, numbers: rows.concat() }
}

/// The made-up sensor has no neighbours worth a mean: each hour is judged by itself.
fn options() -> TrainOptions {
    TrainOptions { smoothing: 1, ..TrainOptions::default() }
}

fn none(_: usize) -> f64 {
    0.0
}

const FEATURES: [Statistic; 4] = [Statistic::Mean, Statistic::StdPop, Statistic::Min, Statistic::Max];

fn alarms(model: &Model, rows: &[Vec<f64>]) -> Vec<bool> {
    let single = Single::new(model);
    let threshold = model.threshold.as_ref().expect("calibrated").value;
    rows.iter().map(|row| single.severity(row) > threshold).collect()
}

#[test]
fn faults_stand_out_and_ordinary_days_do_not() {
    let (mut false_alarms, mut found_spikes, mut found_drift) = (0, 0, 0);
    for seed in 0..10 {
        let mut random = Random::new(seed);
        let history = windows(&mut random, 336, none, none);
        let trained = train(key("d", "s"), &FEATURES.map(Feature::from), &hourly(&history), &options());
        let model = trained.expect("a model").model;
        let quiet = windows(&mut random, 480, none, none);
        false_alarms += alarms(&model, &quiet).iter().filter(|&&alarm| alarm).count();
        let spiked = windows(&mut random, 48, none, |hour| if hour % 6 == 0 { 6.0 } else { 0.0 });
        found_spikes += alarms(&model, &spiked).iter().step_by(6).filter(|&&alarm| alarm).count();
        let drift = windows(&mut random, 48, |hour| 0.3 * hour as f64, none);
        found_drift += usize::from(alarms(&model, &drift)[24..].iter().filter(|&&alarm| alarm).count() > 12);
    }
    println!("false alarms {false_alarms} of 4800, spikes {found_spikes} of 80, drifts {found_drift} of 10");
    assert!(false_alarms <= 24, "{false_alarms} false alarms in 4,800 hours");
    assert!(found_spikes >= 76, "{found_spikes} of 80 spikes");
    assert!(found_drift >= 9, "{found_drift} of 10 drifts");
}

#[test]
fn the_same_rows_give_the_same_model() {
    let history = windows(&mut Random::new(3), 200, none, none);
    let train = |options: &TrainOptions| {
        train(key("d", "s"), &FEATURES.map(Feature::from), &hourly(&history), options).expect("a model")
    };
    let one = train(&options());
    assert_eq!(one, train(&options()));
    let drawn = |seed| train(&TrainOptions { rows_max: 100, seed, ..options() });
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7).model, drawn(8).model);
    assert_eq!((drawn(7).model.rows, drawn(7).report.rows), (Some(100), 200));
    let one = one.model;
    assert_eq!((one.version.len(), one.rows), (12, Some(200)));
    // The coefficients' sum is what nu says.
    assert!((one.coefficients.iter().sum::<f64>() - 0.05 * 200.0).abs() < 1e-6);
}

#[test]
fn a_constant_feature_does_no_harm() {
    let history: Vec<Vec<f64>> = (0..100).map(|_| vec![0.1 + 0.2, 7.0]).collect();
    let features = [Statistic::Mean.into(), Statistic::Count.into()];
    let TrainedModel { model, report } =
        train(key("d", "s"), &features, &hourly(&history), &options()).expect("a model");
    assert_eq!(model.steps[1], Step::Divide(vec![1.0, 1.0]));
    assert_eq!(alarms(&model, &[vec![0.1 + 0.2, 7.0], vec![90.0, 7.0]]), [false, true]);
    assert_eq!(report.warnings.first(), Some(&Warning::NothingVaries));
}

#[test]
fn what_cannot_be_trained_on_is_named() {
    let rows = |count: usize| hourly(&(0..count).map(|at| vec![at as f64]).collect::<Vec<_>>());
    let mut bad = rows(60);
    bad.numbers[7] = f64::NAN;
    let mut wide = rows(60);
    wide.numbers.push(2.0);
    let mut mixed = rows(60);
    mixed.starts.swap(20, 21);
    for (rows, options, expected) in [
        (rows(39), options(), "39 rows are too few, at least 40 are needed"),
        (bad, options(), "row 7 holds a number that is not finite"),
        (wide, options(), "61 numbers in 60 rows of 1 features"),
        (mixed, options(), "row 21 is not later than the one before it"),
        (rows(60), TrainOptions { nu: 0.01, ..options() }, "60 rows are too few, at least 125 are needed"),
        (rows(60), TrainOptions { nu: 1.0, ..options() }, "nu is `1`, which is out of range"),
        (rows(60), TrainOptions { trim: Trim::Share(0.5), ..options() }, "trim is `1`, which is out of range"),
        (
            rows(60),
            TrainOptions { threshold: ThresholdRule::Factor(f64::NAN), ..options() },
            "factor is `NaN`, which is out of range",
        ),
    ] {
        let error = train(key("d", "s"), &[Statistic::Mean.into()], &rows, &options).expect_err(expected);
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert_eq!(source, expected);
    }
}

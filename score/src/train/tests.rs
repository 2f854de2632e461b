//! Trained models on windows of a made-up sensor: faults stand out, ordinary days do not.

use super::*;
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
        let model =
            train(key("d", "s"), &FEATURES.map(Feature::from), &history, &TrainOptions::default()).expect("a model");
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
    let one = train(key("d", "s"), &FEATURES.map(Feature::from), &history, &TrainOptions::default()).expect("a model");
    let other =
        train(key("d", "s"), &FEATURES.map(Feature::from), &history, &TrainOptions::default()).expect("a model");
    assert_eq!(one, other);
    assert_eq!((one.version.len(), one.rows), (12, Some(200)));
    // The coefficients' sum is what nu says.
    assert!((one.coefficients.iter().sum::<f64>() - 0.05 * 200.0).abs() < 1e-6);
}

#[test]
fn a_constant_feature_does_no_harm() {
    let history: Vec<Vec<f64>> = (0..100).map(|_| vec![0.1 + 0.2, 7.0]).collect();
    let features = [Statistic::Mean.into(), Statistic::Count.into()];
    let model = train(key("d", "s"), &features, &history, &TrainOptions::default()).expect("a model");
    assert_eq!(model.steps[1], Step::Divide(vec![1.0, 1.0]));
    assert_eq!(alarms(&model, &[vec![0.1 + 0.2, 7.0], vec![90.0, 7.0]]), [false, true]);
}

#[test]
fn what_cannot_be_trained_on_is_named() {
    let row = |x: f64| vec![x];
    let rows = |count: usize| (0..count).map(|at| row(at as f64)).collect::<Vec<_>>();
    let mut bad = rows(60);
    bad[7] = row(f64::NAN);
    let mut wide = rows(60);
    wide[9] = vec![1.0, 2.0];
    for (rows, options, expected) in [
        (rows(39), TrainOptions::default(), "39 rows are too few, at least 40 are needed"),
        (bad, TrainOptions::default(), "row 7 holds a number that is not finite"),
        (wide, TrainOptions::default(), "row 9 has 2 numbers for 1 features"),
        (
            rows(60),
            TrainOptions { nu: 0.01, ..TrainOptions::default() },
            "60 rows are too few, at least 125 are needed",
        ),
        (
            rows(60),
            TrainOptions { margin: f64::NAN, ..TrainOptions::default() },
            "margin is `NaN`, which is out of range",
        ),
    ] {
        let error = train(key("d", "s"), &[Statistic::Mean.into()], &rows, &options).expect_err(expected);
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert_eq!(source, expected);
    }
}

//! Models of whole devices: features of several sensors, one row for each window, and what is missing.

use proptest::prelude::*;

use super::names as names_of;
use super::*;
use crate::single::Single;
use crate::{Key, MissingFeature, ModelKey};

const MINUTE: i64 = 60_000_000;

fn device_config() -> Config {
    let features = ["temp.mean", "temp.max", "flow.mean"].map(|name| name.parse().expect("a feature"));
    Config { key: Key::Device, features: features.to_vec(), ..Config::default() }
}

fn model_of(device: Option<&str>) -> Model {
    let key = ModelKey { device: device.map(str::to_owned), sensor: None };
    let mut model = Random::new(21).model(key, Kernel::Rbf { gamma: 0.1 }, 40, 3);
    model.features = Some(device_config().features);
    model
}

/// Rows of series by window: `(series, window, mean, max)`.
fn rows_of(windows: &[(u32, i64, f64, f64)]) -> WindowRows {
    let mut rows = WindowRows { width: MINUTE, ..WindowRows::default() };
    for &(series, window, mean, max) in windows {
        push_row(&mut rows, series, mean);
        *rows.start.last_mut().expect("a row") = window * MINUTE;
        *rows.max.last_mut().expect("a row") = max;
    }
    rows
}

#[test]
fn sensors_of_a_window_become_one_row_wherever_they_stand() {
    let names = names(&[("d", "temp"), ("d", "flow"), ("e", "flow"), ("e", "temp"), ("d", "other")]);
    // Series by series, as a device that closes several windows at once leaves them.
    let rows = rows_of(&[
        (0, 0, 1.0, 2.0),
        (0, 1, 1.5, 2.5),
        (1, 0, 7.0, 9.0),
        (1, 1, 7.5, 9.0),
        (2, 0, -3.0, -2.0),
        (3, 0, 4.0, 5.0),
        (4, 1, 99.0, 99.0),
    ]);
    let (own, default) = (model_of(Some("d")), model_of(None));
    let scores = Scorer::new(set(vec![own.clone(), default.clone()]), &device_config()).score(&rows, &names);
    check_lengths(&scores, 3);
    assert_eq!(scores.status, [Status::Scored; 3]);
    let devices = scores.devices.as_ref().expect("rows of devices");
    assert_eq!(devices.count, [2, 3, 2]);
    let expected = [[1.0, 2.0, 7.0], [1.5, 2.5, 7.5], [4.0, 5.0, -3.0]];
    for (row, x) in expected.iter().enumerate() {
        let shown: Vec<(&str, f64)> =
            devices.features(row).iter().map(|(name, x)| (&**name, x.expect("present"))).collect();
        assert_eq!(shown, [("temp.mean", x[0]), ("temp.max", x[1]), ("flow.mean", x[2])]);
        let judge = if row < 2 { &own } else { &default };
        let decision = Single::new(judge).sum(x, false) + judge.intercept;
        assert_eq!(scores.decision[row].map(f64::to_bits), Some(decision.to_bits()));
        assert_eq!(names.device(rows.series[devices.row[row] as usize]), ["d", "d", "e"][row]);
    }
    assert_eq!(scores.models.iter().map(|model| &*model.key).collect::<Vec<_>>(), ["d", "*"]);
}

#[test]
fn what_is_missing_is_said_or_stood_in_for() {
    let names = names(&[("d", "temp"), ("e", "temp")]);
    let rows = rows_of(&[(0, 0, 1.0, 2.0), (1, 0, 5.0, 6.0)]);
    let model = model_of(Some("d"));
    let judged = |missing_feature, model: Model| {
        let config = Config { missing_feature: Some(missing_feature), ..device_config() };
        Scorer::new(set(vec![model]), &config).score(&rows, &names)
    };
    let skipped = judged(MissingFeature::Skip, model.clone());
    assert_eq!(skipped.status, [Status::MissingFeature, Status::NoModel]);
    let devices = skipped.devices.as_ref().expect("rows of devices");
    assert_eq!(devices.features(0)[2], (Arc::from("flow.mean"), None));
    let shown: Vec<&str> = devices.features(1).iter().map(|(name, _)| &**name).collect();
    assert_eq!(shown, ["temp.mean", "temp.max"], "what a model could be trained on");

    let stood_in = judged(MissingFeature::Mean, model.clone());
    let mean = model.centre().expect("centred")[2];
    let decision = Single::new(&model).sum(&[1.0, 2.0, mean], false) + model.intercept;
    assert_eq!(stood_in.decision[0].map(f64::to_bits), Some(decision.to_bits()));
    assert_eq!(stood_in.devices.expect("rows of devices").features(0)[2].1, None);

    // Nothing that the model knows is left: that is not the most normal of all windows.
    let silent = rows_of(&[(0, 0, 1.0, 2.0)]);
    let names_of_others = names_of(&[("d", "battery")]);
    let config = Config { missing_feature: Some(MissingFeature::Mean), ..device_config() };
    let scores = Scorer::new(set(vec![model.clone()]), &config).score(&silent, &names_of_others);
    assert_eq!(scores.status, [Status::MissingFeature]);

    let mut uncentred = model;
    uncentred.steps.remove(0);
    assert_eq!(judged(MissingFeature::Mean, uncentred).status[0], Status::MissingFeature);
}

#[test]
fn windows_of_too_few_readings_are_told_by_the_model_s_sensors() {
    let names = names(&[("d", "temp"), ("d", "flow"), ("d", "other")]);
    let rows = rows_of(&[(0, 0, 1.0, 2.0), (1, 0, 5.0, 6.0), (2, 0, 0.0, 0.0), (0, 1, 1.0, 1.0), (1, 1, 1.0, 1.0)]);
    let mut config = device_config();
    config.min_readings = 2;
    let mut counted = rows.clone();
    counted.count = vec![2, 2, 1, 2, 1];
    let scores = Scorer::new(set(vec![model_of(Some("d"))]), &config).score(&counted, &names);
    assert_eq!(scores.status, [Status::Scored, Status::TooFew]);
}

#[test]
fn whitened_features_are_explained_in_terms_of_the_raw_ones() {
    let mut model = model_of(Some("d"));
    model.steps = vec![
        Step::Subtract(vec![0.0; 3]),
        Step::Divide(vec![1.0, 2.0, 1.0]),
        Step::Project { rows: 3, matrix: vec![0.6, 0.8, 0.0, -0.8, 0.6, 0.0, 0.0, 0.0, 1.0] },
    ];
    let names = names(&[("d", "temp"), ("d", "flow")]);
    for (mean, max, flow, top) in
        [(50.0, 0.1, 0.1, "temp.mean"), (0.1, 0.1, -70.0, "flow.mean"), (0.1, 90.0, 0.1, "temp.max")]
    {
        let rows = rows_of(&[(0, 0, mean, max), (1, 0, flow, flow)]);
        let scores = Scorer::new(set(vec![model.clone()]), &device_config()).score(&rows, &names);
        assert_eq!((scores.is_anomaly[0], scores.top_feature[0].as_deref()), (true, Some(top)));
    }
}

proptest! {
    /// However rows are ordered among sensors, each window's row says the same.
    #[test]
    fn the_order_of_sensors_does_not_matter(order in Just([0_usize, 1, 2, 3, 4, 5]).prop_shuffle()) {
        let names = names(&[("d", "temp"), ("d", "flow"), ("e", "temp")]);
        let all = [(0, 0, 1.0, 2.0), (0, 1, 1.5, 2.5), (1, 0, 7.0, 9.0), (1, 1, 7.5, 9.0), (2, 0, 3.0, 3.0), (2, 2, 4.0, 4.0)];
        let shuffled: Vec<_> = order.iter().map(|&row| all[row]).collect();
        let set = set(vec![model_of(Some("d")), model_of(None)]);
        let outcome = |windows: &[(u32, i64, f64, f64)]| {
            let rows = rows_of(windows);
            let scores = Scorer::new(set.clone(), &device_config()).score(&rows, &names);
            let devices = scores.devices.clone().expect("rows of devices");
            let mut outcome: Vec<_> = (0..scores.len())
                .map(|row| {
                    let window_row = devices.row[row] as usize;
                    let who = (names.device(rows.series[window_row]).to_owned(), rows.start[window_row]);
                    (who, devices.features(row).to_vec(), scores.decision[row], scores.status[row])
                })
                .collect();
            outcome.sort_by(|a, b| a.0.cmp(&b.0));
            outcome
        };
        prop_assert_eq!(outcome(&shuffled), outcome(&all));
    }
}

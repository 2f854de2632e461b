//! One outcome for each row, whatever the row.

mod devices;
mod smoothing;

use super::*;
use crate::testing::{Names, Random, key, push_row};
use crate::{Kernel, Model, Statistic, Step, Threshold};

fn names(series: &[(&str, &str)]) -> Names {
    Names(series.iter().map(|(device, sensor)| ((*device).into(), (*sensor).into(), 0)).collect())
}

fn set(models: Vec<Model>) -> Arc<ModelSet> {
    Arc::new(ModelSet::from_models(models).expect("good models"))
}

fn rbf(device: &str, sensor: &str) -> Model {
    Random::new(11).model(key(device, sensor), Kernel::Rbf { gamma: 0.1 }, 40, 1)
}

fn rows(values: &[(u32, f64)]) -> WindowRows {
    let mut rows = WindowRows::default();
    values.iter().for_each(|&(series, value)| push_row(&mut rows, series, value));
    rows
}

fn check_lengths(scores: &Scores, rows: usize) {
    let lengths = [
        scores.status.len(),
        scores.decision.len(),
        scores.severity.len(),
        scores.threshold.len(),
        scores.is_anomaly.len(),
        scores.model.len(),
        scores.top_feature.len(),
    ];
    assert_eq!(lengths, [rows; 7]);
}

#[test]
fn every_row_has_a_status() {
    let mut two = Random::new(12).model(key("d", "two"), Kernel::Rbf { gamma: 0.1 }, 20, 2);
    two.features = Some(vec![Statistic::Mean.into(), Statistic::Std.into()]);
    let mut steep = Random::new(13).model(key("d", "steep"), Kernel::Poly { gamma: 1.0, coef0: 0.0, degree: 9 }, 3, 1);
    steep.features = Some(vec![Statistic::Sum.into()]);
    let set = set(vec![rbf("d", "one"), two, steep]);
    let names = names(&[("d", "one"), ("d", "two"), ("e", "one"), ("d", "steep")]);
    let mut rows = rows(&[(0, 0.0), (1, 0.0), (2, 0.0), (3, 1e200), (0, f64::NAN), (0, 0.5), (0, 1e308)]);
    rows.count[5] = 0;
    let scores = Scorer::new(set, &Config::default()).score(&rows, &names);
    check_lengths(&scores, 7);
    use Status::{MissingFeature, NoModel, NonFinite, Scored, TooFew};
    assert_eq!(scores.status, [Scored, MissingFeature, NoModel, NonFinite, NonFinite, TooFew, Scored]);
    assert_eq!(scores.model, [Some(0), Some(1), None, Some(2), Some(0), Some(0), Some(0)]);
    for (row, status) in scores.status.iter().enumerate() {
        assert_eq!(scores.decision[row].is_some(), *status == Scored);
        assert!(*status == Scored || (scores.severity[row].is_none() && !scores.is_anomaly[row]));
    }
    assert_eq!(scores.models.iter().map(|model| &*model.key).collect::<Vec<_>>(), ["d/one", "d/two", "d/steep"]);
    assert!(scores.is_anomaly[6] && scores.severity[6].is_some_and(f64::is_finite));
}

#[test]
fn an_index_given_to_another_series_gets_that_series_model() {
    let mut scorer = Scorer::new(set(vec![rbf("d", "a"), rbf("d", "b")]), &Config::default());
    let rows = rows(&[(0, 0.0)]);
    for (sensor, generation, expected) in
        [("a", 0, Some("d/a")), ("b", 1, Some("d/b")), ("c", 2, None), ("a", 3, Some("d/a"))]
    {
        let names = Names(vec![("d".into(), sensor.into(), generation)]);
        let scores = scorer.score(&rows, &names);
        assert_eq!(scores.models.first().map(|model| &*model.key), expected);
    }
}

#[test]
fn a_swapped_set_judges_from_the_next_batch_on() {
    let (one, other) = (set(vec![rbf("d", "a")]), set(vec![rbf("d", "b")]));
    let (rows, names) = (rows(&[(0, 0.0)]), names(&[("d", "a")]));
    let mut scorer = Scorer::new(Arc::clone(&one), &Config::default());
    assert_eq!(scorer.score(&rows, &names).status, [Status::Scored]);
    scorer.swap(other);
    let scores = scorer.score(&rows, &names);
    assert_eq!(scores.status, [Status::NoModel]);
    assert_ne!(&*scores.model_set, one.id());
}

#[test]
fn a_calibrated_model_is_judged_by_its_severity() {
    let mut model = rbf("d", "a");
    model.intercept = -1.0;
    let plain = model.clone();
    model.threshold = Some(Threshold { value: 2.0, how: "a test".into(), smoothing: 1 });
    let (names, values) = (names(&[("d", "a")]), [(0, 0.0), (0, 8.0), (0, 60.0), (0, 1e6)]);
    let judged = |model| Scorer::new(set(vec![model]), &Config::default()).score(&rows(&values), &names);
    let (plain, calibrated) = (judged(plain), judged(model));
    assert_eq!(plain.severity, calibrated.severity);
    for row in 0..values.len() {
        let (decision, severity) = (plain.decision[row].expect("decision"), plain.severity[row].expect("severity"));
        assert_eq!(decision > 0.0, severity < 0.0);
        assert_eq!(plain.is_anomaly[row], decision <= 0.0);
        assert_eq!(calibrated.is_anomaly[row], severity > 2.0);
    }
    assert_eq!(calibrated.threshold, [Some(2.0); 4]);
    assert_eq!(plain.threshold, [None; 4]);
    assert!(calibrated.is_anomaly[3] && !calibrated.is_anomaly[0]);
}

#[test]
fn the_top_feature_is_the_one_that_is_off() {
    let mut model = Random::new(14).model(key("d", "a"), Kernel::Rbf { gamma: 0.5 }, 50, 3);
    model.features = Some(vec![Statistic::Mean.into(), Statistic::Min.into(), Statistic::Max.into()]);
    model.steps[0] = Step::Subtract(vec![0.0; 3]);
    let names = names(&[("d", "a")]);
    // Once within reach of the sum, once so far out that only its logarithm tells.
    for far in [4.0, 1e5] {
        let mut rows = rows(&[(0, 0.1), (0, 0.1)]);
        rows.max[0] = far;
        rows.min[1] = -far;
        let scores = Scorer::new(set(vec![model.clone()]), &Config::default()).score(&rows, &names);
        assert_eq!(scores.is_anomaly, [true, true]);
        let top: Vec<_> = scores.top_feature.iter().map(|name| name.as_deref()).collect();
        assert_eq!(top, [Some("max"), Some("min")]);
    }
}

/// Not a test of anything: `cargo test --release -p atalaia-score measure -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_ten_thousand_models() {
    for models in [100, 10_000] {
        measure(models);
    }
}

fn measure(count: u32) {
    let mut random = Random::new(1);
    let mut models = Vec::new();
    let mut named = Names::default();
    for index in 0..count {
        let (device, sensor) = (format!("d{}", index / 5), format!("s{}", index % 5));
        let mut model = random.model(key(&device, &sensor), Kernel::Rbf { gamma: 0.05 }, 60, 4);
        model.features =
            Some(vec![Statistic::Mean.into(), Statistic::StdPop.into(), Statistic::Min.into(), Statistic::Max.into()]);
        models.push(model);
        named.0.push((device, sensor, 0));
    }
    let mut values: Vec<(u32, f64)> = (0..count).map(|series| (series, 0.2)).collect();
    for (what, intercept, shuffled) in [
        ("normal rows, series in order", -1e-9, false),
        ("normal rows, series at random", -1e-9, true),
        ("anomalous rows, top feature named", -1e9, false),
    ] {
        models.iter_mut().for_each(|model| model.intercept = intercept);
        if shuffled {
            for place in 0..values.len() {
                let other = (random.number().abs() * values.len() as f64) as usize;
                values.swap(place, other.min(count as usize - 1));
            }
        }
        let rows = rows(&values);
        for exact in [false, true] {
            let config = Config { exact, ..Config::default() };
            let mut scorer = Scorer::new(set(models.clone()), &config);
            let scores = scorer.score(&rows, &named);
            let anomalies = scores.is_anomaly.iter().filter(|&&anomaly| anomaly).count();
            // Time on the processor: what else the machine does is no concern of this figure.
            let (began, mut batches) = (cpu_seconds(), 0);
            while cpu_seconds() - began < 1.0 {
                std::hint::black_box(scorer.score(&rows, &named));
                batches += 1;
            }
            let rate = f64::from(batches) * f64::from(count) / (cpu_seconds() - began) / 1e6;
            println!("{count} models, {what}, exact {exact}: {rate:.2} M rows/s, {anomalies} anomalies");
        }
    }
}

/// What this thread has used, in seconds (Linux).
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).expect("a number") / 1e9
}

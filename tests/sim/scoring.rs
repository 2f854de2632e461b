//! One model for everybody, whose severity can be computed by hand: `ln(rho) + gamma · Σ x²`, smoothed over three windows.
//!
//! In every fourth seed it takes whole devices, of which a silent sensor counts as 0, and two are too many.

use std::collections::BTreeMap;
use std::sync::Arc;

use score::{Config, Feature, Kernel, Key, MissingFeature, Model, ModelKey, ModelSet, Statistic, Step, Threshold};

use crate::datasets::Row;
use crate::fleet::WINDOW;

const GAMMA: f64 = 0.001;
const RHO: f64 = 0.5;
const SMOOTHED: usize = 3;
const SENSORS: [&str; 3] = ["temp", "flow", "load"];

pub(crate) fn is_by_device(seed: u64) -> bool {
    seed % 4 == 3
}

pub(crate) fn config(seed: u64) -> Config {
    let key = if is_by_device(seed) { Key::Device } else { Key::Series };
    Config { key, missing_feature: Some(MissingFeature::Mean), ..Config::default() }
}

pub(crate) fn models(seed: u64) -> Arc<ModelSet> {
    let features: Vec<Feature> = match is_by_device(seed) {
        true => SENSORS.map(|sensor| Feature::of_sensor(sensor, Statistic::Mean)).to_vec(),
        false => vec![Statistic::Mean.into()],
    };
    let zeros = vec![0.0; features.len()];
    let model = Model {
        key: ModelKey { device: None, sensor: None },
        features: Some(features),
        steps: vec![Step::Subtract(zeros.clone())],
        kernel: Kernel::Rbf { gamma: GAMMA },
        support_vectors: zeros,
        coefficients: vec![1.0],
        intercept: -RHO,
        threshold: Some(Threshold { value: 1.0, how: "by hand".into(), smoothing: SMOOTHED as u32 }),
        version: "1".into(),
        source: "by hand".into(),
        trained_at: None,
        rows: None,
    };
    Arc::new(ModelSet::from_models(vec![model]).expect("a good model"))
}

/// The rows as they are scored, from the rows of all series.
pub(crate) fn judged(mut rows: Vec<Row>, seed: u64) -> Vec<Row> {
    let mut windows: BTreeMap<(String, String, i64), Window> = BTreeMap::new();
    let by_device = is_by_device(seed);
    let sensor = |row: &Row| if by_device { String::new() } else { row.sensor.clone() };
    let mut scored: BTreeMap<(String, String, i64), Row> = BTreeMap::new();
    for row in rows.drain(..) {
        let key = (row.device.clone(), sensor(&row), row.start);
        let window = windows.entry(key.clone()).or_default();
        window.square += row.mean * row.mean;
        window.sensors += 1;
        // The key has the window right before if one of its sensors has it.
        window.is_adjacent |= row.delta.is_some();
        match scored.get_mut(&key) {
            Some(of_device) => of_device.count += row.count,
            None if by_device => drop(scored.insert(key, without_values(row))),
            None => drop(scored.insert(key, row)),
        }
    }
    for ((device, sensor, start), row) in &mut scored {
        let (mut severities, mut at) = (Vec::new(), *start);
        while let Some(window) = windows.get(&(device.clone(), sensor.clone(), at)) {
            // Half of its features and more are missing: it has no score, and nothing goes on behind it.
            if by_device && 2 * (SENSORS.len() - window.sensors) >= SENSORS.len() {
                break;
            }
            severities.push(RHO.ln() + GAMMA * window.square);
            if !window.is_adjacent || severities.len() == SMOOTHED {
                break;
            }
            at -= WINDOW;
        }
        row.severity = (!severities.is_empty()).then(|| severities.iter().sum::<f64>() / severities.len() as f64);
    }
    scored.into_values().collect()
}

/// What the severity of a window is made of.
#[derive(Default)]
struct Window {
    square: f64,
    sensors: usize,
    is_adjacent: bool,
}

/// A whole device has no values of its own.
fn without_values(row: Row) -> Row {
    Row {
        sensor: String::new(),
        sum: 0.0,
        mean: 0.0,
        std: None,
        min: 0.0,
        max: 0.0,
        first: 0.0,
        last: 0.0,
        delta: None,
        ..row
    }
}

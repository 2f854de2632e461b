//! A model of its own for each series. They are not trained: support vectors lie at random around the series' own mean, so that
//! most windows are near some of them and few are anomalies, as with models of real fleets.

use std::path::Path;

use anyhow::Context;
use ingest::simulated::Fleet;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use score::{Kernel, Model, ModelKey, Step};

use crate::workload::{FEATURES, Kind};

/// Mean and spread of each series, of what it has sent.
pub(crate) struct Habits {
    sensors: usize,
    series: Vec<(f64, f64, f64)>,
}

impl Habits {
    pub(crate) fn new(kind: Kind) -> Self {
        let series = usize::try_from(kind.series()).unwrap_or(0);
        Habits { sensors: series / kind.devices.max(1) as usize, series: vec![(0.0, 0.0, 0.0); series] }
    }

    pub(crate) fn saw(&mut self, device: u32, sensor: u32, value: f64) {
        let (count, mean, m2) = &mut self.series[device as usize * self.sensors + sensor as usize];
        *count += 1.0;
        let step = value - *mean;
        *mean += step / *count;
        *m2 += step * (value - *mean);
    }

    fn of(&self, device: u32, sensor: u32) -> (f64, f64) {
        let (count, mean, m2) = self.series[device as usize * self.sensors + sensor as usize];
        (mean, (m2 / count.max(1.0)).sqrt())
    }
}

pub(crate) fn write(fleet: &Fleet, kind: Kind, habits: &Habits, folder: &Path) -> anyhow::Result<()> {
    let sensors = u32::try_from(fleet.config().sensors.len()).unwrap_or(u32::MAX);
    let mut random = ChaCha8Rng::seed_from_u64(10_000);
    let keys = (0..kind.devices).flat_map(|device| (0..sensors).map(move |sensor| (device, sensor)));
    let models: Vec<Model> = keys
        .map(|(device, sensor)| {
            let key = ModelKey::series(fleet.device_name(device), fleet.sensor_name(sensor));
            let (mean, spread) = habits.of(device, sensor);
            // In the order of the features: a mean varies less than its readings, a window's extremes lie apart.
            let means = [mean, spread, mean - spread, mean + spread];
            model(key, means, spread.max(1e-3), kind.support_vectors, &mut random)
        })
        .collect();
    let location = store::open(&folder.display().to_string(), &store::Config::default())?;
    let runtime = tokio::runtime::Runtime::new().context("start the I/O threads")?;
    runtime.block_on(score::write_registry(&models, &location.store, &location.prefix)).context("write the models")?;
    Ok(())
}

pub(crate) fn model(
    key: ModelKey,
    means: [f64; FEATURES.len()],
    scale: f64,
    support_vectors: usize,
    random: &mut ChaCha8Rng,
) -> Model {
    let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    Model {
        key,
        features: None,
        steps: vec![Step::Subtract(means.to_vec()), Step::Divide(vec![scale; FEATURES.len()])],
        kernel: Kernel::Rbf { gamma: 0.1 + unit() * 0.4 },
        support_vectors: (0..support_vectors * FEATURES.len()).map(|_| unit() * 4.0 - 2.0).collect(),
        coefficients: (0..support_vectors).map(|_| unit()).collect(),
        // A few windows in a hundred are anomalies, and pay for their explanation.
        intercept: -0.03 * support_vectors as f64 * unit(),
        threshold: None,
        version: "bench".into(),
        source: "bench".into(),
        trained_at: None,
        rows: None,
    }
}

//! What the tests of this crate share: random models, named series, window rows made of one number each.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use types::{ClosedBy, SeriesNames, WindowRows};

use crate::{Kernel, Model, ModelKey, Step};

pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform in `[-1, 1)`.
    pub(crate) fn number(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// About standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.number() / 2.0).sum::<f64>()
    }

    pub(crate) fn numbers(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }

    pub(crate) fn model(&mut self, key: ModelKey, kernel: Kernel, vectors: usize, width: usize) -> Model {
        Model {
            key,
            features: None,
            steps: vec![
                Step::Subtract(self.numbers(width)),
                Step::Divide(self.numbers(width).iter().map(|x| 0.5 + x.abs()).collect()),
            ],
            kernel,
            support_vectors: self.numbers(vectors * width),
            coefficients: (0..vectors).map(|_| (self.number() + 1.0) / 2.0).collect(),
            intercept: -0.3 * vectors as f64,
            threshold: None,
            version: "v".into(),
            source: "a test".into(),
            trained_at: None,
            rows: None,
        }
    }
}

pub(crate) fn key(device: &str, sensor: &str) -> ModelKey {
    ModelKey::series(device, sensor)
}

/// Series by index, with the generation that each index is in.
#[derive(Debug, Default)]
pub(crate) struct Names(pub(crate) Vec<(String, String, u32)>);

impl SeriesNames for Names {
    fn device(&self, series: u32) -> &str {
        &self.0[series as usize].0
    }

    fn sensor(&self, series: u32) -> &str {
        &self.0[series as usize].1
    }

    fn generation(&self, series: u32) -> u32 {
        self.0[series as usize].2
    }
}

/// Adds the window of a single reading.
pub(crate) fn push_row(rows: &mut WindowRows, series: u32, value: f64) {
    rows.series.push(series);
    rows.start.push(0);
    rows.count.push(1);
    for column in [&mut rows.sum, &mut rows.mean, &mut rows.min, &mut rows.max, &mut rows.first, &mut rows.last] {
        column.push(value);
    }
    rows.m2.push(0.0);
    rows.delta.push(None);
    rows.closed_by.push(ClosedBy::Device);
}

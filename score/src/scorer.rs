//! Judges batches of windows: one outcome for each row, never an error for the batch.
//!
//! A scorer belongs to one partition. What a model belongs to (`series`, `devices`) is resolved once for each and set; a
//! row then costs an index, its features and the kernel. Kernels run over the whole batch at a time, so that the choice
//! of vector code is made once a batch.

mod devices;
mod reasons;
mod series;
mod smoothing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use types::{Scores, SeriesNames, Status, WindowRows};

use self::devices::Devices;
pub use self::reasons::TopFeature;
use self::series::Resolved;
pub use self::smoothing::Trail;
use self::smoothing::Trails;
use crate::kernel::{self, Job};
use crate::set::{Entry, Prepared};
use crate::severity::severity;
use crate::{Config, Feature, Key, MissingFeature, ModelSet, metrics, steps};

/// Scores one partition's windows.
#[derive(Debug)]
pub struct Scorer {
    set: Arc<ModelSet>,
    key: Key,
    features: Vec<Feature>,
    missing_feature: MissingFeature,
    min_readings: u64,
    exact: bool,
    shown: Shown,
    /// By series index, where models belong to series.
    resolved: Vec<Resolved>,
    devices: Devices,
    trails: Trails,
    /// Number of the batch; tells references made for this batch from older ones. Never 0 in a batch.
    batch: u32,
    scratch: Scratch,
}

/// Names of features, as rows carry them.
#[derive(Debug, Default)]
struct Shown(HashMap<Feature, Arc<str>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Unknown,
    NoModel,
    Model(u32),
}

/// Buffers of one batch, kept for the next.
#[derive(Debug, Default)]
struct Scratch {
    /// Prepared features of all jobs.
    z: Vec<f64>,
    /// Features of the row at hand, from step to step.
    x: Vec<f64>,
    /// Raw features of those jobs whose model prepares them in steps: explanations begin with them.
    raw: Vec<f64>,
    pending: Vec<Pending>,
    /// One for each that is pending, in the same order.
    jobs: Vec<Job>,
    sums: Vec<f64>,
    variants: Variants,
}

/// An anomalous row as it would be with each feature in turn at its mean.
#[derive(Debug, Default)]
struct Variants {
    x: Vec<f64>,
    z: Vec<f64>,
    jobs: Vec<Job>,
    sums: Vec<f64>,
    log_sums: Vec<f64>,
}

/// A row whose features are ready.
#[derive(Debug, Clone, Copy)]
struct Pending {
    row: usize,
    model: u32,
    /// Index of the first of its prepared features.
    z: usize,
    /// Index of the first of its raw ones, if they are kept.
    raw: usize,
}

// === impl Scorer ===

impl Scorer {
    #[must_use]
    pub fn new(set: Arc<ModelSet>, config: &Config) -> Scorer {
        Scorer {
            set,
            key: config.key,
            features: config.features.clone(),
            missing_feature: config.missing_feature(),
            min_readings: config.min_readings,
            exact: config.exact,
            shown: Shown::default(),
            resolved: Vec::new(),
            devices: Devices::default(),
            trails: Trails::default(),
            batch: 0,
            scratch: Scratch::default(),
        }
    }

    /// Judges by another set from the next batch on.
    pub fn swap(&mut self, set: Arc<ModelSet>) {
        self.shown = Shown::default();
        self.set = set;
        self.resolved.clear();
        self.devices.clear();
        // What it says of the last batch is of the set before.
        self.scratch.pending.clear();
    }

    #[must_use]
    pub fn set(&self) -> &Arc<ModelSet> {
        &self.set
    }

    /// One outcome for each row, in the order of the rows; for models of whole devices one for each device and window.
    ///
    /// Rows of one series must come in the order of time, and those of one device and window in one batch.
    #[must_use]
    pub fn score(&mut self, rows: &WindowRows, names: &dyn SeriesNames) -> Scores {
        let begun = Instant::now();
        self.begin_batch();
        let mut scores = match self.key {
            Key::Series => self.prepare_series(rows, names),
            Key::Device => self.prepare_devices(rows, names),
        };
        self.lay_out_jobs();
        let Scratch { z, jobs, sums, .. } = &mut self.scratch;
        kernel::sums(self.set.lanes(), z, jobs, self.exact, sums);
        for job in 0..self.scratch.jobs.len() {
            self.judge(job, rows, &mut scores);
        }
        metrics::rows_judged(count(&scores.status), begun.elapsed());
        scores
    }

    /// What smoothing remembers, of series and devices that are still known. `known` lists these series in an order that a
    /// restart does not change.
    pub fn trails<K>(&mut self, known: impl FnOnce() -> K, names: &dyn SeriesNames) -> Vec<Trail>
    where
        K: Iterator<Item = u32>,
    {
        if self.trails.is_empty() { Vec::new() } else { self.trails.save(self.key, known(), names) }
    }

    /// Remembers what a scorer before this one did; `known` in the order in which it was written.
    pub fn resume<K>(&mut self, trails: Vec<Trail>, known: impl FnOnce() -> K)
    where
        K: Iterator<Item = u32>,
    {
        if !trails.is_empty() {
            self.trails.restore(trails, known());
        }
    }

    fn begin_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        if self.batch == 0 {
            self.resolved.clear();
            self.devices.clear();
            self.batch = 1;
        }
        let Scratch { z, raw, pending, jobs, .. } = &mut self.scratch;
        z.clear();
        raw.clear();
        pending.clear();
        jobs.clear();
    }

    /// Scores of so many rows, of which nothing is known yet.
    fn blank(&self, rows: usize) -> Scores {
        Scores {
            status: Vec::with_capacity(rows),
            decision: vec![None; rows],
            severity: vec![None; rows],
            threshold: vec![None; rows],
            is_anomaly: vec![false; rows],
            model: vec![None; rows],
            top_feature: vec![None; rows],
            models: Vec::new(),
            model_set: self.set.id_shared(),
            devices: None,
        }
    }

    /// Makes a job of the raw features that lie in `scratch.z` from `start` on, prepared where they lie; `Scored` means that it is
    /// pending.
    #[inline]
    fn pend(&mut self, row: usize, model: u32, start: usize) -> Status {
        let Scratch { z, x, raw, pending, .. } = &mut self.scratch;
        let raw_start = raw.len();
        match self.set.preparation(self.set.entry(model)) {
            Prepared::Scaling { mean, scale } => {
                for ((x, mean), scale) in z[start..].iter_mut().zip(mean).zip(scale) {
                    *x = (*x - mean) / scale;
                }
            }
            Prepared::Steps(list) => {
                x.clear();
                x.extend(z.drain(start..));
                raw.extend_from_slice(x);
                steps::apply(list, x);
                z.extend_from_slice(x);
            }
        }
        if !z[start..].iter().all(|z| z.is_finite()) {
            z.truncate(start);
            raw.truncate(raw_start);
            return Status::NonFinite;
        }
        pending.push(Pending { row, model, z: start, raw: raw_start });
        Status::Scored
    }

    /// Rows in the order of their models: together these are larger than any cache, and one walk through memory takes half the
    /// time that jumps take. Rows of one model stay in order, as smoothing wants them.
    fn lay_out_jobs(&mut self) {
        let Scratch { pending, jobs, .. } = &mut self.scratch;
        if !pending.is_sorted_by_key(|pending| pending.model) {
            pending.sort_unstable_by_key(|pending| (pending.model, pending.row));
        }
        jobs.extend(pending.iter().map(|pending| Job { shape: self.set.entry(pending.model).shape, z: pending.z }));
    }

    #[inline]
    fn judge(&mut self, job: usize, rows: &WindowRows, scores: &mut Scores) {
        let Pending { row, model, .. } = self.scratch.pending[job];
        let (Job { shape, z: start }, sum) = (self.scratch.jobs[job], self.scratch.sums[job]);
        let entry = self.set.entry(model);
        let decision = sum + entry.intercept;
        if !decision.is_finite() {
            scores.status[row] = Status::NonFinite;
            return;
        }
        let mut severity = entry
            .has_severity
            .then(|| severity(&shape, self.set.lanes(), &self.scratch.z, start, sum, entry.intercept));
        let own = severity;
        if entry.smoothing > 1
            && let Some(severity) = &mut severity
        {
            *severity = smooth(&mut self.trails, &self.devices, entry, *severity, row, rows, scores);
        }
        let is_anomaly = entry.is_anomalous(decision, severity);
        // Where only the windows before it make it one, no feature of its own does.
        let is_its_own = is_anomaly && entry.is_anomalous(decision, own);
        scores.decision[row] = Some(decision);
        scores.severity[row] = severity;
        scores.threshold[row] = entry.threshold;
        scores.is_anomaly[row] = is_anomaly;
        if is_its_own && entry.inputs > 1 && entry.is_centred {
            scores.top_feature[row] = self.top_feature(job, model);
        }
    }

    /// The feature whose setting to its training mean moves the decision most towards normal; none if no single one does.
    fn top_feature(&mut self, job: usize, model: u32) -> Option<Arc<str>> {
        let best = self.most_moved(job, model)?;
        let features = self.set.features(self.set.entry(model)).unwrap_or(&self.features);
        Some(self.shown.name(features.get(best)?))
    }

    /// Its place; the sums with each feature at its mean stay in `variants`.
    fn most_moved(&mut self, job: usize, model: u32) -> Option<usize> {
        let (Job { shape, z: start }, sum) = (self.scratch.jobs[job], self.scratch.sums[job]);
        self.vary(job, model);
        let entry = self.set.entry(model);
        let Scratch { z, variants, .. } = &mut self.scratch;
        kernel::sums(self.set.lanes(), &variants.z, &variants.jobs, self.exact, &mut variants.sums);
        let best = largest(&variants.sums, sum);
        if best.is_some() || !entry.has_severity {
            return best;
        }
        // Too far away for any term to be left: their logarithms still differ.
        let log_sum = |z: &[f64], start| kernel::log_sum(&shape, self.set.lanes(), z, start);
        variants.log_sums.clear();
        variants.log_sums.extend(variants.jobs.iter().map(|job| log_sum(&variants.z, job.z)));
        largest(&variants.log_sums, log_sum(z, start))
    }

    /// The job once for each feature, with that feature at its mean.
    fn vary(&mut self, job: usize, model: u32) {
        let entry = self.set.entry(model);
        let (shape, Pending { z: start, raw, .. }) = (self.scratch.jobs[job].shape, self.scratch.pending[job]);
        let (inputs, width) = (entry.inputs as usize, shape.dimensions as usize);
        let Scratch { z, raw: all_raw, variants, .. } = &mut self.scratch;
        variants.z.clear();
        variants.jobs.clear();
        for feature in 0..inputs {
            variants.jobs.push(Job { shape, z: variants.z.len() });
            match self.set.preparation(entry) {
                Prepared::Scaling { .. } => {
                    variants.z.extend_from_slice(&z[start..start + width]);
                    variants.z[feature * width + feature] = 0.0;
                }
                Prepared::Steps(list) => {
                    let Some(mean) = self.set.centre(entry) else { continue };
                    variants.x.clear();
                    variants.x.extend_from_slice(&all_raw[raw..raw + inputs]);
                    variants.x[feature] = mean[feature];
                    steps::apply(list, &mut variants.x);
                    variants.z.extend_from_slice(&variants.x);
                }
            }
        }
    }
}

/// The mean severity over adjacent windows of the key that this row is the last of.
fn smooth(
    trails: &mut Trails,
    devices: &Devices,
    entry: &Entry,
    severity: f64,
    row: usize,
    rows: &WindowRows,
    scores: &Scores,
) -> f64 {
    let window_row = scores.window_row(row);
    let (start, end) = (rows.start[window_row], rows.end(window_row));
    let step = smoothing::Step { start, end, version: &entry.reference.version, severity, windows: entry.smoothing };
    match &scores.devices {
        // The windows remember the one before of the same series: also that a device was forgotten meanwhile.
        None => trails.of_series(rows.series[row], rows.delta[row].is_some(), step),
        Some(_) => trails.of_device(devices.name(row), devices.is_adjacent(row), step),
    }
}

impl Shown {
    fn name(&mut self, feature: &Feature) -> Arc<str> {
        if let Some(name) = self.0.get(feature) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(feature.to_string());
        self.0.insert(feature.clone(), Arc::clone(&name));
        name
    }
}

fn largest(moved: &[f64], base: f64) -> Option<usize> {
    let mut best = None;
    let mut most = base;
    for (feature, &sum) in moved.iter().enumerate() {
        if sum > most {
            (best, most) = (Some(feature), sum);
        }
    }
    best
}

fn count(statuses: &[Status]) -> [u64; metrics::STATUSES.len()] {
    let mut counts = [0; metrics::STATUSES.len()];
    for status in statuses {
        let place = match status {
            Status::Scored => 0,
            Status::NoModel => 1,
            Status::MissingFeature => 2,
            Status::TooFew => 3,
            Status::NonFinite => 4,
            Status::ModelUnavailable => 5,
        };
        counts[place] += 1;
    }
    counts
}

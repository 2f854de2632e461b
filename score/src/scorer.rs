//! Judges batches of windows: one outcome for each row, never an error for the batch.
//!
//! A scorer belongs to one partition. Series are resolved to models once for each series and set; a row then costs an
//! index, its features and the kernel. Kernels run over the whole batch at a time, so that the choice of vector code is
//! made once a batch.

use std::collections::HashMap;
use std::sync::Arc;

use types::{Scores, SeriesNames, Status, WindowRows};

use crate::kernel::{self, Job};
use crate::set::Prepared;
use crate::severity::severity;
use crate::{Config, Feature, ModelSet, metrics, steps};

/// Scores one partition's windows.
#[derive(Debug)]
pub struct Scorer {
    set: Arc<ModelSet>,
    features: Vec<Feature>,
    min_readings: u64,
    exact: bool,
    /// Names of features, as rows carry them.
    shown: HashMap<Feature, Arc<str>>,
    /// By series index.
    resolved: Vec<Resolved>,
    /// Number of the batch; tells references made for this batch from older ones. Never 0 in a batch.
    batch: u32,
    scratch: Scratch,
}

/// What is remembered of a series.
#[derive(Debug, Clone, Copy)]
struct Resolved {
    generation: u32,
    model: Choice,
    /// The batch in which `reference` was made.
    batch: u32,
    /// Index into the batch's list of models.
    reference: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Unknown,
    NoModel,
    Model(u32),
}

/// Buffers of one batch, kept for the next.
#[derive(Debug, Default)]
struct Scratch {
    /// Scaled features of all jobs.
    z: Vec<f64>,
    /// Features of the row at hand.
    x: Vec<f64>,
    pending: Vec<Pending>,
    /// One for each that is pending, in the same order.
    jobs: Vec<Job>,
    sums: Vec<f64>,
    variants: Variants,
}

/// An anomalous row as it would be with each feature in turn at its mean.
#[derive(Debug, Default)]
struct Variants {
    z: Vec<f64>,
    jobs: Vec<Job>,
    sums: Vec<f64>,
}

/// A row whose features are ready.
#[derive(Debug, Clone, Copy)]
struct Pending {
    row: usize,
    model: u32,
    /// Index of the first of its scaled features.
    z: usize,
}

// === impl Scorer ===

impl Scorer {
    #[must_use]
    pub fn new(set: Arc<ModelSet>, config: &Config) -> Scorer {
        Scorer {
            set,
            features: config.features.clone(),
            min_readings: config.min_readings,
            exact: config.exact,
            shown: HashMap::default(),
            resolved: Vec::new(),
            batch: 0,
            scratch: Scratch::default(),
        }
    }

    /// Judges by another set from the next batch on.
    pub fn swap(&mut self, set: Arc<ModelSet>) {
        self.set = set;
        self.resolved.clear();
    }

    #[must_use]
    pub fn set(&self) -> &Arc<ModelSet> {
        &self.set
    }

    /// One outcome for each row, in the order of the rows.
    #[must_use]
    pub fn score(&mut self, rows: &WindowRows, names: &dyn SeriesNames) -> Scores {
        self.begin_batch();
        let mut scores = Scores {
            status: Vec::with_capacity(rows.len()),
            decision: vec![None; rows.len()],
            severity: vec![None; rows.len()],
            threshold: vec![None; rows.len()],
            is_anomaly: vec![false; rows.len()],
            model: vec![None; rows.len()],
            top_feature: vec![None; rows.len()],
            models: Vec::new(),
            model_set: self.set.id_shared(),
        };
        for row in 0..rows.len() {
            let status = self.prepare(rows, row, names, &mut scores);
            scores.status.push(status);
        }
        self.lay_out_jobs();
        let Scratch { z, jobs, sums, .. } = &mut self.scratch;
        kernel::sums(self.set.lanes(), z, jobs, self.exact, sums);
        for job in 0..self.scratch.jobs.len() {
            self.judge(job, &mut scores);
        }
        metrics::rows_judged(count(&scores.status));
        scores
    }

    fn begin_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        if self.batch == 0 {
            self.resolved.clear();
            self.batch = 1;
        }
        let Scratch { z, pending, jobs, .. } = &mut self.scratch;
        z.clear();
        pending.clear();
        jobs.clear();
    }

    /// Rows in the order of their models: together these are larger than any cache, and one walk through memory takes half the
    /// time that jumps take.
    fn lay_out_jobs(&mut self) {
        let Scratch { pending, jobs, .. } = &mut self.scratch;
        if !pending.is_sorted_by_key(|pending| pending.model) {
            pending.sort_unstable_by_key(|pending| (pending.model, pending.row));
        }
        jobs.extend(pending.iter().map(|pending| Job { shape: self.set.entry(pending.model).shape, z: pending.z }));
    }

    /// Finds a row's model and makes its feature vector; `Scored` means that it is pending.
    #[inline]
    fn prepare(&mut self, rows: &WindowRows, row: usize, names: &dyn SeriesNames, scores: &mut Scores) -> Status {
        let Some(model) = self.resolve(rows.series[row], names) else { return self.set.without_model() };
        let entry = self.set.entry(model);
        let resolved = &mut self.resolved[rows.series[row] as usize];
        if resolved.batch != self.batch {
            resolved.batch = self.batch;
            resolved.reference = scores.models.len() as u32;
            scores.models.push(entry.reference.clone());
        }
        scores.model[row] = Some(resolved.reference);
        if rows.count[row] < self.min_readings {
            return Status::TooFew;
        }
        let features = self.set.features(entry).unwrap_or(&self.features);
        if features.len() != entry.inputs as usize {
            return Status::MissingFeature;
        }
        let Scratch { z, x, .. } = &mut self.scratch;
        let start = z.len();
        x.clear();
        for feature in features {
            let Some(number) = feature.statistic.of(rows, row) else { return Status::MissingFeature };
            x.push(number);
        }
        match self.set.preparation(entry) {
            Prepared::Scaling { mean, scale } => {
                z.extend(x.iter().zip(mean).zip(scale).map(|((x, mean), scale)| (x - mean) / scale));
            }
            Prepared::Steps(list) => {
                steps::apply(list, x);
                z.extend_from_slice(x);
            }
        }
        if !z[start..].iter().all(|z| z.is_finite()) {
            z.truncate(start);
            return Status::NonFinite;
        }
        self.scratch.pending.push(Pending { row, model, z: start });
        Status::Scored
    }

    #[inline]
    fn resolve(&mut self, series: u32, names: &dyn SeriesNames) -> Option<u32> {
        let (place, generation) = (series as usize, names.generation(series));
        if place >= self.resolved.len() {
            let unknown = Resolved { generation: 0, model: Choice::Unknown, batch: 0, reference: 0 };
            self.resolved.resize(place + 1, unknown);
        }
        let resolved = &mut self.resolved[place];
        if resolved.model == Choice::Unknown || resolved.generation != generation {
            let found = self.set.choose(names.device(series), Some(names.sensor(series)));
            *resolved =
                Resolved { generation, model: found.map_or(Choice::NoModel, Choice::Model), batch: 0, reference: 0 };
        }
        match resolved.model {
            Choice::Model(model) => Some(model),
            Choice::NoModel | Choice::Unknown => None,
        }
    }

    #[inline]
    fn judge(&mut self, job: usize, scores: &mut Scores) {
        let Pending { row, model, .. } = self.scratch.pending[job];
        let (Job { shape, z: start }, sum) = (self.scratch.jobs[job], self.scratch.sums[job]);
        let entry = self.set.entry(model);
        let decision = sum + entry.intercept;
        if !decision.is_finite() {
            scores.status[row] = Status::NonFinite;
            return;
        }
        let severity = entry
            .has_severity
            .then(|| severity(&shape, self.set.lanes(), &self.scratch.z, start, sum, entry.intercept));
        let is_anomaly = match (entry.threshold, severity) {
            (Some(threshold), Some(severity)) => severity > threshold,
            // Not strict: scikit-learn calls a decision of exactly 0 an outlier.
            _ => decision <= 0.0,
        };
        scores.decision[row] = Some(decision);
        scores.severity[row] = severity;
        scores.threshold[row] = entry.threshold;
        scores.is_anomaly[row] = is_anomaly;
        if is_anomaly && shape.dimensions > 1 && entry.is_centred && shape.dimensions == entry.inputs {
            scores.top_feature[row] = self.top_feature(job, model);
        }
    }

    /// The feature whose setting to its training mean moves the decision most towards normal; none if no single one does.
    fn top_feature(&mut self, job: usize, model: u32) -> Option<Arc<str>> {
        let Job { shape, z: start } = self.scratch.jobs[job];
        let entry = self.set.entry(model);
        let width = shape.dimensions as usize;
        let Scratch { z, sums, variants, .. } = &mut self.scratch;
        variants.z.clear();
        variants.jobs.clear();
        for feature in 0..width {
            variants.jobs.push(Job { shape, z: variants.z.len() });
            variants.z.extend_from_slice(&z[start..start + width]);
            variants.z[feature * width + feature] = 0.0;
        }
        kernel::sums(self.set.lanes(), &variants.z, &variants.jobs, self.exact, &mut variants.sums);
        let mut best = largest(&variants.sums, sums[job]);
        if best.is_none() && entry.has_severity {
            // Too far away for any term to be left: their logarithms still differ.
            let log_sum = |z: &[f64], start| kernel::log_sum(&shape, self.set.lanes(), z, start);
            variants.sums.clear();
            variants.sums.extend(variants.jobs.iter().map(|job| log_sum(&variants.z, job.z)));
            best = largest(&variants.sums, log_sum(z, start));
        }
        let features = self.set.features(entry).unwrap_or(&self.features);
        let feature = features.get(best?)?;
        Some(Arc::clone(self.shown.entry(feature.clone()).or_insert_with(|| Arc::from(feature.to_string()))))
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

#[cfg(test)]
mod tests;

//! Bytes: files of the datasets, states and records, memory.

use serde::Serialize;

use super::commits::{Commits, DAY};
use super::figures::{self, FileBytes};
use super::load::Load;

/// Files of the datasets that a day leaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Files {
    pub(super) predictions: f64,
    pub(super) late: f64,
    pub(super) quarantine: f64,
    pub(super) runs: f64,
}

/// Their bytes, and what the state takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Stored {
    pub(super) predictions: f64,
    pub(super) late: f64,
    pub(super) quarantine: f64,
    pub(super) runs: f64,
    pub(super) all: f64,
    /// One partition's, packed and as it is.
    pub(super) state: f64,
    pub(super) state_unpacked: f64,
    /// The largest record that is to be expected: a state, and the files of a commit with rows.
    pub(super) record: f64,
    /// What all logs hold at any time.
    pub(super) logs: f64,
    /// Written into logs a day.
    pub(super) logs_written: f64,
}

/// Of one instance, in the steady state and at its peaks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Memory {
    pub(super) process: f64,
    pub(super) series: f64,
    pub(super) models: f64,
    /// Closed rows that wait, and the commit under way.
    pub(super) rows: f64,
    pub(super) expected: f64,
    /// The same with `run.pending_bytes_max` full, as while the store does not answer, and a second set of models.
    pub(super) worst: f64,
    /// Suggested settings.
    pub(super) memory_bytes_max: f64,
    pub(super) container: f64,
    pub(super) series_max: f64,
}

impl Files {
    pub(super) fn of(load: &Load, commits: &Commits) -> Files {
        // Windows of two dates are met once a day, in each partition.
        let dates = if commits.with_rows > load.partitions { load.partitions } else { 0.0 };
        let with = |rows: f64| rows.min(commits.with_rows);
        let readings = load.readings_a_second() * DAY;
        Files {
            predictions: commits.with_rows + dates,
            late: with(readings * load.late),
            quarantine: with(readings * load.refused),
            runs: commits.with_rows + dates,
        }
    }

    pub(super) fn all(&self) -> f64 {
        self.predictions + self.late + self.quarantine + self.runs
    }
}

impl Stored {
    pub(super) fn of(load: &Load, commits: &Commits, files: &Files) -> Stored {
        let readings = load.readings_a_second() * DAY;
        let bytes = |of: FileBytes, files: f64, rows: f64| of.of(files, rows);
        let predictions = bytes(figures::PREDICTIONS, files.predictions, commits.rows);
        let late = bytes(figures::LATE, files.late, readings * load.late);
        let quarantine = bytes(figures::QUARANTINE, files.quarantine, readings * load.refused);
        let runs = bytes(figures::RUNS, files.runs, commits.all);
        let all = predictions + late + quarantine + runs;
        let series = load.series() / load.partitions;
        let state = series * figures::STATE_BYTES;
        let a_commit_with_rows = all / commits.with_rows.max(1.0);
        let logs_written = commits.all * (state + figures::RECORD_BYTES) + all;
        let kept = (figures::YOUNG_SECONDS / DAY * commits.all).max(0.0) + figures::KEPT * load.partitions;
        Stored {
            predictions,
            late,
            quarantine,
            runs,
            all,
            state,
            state_unpacked: series * figures::STATE_BYTES_UNPACKED,
            record: state + figures::RECORD_BYTES + a_commit_with_rows,
            logs: kept * logs_written / commits.all.max(1.0),
            logs_written,
        }
    }
}

impl Memory {
    pub(super) fn of(load: &Load, commits: &Commits) -> Memory {
        let share = (load.partitions / load.instances).ceil() / load.partitions;
        let process = figures::PROCESS_BYTES + figures::WORKER_BYTES * load.workers;
        let series = load.series() * share.min(1.0) * figures::SERIES_BYTES;
        // Each instance loads the whole set.
        let models = load.models * model_bytes(load.support_vectors, load.features);
        let a_burst = commits.rows_a_burst * load.partitions * share.min(1.0);
        let waiting = (a_burst * figures::WAITING_ROW_BYTES).min(load.pending_bytes_max);
        let committing = a_burst.min(figures::COMMIT_ROWS_MAX * load.workers) * figures::COMMIT_ROW_BYTES;
        let expected = process + series + models + waiting + committing;
        let worst = expected - waiting + load.pending_bytes_max + models;
        Memory {
            process,
            series,
            models,
            rows: waiting + committing,
            expected,
            worst,
            memory_bytes_max: expected / figures::SHARE_OF_BUDGET,
            container: expected / figures::SHARE_OF_BUDGET / figures::SHARE_OF_LIMIT,
            series_max: rounded_up(load.series() / load.partitions * 2.0),
        }
    }
}

/// Of one model in memory: as `ModelSet::bytes` counts it.
pub(super) fn model_bytes(support_vectors: f64, features: f64) -> f64 {
    let lanes = figures::LANES as f64;
    let padded = (support_vectors / lanes).ceil() * lanes;
    8.0 * (features + 1.0) * padded + 16.0 * features + figures::MODEL_BYTES
}

/// To one digit and a half: 1000, 1500, 2000 …
fn rounded_up(number: f64) -> f64 {
    let step = 10f64.powf(number.max(2000.0).log10().floor()) / 2.0;
    (number / step).ceil() * step
}

//! What partitions and workers do, as the API tells it.

use serde::Serialize;

use types::Micros;

use super::Status;
use super::time::Time;

#[derive(Debug, Default, Serialize)]
pub(super) struct Partitions {
    pub(super) workers: Vec<Worker>,
    pub(super) partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) last_turn_at: Time,
}

#[derive(Debug, Serialize)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) partition: u32,
    /// The instance whose it is: this one.
    pub(super) owner: String,
    pub(super) worker: usize,
    pub(super) phase: String,
    pub(super) why: Option<String>,
    pub(super) claim: Option<u64>,
    pub(super) commit: Option<u64>,
    pub(super) position: Option<i64>,
    pub(super) lag_records: Option<u64>,
    pub(super) lag_seconds: Option<f64>,
    /// The newest event time, and how far it is behind now.
    pub(super) clock: Option<Time>,
    pub(super) clock_delay_seconds: Option<f64>,
    pub(super) open_windows: usize,
    pub(super) closed_rows: usize,
    pub(super) series: usize,
    pub(super) devices: usize,
    pub(super) last_commit_at: Option<Time>,
    pub(super) uncommitted_since: Option<Time>,
    pub(super) uncommitted_seconds: f64,
    pub(super) record_bytes: u64,
    pub(super) state_bytes: u64,
}

/// As the workers say.
pub(super) fn current(_: &Status, _: Micros) -> Partitions {
    Partitions::default()
}

#[cfg(test)]
pub(super) fn example(_: Micros) -> Partitions {
    Partitions::default()
}

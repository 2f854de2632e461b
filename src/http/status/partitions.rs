//! What partitions and workers do, as the API tells it.

use serde::Serialize;
use types::Micros;

use super::Status;
use super::time::{Time, seconds_since};
use crate::pipeline::{Board, PartitionStatus, Phase, WorkerStatus};

#[derive(Debug, Serialize)]
pub(super) struct Partitions {
    workers: Vec<Worker>,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Worker {
    number: usize,
    last_turn_at: Time,
}

#[derive(Debug, Serialize)]
struct Partition {
    topic: String,
    partition: u32,
    /// The instance whose it is: this one.
    owner: String,
    worker: usize,
    phase: Phase,
    why: Option<String>,
    claim: Option<u64>,
    commit: Option<u64>,
    position: Option<i64>,
    lag_records: Option<u64>,
    lag_seconds: Option<f64>,
    clock: Option<Time>,
    clock_delay_seconds: Option<f64>,
    open_windows: usize,
    closed_rows: usize,
    series: usize,
    devices: usize,
    last_commit_at: Option<Time>,
    uncommitted_since: Option<Time>,
    uncommitted_seconds: f64,
    record_bytes: u64,
    state_bytes: u64,
}

/// As the workers say.
pub(super) fn current(status: &Status, now: Micros) -> Partitions {
    of(status.progress.board(), &status.instance, now)
}

fn of(board: Board, owner: &str, now: Micros) -> Partitions {
    let worker = |WorkerStatus { number, last_turn_at, .. }| Worker { number, last_turn_at: Time(last_turn_at) };
    let partitions = board.partitions.into_iter().map(|(id, status)| {
        let PartitionStatus { clock, uncommitted_since, last_commit_at, .. } = status;
        Partition {
            topic: id.topic.to_string(),
            partition: id.index,
            owner: owner.to_owned(),
            worker: status.worker,
            phase: status.phase,
            why: status.why,
            claim: status.claim,
            commit: status.commit,
            position: status.position,
            lag_records: status.lag_records,
            lag_seconds: status.lag_seconds,
            clock: clock.map(Time),
            clock_delay_seconds: clock.map(|clock| seconds_since(clock, now)),
            open_windows: status.open_windows,
            closed_rows: status.closed_rows,
            series: status.series,
            devices: status.devices,
            last_commit_at: last_commit_at.map(Time),
            uncommitted_since: uncommitted_since.map(Time),
            uncommitted_seconds: uncommitted_since.map_or(0.0, |since| seconds_since(since, now)),
            record_bytes: status.record_bytes,
            state_bytes: status.state_bytes,
        }
    });
    Partitions { partitions: partitions.collect(), workers: board.workers.into_iter().map(worker).collect() }
}

/// One partition that reads and one that cannot go on, for the documentation.
#[cfg(test)]
pub(super) fn example(now: Micros) -> Partitions {
    use types::PartitionId;

    let ago = |seconds: i64| Some(now - seconds * 1_000_000);
    let reading = PartitionStatus {
        worker: 0,
        phase: Phase::Reading,
        claim: Some(41),
        commit: Some(97),
        position: Some(120_000),
        lag_records: Some(250),
        lag_seconds: Some(0.4),
        clock: ago(2),
        open_windows: 1200,
        closed_rows: 10,
        series: 1200,
        devices: 240,
        last_commit_at: ago(12),
        uncommitted_since: ago(11),
        record_bytes: 48_211,
        state_bytes: 47_020,
        ..PartitionStatus::default()
    };
    let halted = PartitionStatus {
        worker: 1,
        phase: Phase::Halted,
        why: Some("records 700 to 912 expired before they were read".into()),
        claim: Some(40),
        ..PartitionStatus::default()
    };
    let id = |index| PartitionId { topic: "readings".into(), index };
    let board = Board { workers: Vec::new(), partitions: [(id(0), reading), (id(3), halted)].into() };
    let worker = |number, seconds: i64| Worker { number, last_turn_at: Time(now - seconds * 100_000) };
    Partitions { workers: vec![worker(0, 1), worker(1, 2)], ..of(board, "host-1/4711", now) }
}

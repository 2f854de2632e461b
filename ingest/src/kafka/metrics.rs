//! What the Kafka source counts: once per batch, never per record; no device is a label.

use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Describes every metric of this source, for the reference page and the `/metrics` endpoint.
pub fn describe() {
    describe_gauge!("atalaia_ingest_partitions_assigned", "Partitions that the group gave to a worker");
    describe_gauge!("atalaia_ingest_lag_records", "Records of a partition that were not handed over yet");
    describe_counter!(
        "atalaia_ingest_rebalances_total",
        "Changes of a worker's partitions, by kind: gained, revoked, lost"
    );
    describe_counter!("atalaia_ingest_broker_errors_total", "Errors of brokers that were logged and retried, by kind");
    describe_counter!(
        "atalaia_ingest_stray_records_total",
        "Records of an earlier assignment, or before the position asked for, dropped"
    );
}

pub(super) fn assigned(worker: usize, partitions: usize) {
    gauge!("atalaia_ingest_partitions_assigned", "worker" => worker.to_string()).set(partitions as f64);
}

pub(super) fn lag(partition: i32, records: i64) {
    gauge!("atalaia_ingest_lag_records", "partition" => partition.to_string()).set(records as f64);
}

pub(super) fn rebalanced(kind: &'static str) {
    counter!("atalaia_ingest_rebalances_total", "kind" => kind).increment(1);
}

pub(super) fn broker_error(kind: &str) {
    counter!("atalaia_ingest_broker_errors_total", "kind" => kind.to_owned()).increment(1);
}

pub(super) fn stray(records: u64) {
    if records > 0 {
        counter!("atalaia_ingest_stray_records_total").increment(records);
    }
}

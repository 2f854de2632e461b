//! What every source that shares partitions counts: once per batch or change, never per record; no device is a label.

#![cfg_attr(not(any(feature = "kafka", feature = "event-hubs")), allow(dead_code, reason = "no such source is built"))]

use std::fmt::Display;

use metrics::{counter, describe_counter, describe_gauge, gauge};

/// Describes every metric of the sources, for the reference page and the `/metrics` endpoint.
pub fn describe() {
    describe_gauge!(
        "atalaia_ingest_partitions_assigned",
        "Partitions that are a worker's, by its group or by its claims"
    );
    describe_gauge!("atalaia_ingest_lag_records", "Records of a partition that were not handed over yet");
    describe_counter!(
        "atalaia_ingest_stray_records_total",
        "Records of an earlier assignment, or before the position asked for, dropped"
    );
    counter!("atalaia_ingest_stray_records_total").absolute(0);
    #[cfg(feature = "kafka")]
    crate::kafka::describe_metrics();
    #[cfg(feature = "event-hubs")]
    crate::event_hubs::describe_metrics();
}

pub(crate) fn assigned(worker: usize, partitions: usize) {
    gauge!("atalaia_ingest_partitions_assigned", "worker" => worker.to_string()).set(partitions as f64);
}

pub(crate) fn lag(partition: impl Display, records: i64) {
    gauge!("atalaia_ingest_lag_records", "partition" => partition.to_string()).set(records as f64);
}

/// What is said of a partition that was given up: nothing. The listener leaves such values out.
pub(crate) fn forget(partition: impl Display) {
    gauge!("atalaia_ingest_lag_records", "partition" => partition.to_string()).set(f64::NAN);
}

pub(crate) fn stray(records: u64) {
    if records > 0 {
        counter!("atalaia_ingest_stray_records_total").increment(records);
    }
}

//! What the Kafka source counts besides what all do.

use metrics::{counter, describe_counter};

pub(super) use crate::metrics::{assigned, forget, lag, stray};

pub(crate) fn describe() {
    describe_counter!(
        "atalaia_ingest_rebalances_total",
        "Changes of a worker's partitions, by kind: gained, revoked, lost"
    );
    describe_counter!("atalaia_ingest_broker_errors_total", "Errors of brokers that were logged and retried, by kind");
}

pub(super) fn rebalanced(kind: &'static str) {
    counter!("atalaia_ingest_rebalances_total", "kind" => kind).increment(1);
}

pub(super) fn broker_error(kind: &str) {
    counter!("atalaia_ingest_broker_errors_total", "kind" => kind.to_owned()).increment(1);
}

//! What is counted of sharing partitions: once per change, never per event.

use metrics::{counter, describe_counter, describe_gauge, gauge};

pub(crate) fn describe() {
    describe_gauge!("atalaia_ingest_ownership_partitions", "Partitions of an event hub that a worker has claimed");
    describe_counter!(
        "atalaia_ingest_ownership_changes_total",
        "Claims on partitions of an event hub, by kind: won, taken, refused, lost, expired, stolen"
    );
    describe_counter!(
        "atalaia_ingest_ownership_failures_total",
        "Requests about claims that failed and are tried again, by kind: list, claim, renew, release, checkpoint"
    );
}

/// What became of a claim.
#[derive(Debug, Clone, Copy)]
pub(super) enum Claim {
    /// Nobody had the partition.
    Won,
    /// Another member had more than its share.
    Taken,
    /// Another was quicker.
    Refused,
    /// Another took it from us.
    Lost,
    /// We could not renew it in time.
    Expired,
    /// Another reader took the link.
    Stolen,
}

pub(super) fn partitions(worker: usize, partitions: usize) {
    gauge!("atalaia_ingest_ownership_partitions", "worker" => worker.to_string()).set(partitions as f64);
}

pub(super) fn claim(claim: Claim, count: usize) {
    let kind = match claim {
        Claim::Won => "won",
        Claim::Taken => "taken",
        Claim::Refused => "refused",
        Claim::Lost => "lost",
        Claim::Expired => "expired",
        Claim::Stolen => "stolen",
    };
    counter!("atalaia_ingest_ownership_changes_total", "kind" => kind).increment(count as u64);
}

pub(super) fn failure(kind: &'static str) {
    counter!("atalaia_ingest_ownership_failures_total", "kind" => kind).increment(1);
}

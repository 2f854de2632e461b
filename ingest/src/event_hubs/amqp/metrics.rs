//! What the native source counts besides what all do: once per answer or link.

use metrics::{counter, describe_counter, describe_gauge, gauge};

pub(super) use crate::metrics::{assigned, forget, lag, stray};

pub(crate) fn describe() {
    describe_counter!("atalaia_ingest_connections_total", "Connections to the event hub that were opened");
    describe_counter!(
        "atalaia_ingest_connection_failures_total",
        "Attempts to connect to the event hub that failed, and were repeated, by kind"
    );
    describe_counter!("atalaia_ingest_disconnects_total", "Connections to the event hub that were lost, by kind");
    describe_gauge!("atalaia_ingest_links", "Partitions of the event hub that are being read over a link at present");
    describe_counter!(
        "atalaia_ingest_link_failures_total",
        "Links to partitions that were lost or refused, and attached anew, by kind"
    );
    describe_counter!("atalaia_ingest_partitions_stolen_total", "Partitions whose link another reader took");
    describe_counter!(
        "atalaia_ingest_management_requests_total",
        "Questions about the event hub and its partitions, by outcome: `ok`, or what failed"
    );
    describe_counter!(
        "atalaia_ingest_token_renewals_total",
        "Tokens put before the event hub anew, by outcome: `ok` or `failed`"
    );
}

pub(super) fn connected() {
    counter!("atalaia_ingest_connections_total").increment(1);
}

pub(super) fn connection_failed(reason: &str) {
    counter!("atalaia_ingest_connection_failures_total", "kind" => reason.to_owned()).increment(1);
}

pub(super) fn disconnected(reason: &str) {
    counter!("atalaia_ingest_disconnects_total", "kind" => reason.to_owned()).increment(1);
}

pub(super) fn link_attached() {
    gauge!("atalaia_ingest_links").increment(1.0);
}

pub(super) fn link_gone() {
    gauge!("atalaia_ingest_links").decrement(1.0);
}

pub(super) fn link_failed(reason: &str) {
    counter!("atalaia_ingest_link_failures_total", "kind" => reason.to_owned()).increment(1);
}

pub(super) fn stolen() {
    counter!("atalaia_ingest_partitions_stolen_total").increment(1);
}

pub(super) fn managed(failure: Option<&str>) {
    counter!("atalaia_ingest_management_requests_total", "outcome" => failure.unwrap_or("ok").to_owned()).increment(1);
}

pub(super) fn renewed(is_ok: bool) {
    counter!("atalaia_ingest_token_renewals_total", "outcome" => if is_ok { "ok" } else { "failed" }).increment(1);
}

//! What forwarding counts, by receiver.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const EVENTS: &str = "atalaia_forward_events_total";
const REFUSED: &str = "atalaia_forward_refused_total";
const RETRIES: &str = "atalaia_forward_retries_total";
const LOST_ROWS: &str = "atalaia_forward_lost_rows_total";
const LAG_SECONDS: &str = "atalaia_forward_lag_seconds";
const LAG_COMMITS: &str = "atalaia_forward_lag_commits";

/// Tells the installed recorder what each metric means.
pub fn describe() {
    describe_counter!(EVENTS, "Anomalies that a receiver acknowledged, repetitions included");
    describe_counter!(REFUSED, "Anomalies that a receiver refused for good, and that were passed over");
    describe_counter!(RETRIES, "Times that anomalies could not be sent and were to be sent again");
    describe_counter!(LOST_ROWS, "Rows that were gone before it could be seen whether they are anomalies");
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "Age of the oldest commit whose anomalies are not all acknowledged; 0 if there is none"
    );
    describe_gauge!(LAG_COMMITS, "Commits that were not looked at, or whose anomalies are not all acknowledged");
}

/// There from the beginning, so that the first failure is a change.
pub(crate) fn begun(receiver: &'static str) {
    for name in [EVENTS, REFUSED, RETRIES, LOST_ROWS] {
        counter!(name, "receiver" => receiver).absolute(0);
    }
}

pub(crate) fn sent(receiver: &'static str, events: u64, refused: u64) {
    counter!(EVENTS, "receiver" => receiver).increment(events);
    counter!(REFUSED, "receiver" => receiver).increment(refused);
}

pub(crate) fn retried(receiver: &'static str) {
    counter!(RETRIES, "receiver" => receiver).increment(1);
}

pub(crate) fn lost(receiver: &'static str, rows: u64) {
    counter!(LOST_ROWS, "receiver" => receiver).increment(rows);
}

pub(crate) fn lag(receiver: &'static str, seconds: f64, commits: u64) {
    gauge!(LAG_SECONDS, "receiver" => receiver).set(seconds);
    gauge!(LAG_COMMITS, "receiver" => receiver).set(commits as f64);
}

//! What the sink counts, once a commit.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{Committed, Dataset};

const COMMITS: &str = "atalaia_sink_commits_total";
const ROWS: &str = "atalaia_sink_rows_total";
const FILES: &str = "atalaia_sink_files_total";
const BYTES: &str = "atalaia_sink_bytes_total";
const SECONDS: &str = "atalaia_sink_commit_seconds";
const RETRIES: &str = "atalaia_sink_retries_total";
const STUCK: &str = "atalaia_sink_stuck_partitions";

/// Tells the installed recorder what each metric means.
pub fn describe() {
    describe_counter!(COMMITS, "Commits that became durable");
    describe_counter!(ROWS, "Rows that became durable, by dataset");
    describe_counter!(FILES, "Files that became visible, by dataset");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of files and state that became durable");
    describe_histogram!(SECONDS, Unit::Seconds, "From the beginning of a commit to its end, retries included");
    describe_counter!(RETRIES, "Writes that were tried again");
    describe_gauge!(STUCK, "Partitions whose commit waits for somebody to act");
}

pub(crate) fn wrote(dataset: Dataset, rows: u64) {
    counter!(ROWS, "dataset" => dataset.as_str()).increment(rows);
    counter!(FILES, "dataset" => dataset.as_str()).increment(1);
}

pub(crate) fn committed(committed: &Committed, took: Duration) {
    counter!(COMMITS).increment(1);
    counter!(BYTES).increment(committed.bytes);
    histogram!(SECONDS).record(took.as_secs_f64());
}

pub(crate) fn retried() {
    counter!(RETRIES).increment(1);
}

pub(crate) fn stuck(partitions: usize) {
    gauge!(STUCK).set(partitions as f64);
}

//! What the sink counts, once a commit.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use types::PartitionId;

use crate::record::FileEntry;
use crate::{Committed, Dataset};

const COMMITS: &str = "atalaia_sink_commits_total";
const ROWS: &str = "atalaia_sink_rows_total";
const FILES: &str = "atalaia_sink_files_total";
const BYTES: &str = "atalaia_sink_bytes_total";
const SECONDS: &str = "atalaia_sink_commit_seconds";
const RETRIES: &str = "atalaia_sink_retries_total";
const RECORD_BYTES: &str = "atalaia_sink_record_bytes";
const STATE_BYTES: &str = "atalaia_sink_state_bytes";
const FENCED: &str = "atalaia_sink_fenced_total";
const STUCK: &str = "atalaia_sink_stuck_partitions";
const REQUEST_SECONDS: &str = "atalaia_sink_storage_request_seconds";
const STORAGE_ERRORS: &str = "atalaia_sink_storage_errors_total";

/// Tells the installed recorder what each metric means.
pub fn describe() {
    describe_counter!(COMMITS, "Commits that became durable");
    describe_counter!(ROWS, "Rows that became durable, by dataset");
    describe_counter!(FILES, "Files that became visible, by dataset");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of files and state that became durable");
    describe_histogram!(SECONDS, Unit::Seconds, "From the beginning of a commit to its end, retries included");
    describe_counter!(RETRIES, "Writes that were tried again");
    describe_gauge!(RECORD_BYTES, Unit::Bytes, "Size of the last commit record, refused above 256 MiB; by partition");
    describe_gauge!(STATE_BYTES, Unit::Bytes, "Size of the packed state in the last commit record; by partition");
    describe_counter!(FENCED, "Times that another owner had taken a partition over");
    describe_gauge!(STUCK, "Partitions whose commit waits for somebody to act");
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "From a request to the stores of results and state to its answer, or to its failure, by operation"
    );
    describe_counter!(
        STORAGE_ERRORS,
        "Requests to the stores of results and state that failed, most of which are tried again; by operation and kind"
    );
    // There from the beginning, so that the first failure is a change.
    for name in [RETRIES, FENCED] {
        counter!(name).absolute(0);
    }
}

pub(crate) fn committed(committed: &Committed, files: &[FileEntry]) {
    counter!(COMMITS).increment(1);
    counter!(BYTES).increment(committed.bytes);
    histogram!(SECONDS).record(committed.took.as_secs_f64());
    for dataset in Dataset::ALL {
        let (mut count, mut rows) = (0, 0);
        for file in files.iter().filter(|file| file.dataset == dataset.as_str()) {
            count += 1;
            rows += file.rows;
        }
        if count > 0 {
            counter!(ROWS, "dataset" => dataset.as_str()).increment(rows);
            counter!(FILES, "dataset" => dataset.as_str()).increment(count);
        }
    }
}

/// A record's size decides whether it can be written at all.
pub(crate) fn built(partition: &PartitionId, bytes: u64, state_bytes: u64) {
    let label = partition.index.to_string();
    gauge!(RECORD_BYTES, "partition" => label.clone()).set(bytes as f64);
    if state_bytes > 0 {
        gauge!(STATE_BYTES, "partition" => label).set(state_bytes as f64);
    }
}

/// A partition that was given up shows nothing any more: the listener leaves out what is not a number.
pub(crate) fn forget(partition: &PartitionId) {
    for name in [RECORD_BYTES, STATE_BYTES] {
        gauge!(name, "partition" => partition.index.to_string()).set(f64::NAN);
    }
}

/// That there is no such object, or already one, is an answer.
pub(crate) fn asked(operation: &'static str, took: Duration, error: Option<&store::Error>) {
    histogram!(REQUEST_SECONDS, "operation" => operation).record(took);
    if let Some(kind) = error.and_then(store::Error::word) {
        counter!(STORAGE_ERRORS, "operation" => operation, "kind" => kind).increment(1);
    }
}

pub(crate) fn fenced() {
    counter!(FENCED).increment(1);
}

pub(crate) fn retried() {
    counter!(RETRIES).increment(1);
}

pub(crate) fn stuck(partitions: usize) {
    gauge!(STUCK).set(partitions as f64);
}

//! What scoring counts. Call sites say what happened; how it is counted is known here only.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use types::Status;

const ROWS: &str = "atalaia_score_rows_total";
const MODELS: &str = "atalaia_score_models";
const MODEL_BYTES: &str = "atalaia_score_models_bytes";
const LOAD_SECONDS: &str = "atalaia_score_load_seconds";
const SKIPPED: &str = "atalaia_score_model_files_skipped_total";

/// Registers the descriptions; call it once, after the recorder is in place.
pub fn describe() {
    describe_counter!(ROWS, "Rows judged, by status");
    describe_gauge!(MODELS, "Models loaded");
    describe_gauge!(MODEL_BYTES, "Memory of the models loaded, in bytes");
    describe_gauge!(LOAD_SECONDS, "How long the last loading of models took, in seconds");
    describe_counter!(SKIPPED, "Model files left out because they could not be used");
}

/// Counts of one batch by status, in the order of [`STATUSES`].
pub(crate) fn rows_judged(counts: [u64; STATUSES.len()]) {
    for (status, count) in STATUSES.into_iter().zip(counts) {
        if count > 0 {
            counter!(ROWS, "status" => status.as_str()).increment(count);
        }
    }
}

pub(crate) const STATUSES: [Status; 5] =
    [Status::Scored, Status::NoModel, Status::MissingFeature, Status::TooFew, Status::NonFinite];

pub(crate) fn models_loaded(models: usize, bytes: u64, seconds: f64) {
    gauge!(MODELS).set(models as f64);
    gauge!(MODEL_BYTES).set(bytes as f64);
    gauge!(LOAD_SECONDS).set(seconds);
}

pub(crate) fn file_skipped() {
    counter!(SKIPPED).increment(1);
}

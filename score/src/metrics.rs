//! What scoring counts. Call sites say what happened; how it is counted is known here only.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use types::{Micros, Status};

use crate::Trained;

const ROWS: &str = "atalaia_score_rows_total";
const BATCH_SECONDS: &str = "atalaia_score_batch_seconds";
const SET_INFO: &str = "atalaia_score_model_set_info";
const MODELS: &str = "atalaia_score_models";
const MODEL_BYTES: &str = "atalaia_score_models_bytes";
const LOAD_SECONDS: &str = "atalaia_score_load_seconds";
const OLDEST: &str = "atalaia_score_models_oldest_trained_seconds";
const MEDIAN: &str = "atalaia_score_models_median_trained_seconds";
const UNDATED: &str = "atalaia_score_models_undated";
const AGE: &str = "atalaia_score_models_age_seconds";
const RELOADS: &str = "atalaia_score_reloads_total";
const RELOAD_FAILURES: &str = "atalaia_score_reload_failures_total";
const RELOAD_FAILING: &str = "atalaia_score_reload_failing";
const UNAVAILABLE: &str = "atalaia_score_models_unavailable";
const SKIPPED: &str = "atalaia_score_model_files_skipped_total";

/// Registers the descriptions; call it once, after the recorder is in place.
pub fn describe() {
    describe_counter!(ROWS, "Rows judged, by status");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "How long the rows of one commit took to be judged");
    describe_gauge!(SET_INFO, "The set of models in use, as a label; always 1");
    describe_gauge!(MODELS, "Models loaded");
    describe_gauge!(MODEL_BYTES, "Memory of the models loaded, in bytes");
    describe_gauge!(LOAD_SECONDS, "How long the last loading of models took, in seconds");
    describe_gauge!(
        OLDEST,
        "When the oldest of the models loaded was trained, in seconds since 1970; NaN if none says"
    );
    describe_gauge!(MEDIAN, "When half of the models loaded had been trained, in seconds since 1970; NaN if none says");
    describe_gauge!(UNDATED, "Models loaded that do not say when they were trained");
    describe_gauge!(AGE, "How long ago the models in use were published, in seconds; of plain files the newest counts");
    describe_counter!(RELOADS, "Times that newer models were put to use");
    describe_counter!(RELOAD_FAILURES, "Times that newer models could not be used: those in use stay");
    describe_gauge!(RELOAD_FAILING, "Whether the newest models cannot be used (1): those before them stay in use");
    describe_gauge!(
        UNAVAILABLE,
        "Whether no models could be loaded since the start (1): rows have the status `model_unavailable` then"
    );
    describe_counter!(SKIPPED, "Model files left out because they could not be used");
    // There from the beginning, so that the first failure is a change.
    for name in [RELOADS, RELOAD_FAILURES, SKIPPED] {
        counter!(name).absolute(0);
    }
    for status in STATUSES {
        counter!(ROWS, "status" => status.as_str()).absolute(0);
    }
    reload_failing(false);
}

/// Counts of one batch by status, in the order of [`STATUSES`]; none for an empty batch.
pub(crate) fn rows_judged(counts: [u64; STATUSES.len()], took: Duration) {
    if counts.iter().any(|count| *count > 0) {
        histogram!(BATCH_SECONDS).record(took);
    }
    for (status, count) in STATUSES.into_iter().zip(counts) {
        if count > 0 {
            counter!(ROWS, "status" => status.as_str()).increment(count);
        }
    }
}

pub(crate) const STATUSES: [Status; 6] = [
    Status::Scored,
    Status::NoModel,
    Status::MissingFeature,
    Status::TooFew,
    Status::NonFinite,
    Status::ModelUnavailable,
];

/// Another set is in use from now on: the one before shows no more. The listener leaves out what is not a number.
pub(crate) fn set_in_use(set: &str, before: Option<&str>) {
    if let Some(before) = before {
        gauge!(SET_INFO, "model_set" => before.to_owned()).set(f64::NAN);
    }
    gauge!(SET_INFO, "model_set" => set.to_owned()).set(1.0);
}

pub(crate) fn models_loaded(models: usize, bytes: u64, seconds: f64) {
    gauge!(MODELS).set(models as f64);
    gauge!(MODEL_BYTES).set(bytes as f64);
    gauge!(LOAD_SECONDS).set(seconds);
}

pub(crate) fn models_trained(trained: &Trained) {
    let seconds = |time: Option<Micros>| time.map_or(f64::NAN, |micros| micros as f64 / 1e6);
    gauge!(OLDEST).set(seconds(trained.oldest));
    gauge!(MEDIAN).set(seconds(trained.median));
    gauge!(UNDATED).set(trained.undated as f64);
}

pub(crate) fn file_skipped() {
    counter!(SKIPPED).increment(1);
}

/// How old the models in use are.
pub fn models_age(seconds: f64) {
    gauge!(AGE).set(seconds);
}

pub fn reloaded() {
    counter!(RELOADS).increment(1);
}

pub fn reload_failed() {
    counter!(RELOAD_FAILURES).increment(1);
}

/// Failures are counted once for each set that is no good; this lasts until there is a better one.
pub fn reload_failing(is_failing: bool) {
    gauge!(RELOAD_FAILING).set(f64::from(u8::from(is_failing)));
}

pub fn unavailable(are_unavailable: bool) {
    gauge!(UNAVAILABLE).set(f64::from(u8::from(are_unavailable)));
}

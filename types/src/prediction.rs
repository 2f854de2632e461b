//! What scoring says of each closed window.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a row has a decision, or has none. A row is never dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Scored,
    /// Neither the key nor a default has a model.
    NoModel,
    /// The models cannot be loaded yet.
    ModelUnavailable,
    /// The model wants a feature that this window does not have (the `std` of one reading, the `delta` after a gap).
    MissingFeature,
    /// Fewer readings than `score.min_readings`.
    TooFew,
    /// A feature or the decision is not a finite number.
    NonFinite,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Scored => "scored",
            Status::NoModel => "no_model",
            Status::ModelUnavailable => "model_unavailable",
            Status::MissingFeature => "missing_feature",
            Status::TooFew => "too_few",
            Status::NonFinite => "non_finite",
        }
    }
}

/// Scores of a batch of windows: columns of the same length and order as the `WindowRows` they were made from.
///
/// Numbers are none where `status` says that there is no score.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    pub status: Vec<Status>,
    /// Signed distance to the boundary as scikit-learn's `decision_function` gives it; an imported model calls
    /// `decision <= 0` an anomaly.
    pub decision: Vec<Option<f64>>,
    /// Higher is more anomalous; only where the model defines it.
    pub severity: Vec<Option<f64>>,
    /// What `severity` is compared with; none for models judged by the sign of `decision`.
    pub threshold: Vec<Option<f64>>,
    /// False for a row without a score.
    pub is_anomaly: Vec<bool>,
    /// Index into `models`; none for a row without a model.
    pub model: Vec<Option<u32>>,
    /// The feature whose setting to its training mean moves the decision most, for anomalous rows of models that have several.
    pub top_feature: Vec<Option<Arc<str>>>,
    /// The models that scored this batch: each one's key and version.
    pub models: Vec<ModelRef>,
    /// The set they all belong to: one batch is scored by one set.
    pub model_set: Arc<str>,
}

/// Names a model in an output row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    pub key: Arc<str>,
    pub version: Arc<str>,
}

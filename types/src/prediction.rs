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

/// Scores of a batch of windows: columns of the same length and order as the `WindowRows` they were made from or, where models
/// take whole devices, as `devices`.
///
/// Numbers are none where `status` says that there is no score.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    pub status: Vec<Status>,
    /// Signed distance to the boundary as scikit-learn's `decision_function` gives it; an imported model calls
    /// `decision <= 0` an anomaly.
    pub decision: Vec<Option<f64>>,
    /// Higher is more anomalous; only where the model defines it. Where it smooths, the mean over adjacent windows.
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
    /// What each score is of, where models take whole devices; none: score `i` is of window row `i`.
    pub devices: Option<DeviceRows>,
}

/// Windows of whole devices: each is made of the window rows of its sensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceRows {
    /// One of its window rows: device, window and what closed it are the same in all of them.
    pub row: Vec<u32>,
    /// Readings of all its sensors.
    pub count: Vec<u64>,
    /// What the models were given, one device after the other: the feature's name, and its value unless it was missing.
    pub features: Vec<(Arc<str>, Option<f64>)>,
    /// For each device the end of its part of `features`.
    pub ends: Vec<usize>,
}

impl Scores {
    #[must_use]
    pub fn len(&self) -> usize {
        self.status.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.status.is_empty()
    }

    /// The window row that a score is of, or one of them.
    #[inline]
    #[must_use]
    pub fn window_row(&self, score: usize) -> usize {
        self.devices.as_ref().map_or(score, |devices| devices.row[score] as usize)
    }
}

impl DeviceRows {
    /// What a device's model was given.
    #[must_use]
    pub fn features(&self, device: usize) -> &[(Arc<str>, Option<f64>)] {
        let from = device.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.features[from..self.ends[device]]
    }
}

/// Names a model in an output row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    pub key: Arc<str>,
    pub version: Arc<str>,
}

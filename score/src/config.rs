//! `[score]` and `[models]`: which models judge the windows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

/// Which models judge the windows, and on which features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the models are: a folder or URL (`az://container/prefix/`, `abfss://…`, `s3://…`, `https://…`) that holds a registry's Parquet files or scikit-learn
    /// files. Empty: every row has the status `no_model`.
    pub models: String,
    /// How scikit-learn files under `models` are named: `{device}` and `{sensor}` stand for the model key.
    pub template: String,
    /// What a model belongs to: `series` (device and sensor).
    pub key: Key,
    /// The statistics that make up the feature vector, in the model's order, where the model does not name its own: `count`, `sum`, `mean`, `min`,
    /// `max`, `first`, `last`, `std`, `std_pop`, `delta`.
    pub features: Vec<Feature>,
    /// Windows with fewer readings get the status `too_few`.
    pub min_readings: u64,
    /// How long loading the models may take at start before it is reported as failed.
    pub load_timeout: Span,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    #[default]
    Series,
}

/// A statistic of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Std,
    StdPop,
    Delta,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            models: String::new(),
            template: "model_{device}_{sensor}".into(),
            key: Key::Series,
            features: vec![Feature::Mean],
            min_readings: 1,
            load_timeout: Span::from_secs(300),
        }
    }
}

//! `[score]`: which models judge the windows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

use crate::set::Entry;
use crate::{Feature, ModelSet, Statistic};

/// Which models judge the windows, and on which features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the models are: a folder or URL (`az://container/prefix/`, `abfss://…`, `s3://…`, `https://…`) that holds a registry's Parquet files or scikit-learn
    /// files. Empty: every row has the status `no_model`.
    pub models: String,
    /// How scikit-learn files under `models` are named, from there on: `{device}` and `{sensor}` stand for the model key and match anything but `/`. Examples:
    /// `model_{device}_{sensor}`, `{device}/{sensor}/model.pkl`, for models of whole devices `model_{device}`. Other files are left alone; a name that can be
    /// read in two ways is refused.
    pub template: String,
    /// A CSV file below `models` that says whose model each file is, for names that no template can read: a header `device,sensor,file`, then a line for each
    /// model. Without a sensor it is the model of a whole device, without a device the sensor's default, without both the default for all. Files that it does
    /// not name are left alone. Empty: `template` reads the names.
    pub mapping: String,
    /// What a model belongs to: `series` (device and sensor: a row for each of its windows), or `device` (all sensors of a device together: one row for
    /// each of the device's windows, from features like `temp.mean`).
    pub key: Key,
    /// The statistics that make up the feature vector, in the model's order, where the model does not name its own: `count`, `sum`, `mean`, `min`,
    /// `max`, `first`, `last`, `std`, `std_pop`, `delta`; for models of whole devices with the sensor in front, like `temp.mean`.
    pub features: Vec<Feature>,
    /// What the columns that a scikit-learn model was trained on are, where their names are no features: `temp_mean = "temp.mean"`. A model with a column that
    /// is neither a feature nor named here is refused. Models that were trained without names take the list in `features`.
    pub feature_names: BTreeMap<String, Feature>,
    /// What becomes of a window that lacks a feature of its model (the `std` of one reading, the `delta` after a gap, a sensor that was silent): `skip` gives
    /// its row the status `missing_feature`; `mean` takes the feature's mean in training, where the model knows it and fewer than half are missing. By
    /// default `skip` for models of series and `mean` for those of devices, which would often lack some feature of some sensor.
    pub missing_feature: Option<MissingFeature>,
    /// Windows with fewer readings get the status `too_few`; for models of devices, windows in which one of the model's sensors has fewer.
    pub min_readings: u64,
    /// How long loading the models may take at start before it is reported as failed.
    pub load_timeout: Span,
    /// How often `run` looks for newer models. They are loaded beside those in use and put in their place between two commits; what cannot be used is
    /// logged and counted, and those in use stay. 0: never.
    pub poll_interval: Span,
    /// How long `run` waits at its start for models whose store does not answer. Then it begins without: rows get the status `model_unavailable`, and loading
    /// goes on in the background.
    pub model_wait: Span,
    /// What to do about a model file that cannot be used: `refuse` stops the start (later: keeps the models in use) and names the file; `skip` leaves the file out, with a
    /// warning and a count, and its rows get the status `no_model`.
    pub on_bad_model: OnBadModel,
    /// Compute every decision in the order of operations and with the `exp` of the C library, as scikit-learn does, so that decisions agree to the last
    /// bit. By default that is done for models with fewer than 16 support vectors; larger ones take a vectorised path, several times faster, that agrees
    /// within 1e-12 of the size of the decision's terms.
    pub exact: bool,
    /// Models are only looked at, and may belong to whatever they do.
    #[serde(skip)]
    pub any_key: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    #[default]
    Series,
    Device,
}

impl Key {
    /// The word in the configuration.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Key::Series => "series",
            Key::Device => "device",
        }
    }
}

impl Config {
    /// What becomes of a window that lacks a feature of its model.
    #[must_use]
    pub fn missing_feature(&self) -> MissingFeature {
        self.missing_feature.unwrap_or(match self.key {
            Key::Series => MissingFeature::Skip,
            Key::Device => MissingFeature::Mean,
        })
    }
}

/// What becomes of a window that lacks a feature of its model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingFeature {
    #[default]
    Skip,
    Mean,
}

impl MissingFeature {
    /// Whether means may stand in where so many of a model's features are missing: where it is half of them or more there is
    /// too little left to judge, and what is all mean would look like the most normal window of all.
    #[must_use]
    pub fn may_stand_in(self, missing: usize, of: usize) -> bool {
        self == MissingFeature::Mean && 2 * missing < of
    }

    /// What is taken in place of the feature at `place`, if anything.
    pub(crate) fn stand_in(self, set: &ModelSet, entry: &Entry, place: usize) -> Option<f64> {
        match self {
            MissingFeature::Skip => None,
            MissingFeature::Mean => set.centre(entry)?.get(place).copied(),
        }
    }
}

/// What to do about a model file that cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadModel {
    #[default]
    Refuse,
    Skip,
}

/// The default, as for series.
const TEMPLATE: &str = "model_{device}_{sensor}";

impl Config {
    /// The configured template; the default one is another for models of whole devices.
    #[must_use]
    pub fn template(&self) -> &str {
        match self.key {
            Key::Device if self.template == TEMPLATE => "model_{device}",
            _ => &self.template,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            models: String::new(),
            template: TEMPLATE.into(),
            mapping: String::new(),
            key: Key::Series,
            missing_feature: None,
            features: vec![Feature::from(Statistic::Mean)],
            feature_names: BTreeMap::new(),
            min_readings: 1,
            load_timeout: Span::from_secs(300),
            poll_interval: Span::from_secs(60),
            model_wait: Span::from_secs(300),
            on_bad_model: OnBadModel::Refuse,
            exact: false,
            any_key: false,
        }
    }
}

//! One document made of each stage's own configuration.
//!
//! A file (TOML or JSON), environment variables and `--set` are merged into one tree, checked against the schema that the
//! stages' own structs give, and read into [`Config`]. What a setting means stands beside the code that uses it, as its doc comment;

mod check;
mod error;
mod file;
pub mod forwarding;
mod load;
pub mod otlp;
mod overrides;
#[cfg(test)]
mod reference;
pub mod run;
mod schema;
mod suggest;
pub mod telemetry;
mod tree;
mod validate;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::{Error, Origin, Problem};
pub use load::{Loaded, Sources, load, read};
pub use suggest::nearest;
pub use validate::{Verdict, validate};

/// Every setting with a word on it, as `atalaia init` writes it without a sample.
pub const EXAMPLE: &str = include_str!("../pipeline.example.toml");

/// Configuration of an Atalaia pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Names the pipeline in its results and its state: 1 to 100 letters, digits, `.`, `_` or `-`. One pipeline reads one topic. Two pipelines
    /// that write below one folder need different names.
    pub pipeline: String,
    pub ingest: ingest::Config,
    pub aggregate: aggregate::Config,
    pub score: score::Config,
    pub models: Models,
    pub sink: sink::Config,
    pub forward: forward::Config,
    pub storage: store::Config,
    pub telemetry: telemetry::Config,
    pub run: run::Config,
}

/// Where models are kept, as far as it differs from where results go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// Credentials and endpoint of the models' store. Left out: those of `[storage]`. A section that is there replaces
    /// them as a whole, also an empty one.
    pub storage: Option<store::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            pipeline: "atalaia".into(),
            ingest: ingest::Config::default(),
            aggregate: aggregate::Config::default(),
            score: score::Config::default(),
            models: Models::default(),
            sink: sink::Config::default(),
            forward: forward::Config::default(),
            storage: store::Config::default(),
            telemetry: telemetry::Config::default(),
            run: run::Config::default(),
        }
    }
}

impl Config {
    /// The credentials and endpoint with which models are read.
    #[must_use]
    pub fn model_storage(&self) -> &store::Config {
        self.models.storage.as_ref().unwrap_or(&self.storage)
    }
}

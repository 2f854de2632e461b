//! Closed windows -> scores: reading models, holding them, judging windows by them.
//!
//! A [`ModelSet`] is immutable and shared by everybody; a [`Scorer`] belongs to one partition and remembers which
//! model judges which series. Nothing here knows where windows come from or where scores go, and no model file can
//! make it run anything: scikit-learn's pickles are read as plain data (`pickle`).

mod config;
mod error;
mod feature;
mod kernel;
mod load;
pub mod metrics;
mod model;
pub mod pickle;
pub mod registry;
mod scorer;
mod set;
mod severity;
mod single;
mod steps;
mod template;
#[cfg(test)]
mod testing;
mod train;

pub use config::{Config, Key, MissingFeature, OnBadModel};
pub use error::{Error, Kind};
pub use feature::{Feature, Statistic};
pub use load::{load, read_models};
pub use model::{Flaw, Kernel, Model, ModelKey, Threshold};
pub use registry::{Written, write_registry};
pub use scorer::Scorer;
pub use set::{ModelSet, Summary};
pub use steps::Step;
pub use train::{
    Gamma, Preparation, Solver, ThresholdRule, TrainOptions, TrainReport, Trained, TrainingRows, Trim, Untrained,
    Warning, train,
};

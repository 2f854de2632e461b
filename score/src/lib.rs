//! Closed windows -> scores: reading models, holding them, judging windows by them.
//!
//! A [`ModelSet`] is immutable and shared by everybody; a [`Scorer`] belongs to one partition and remembers which
//! model judges which series. Nothing here knows where windows come from or where scores go, and no model file can
//! make it run anything: model files are read as plain data (`import`).

mod config;
mod error;
mod explain;
mod feature;
mod find;
mod fit;
pub mod import;
mod kernel;
mod load;
mod many;
mod mapping;
pub mod metrics;
mod model;
mod models;
mod place;
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
mod trained;

pub use config::{Config, Key, MissingFeature, OnBadModel};
pub use error::{Error, Kind};
pub use explain::{Contribution, Explanation, Judgement, OfSensor, Unexplained, explain};
pub use feature::{Feature, Statistic};
pub use load::{load, read_model, read_models};
pub use many::read_many;
pub use model::{Flaw, Kernel, Model, ModelKey, Threshold};
pub use models::Models;
pub use place::Place;
pub use registry::{Written, write_registry};
pub use scorer::{Scorer, TopFeature, Trail};
pub use set::{ModelSet, Summary};
pub use single::Judge;
pub use steps::Step;
pub use train::{
    Gamma, Preparation, Solver, ThresholdRule, TrainOptions, TrainReport, TrainedModel, TrainingRows, Trim, Untrained,
    Warning, train,
};
pub use trained::Trained;

//! Predictions, refusals and positions -> durable, together.
//!
//! The seam is in [`Sink`]: `recover`, `encode`, `begin`, `poll`. What happens behind it (at least once today: files
//! first, then one state object) is not the pipeline's business. [`Sinks::open`] checks the places once;
//! [`Sinks::partition`] gives each partition its own, independent sink.

mod config;
mod encode;
mod error;
mod health;
mod metrics;
mod names;
mod partition;
mod place;
mod seam;
mod sinks;
mod state;
mod writer;

#[cfg(test)]
mod contract;

pub use config::Config;
pub use encode::{Column, Dataset};
pub use error::{Error, Kind};
pub use health::{Health, Trouble};
pub use metrics::describe as describe_metrics;
pub use partition::PartitionSink;
pub use seam::{Commit, Committed, Frozen, Outcome, Recovered, Sink};
pub use sinks::{Identity, Paths, Places, Sinks};

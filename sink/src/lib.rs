//! Predictions, refusals and positions -> durable, together.
//!
//! The seam is in [`Sink`]: `claim`, `encode`, `begin`, `poll`. Behind it, exactly once: [`machine`] is the protocol, pure;
//! `driver` carries it out; [`record`] is what a commit is. [`Sinks::open`] checks the places once; [`Sinks::partition`]
//! gives each partition its own, independent sink.

pub mod admin;
mod attention;
pub mod audit;
mod build;
mod claim;
mod clock;
mod config;
mod create;
mod driver;
mod encode;
mod error;
mod follow_up;
mod handover;
mod health;
mod log;
pub mod machine;
mod metrics;
mod names;
mod partition;
mod place;
mod preflight;
pub mod record;
mod retries;
mod seam;
mod shards;
mod sinks;

#[cfg(test)]
mod contract;

pub use clock::Clock;
pub use config::Config;
pub use encode::{Column, Dataset, RunRow, RunRows};
pub use error::{Error, Kind};
pub use health::{Health, Trouble};
pub use metrics::describe as describe_metrics;
pub use names::Genesis;
pub use partition::PartitionSink;
pub use retries::Patience;
pub use seam::{Claim, Claimed, Commit, Committed, Frozen, Outcome, Resumed, Sink};
pub use sinks::{Identity, Paths, Places, Sinks, Workings, instance};

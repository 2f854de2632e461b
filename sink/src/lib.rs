//! Predictions, refusals and positions -> durable, together.
//!
//! The seam is in [`Sink`]: `recover`, `encode`, `begin`, `poll`. What happens behind it (at least once today) is not
//! the pipeline's business.

mod config;
mod error;
mod seam;

pub use config::Config;
pub use error::Error;
pub use seam::{Commit, Committed, Frozen, Outcome, Recovered, Sink};

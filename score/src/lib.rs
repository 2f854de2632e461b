//! Closed windows -> scores (skeleton).
mod config;
pub use config::{Config, Feature, Key};

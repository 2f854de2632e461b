//! Readings -> closed windows (skeleton).
mod config;
pub use config::{Clock, Config};

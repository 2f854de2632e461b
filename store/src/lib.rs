//! Object stores by URL, with credentials from the configuration (skeleton).
mod config;
pub use config::Config;

//! The parts of the `atalaia` binary, as a library so that tests can run the pipeline in process.

pub mod cli;
mod commands;
pub mod core_dumps;
pub mod failure;
mod forwarding;
mod http;
mod memory;
pub mod paint;
pub mod pipeline;
mod probes;
pub mod process;
mod reload;
mod runtime;
mod scrape;
mod settings;
pub mod shutdown;
mod telemetry;
mod terminal;
mod wall;

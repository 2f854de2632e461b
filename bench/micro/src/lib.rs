//! The hot path, stage by stage, with its input at hand: what is timed, has its instructions counted, and is watched for
//! allocations.
//!
//! Stages are called as the pipeline's tasks call them (`src/pipeline/task/fold.rs`, `commit.rs`). Measuring is left to
//! `benches/micro` and `tests/allocations.rs`, which share the work that is described here.

mod closing;
mod decoding;
pub mod fleet;
pub mod folding;
mod observing;
pub mod scoring;
mod sinking;
mod snapshots;
mod work;

pub use work::{CASES, Case, Work};

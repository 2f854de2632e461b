//! A topic in memory: what pipeline tests read instead of a broker.
//!
//! [`Topic`] is the broker and outlives its readers, so that a test can stop a pipeline, append, take a partition away
//! and start again; [`MemorySource`] is one reader of all its partitions. Nothing happens that the test did not say.

mod reader;
mod scripted;
mod source;
mod topic;

pub use scripted::Scripted;
pub use source::MemorySource;
pub use topic::{Owned, Topic};

#[cfg(test)]
mod tests;

//! Where a record stands in its source.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One partition of one topic. For files and the simulated fleet the topic is a name made from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId {
    pub topic: Arc<str>,
    pub index: u32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.index)
    }
}

/// The *next* record to read: a Kafka offset, an Event Hubs sequence number, a record's number in files.
///
/// The position after record `n` is `n + 1`; positions only grow, and are never assumed dense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position(pub i64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! `[run]`: how much of the machine a process takes, and how it leaves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use types::Span;

/// How much of the machine a process takes, and how it leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Number of worker threads. Each is a member of the consumer group and works on its own partitions, so that more workers than partitions idle.
    /// Left out: one for each core.
    pub workers: Option<usize>,
    /// Most records that a source hands over at once. Results do not depend on it.
    pub batch_records: usize,
    /// Most bytes of closed rows and quarantine samples that wait in memory to be written, over all partitions. Beyond it, partitions
    /// are paused until the store has caught up.
    pub pending_bytes_max: usize,
    /// Memory that the process is meant to keep to, in bytes: warned of at 80 %; near all of it, partitions with rows to write are paused until
    /// these are written. Left out: three quarters of what the container grants or the machine has.
    pub memory_bytes_max: Option<u64>,
    /// How long an orderly end (SIGTERM) may take: reading stops, what is due is committed. Keep it below the grace period of the container platform.
    pub shutdown_grace: Span,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            workers: None,
            batch_records: 4096,
            pending_bytes_max: 256 << 20,
            memory_bytes_max: None,
            shutdown_grace: Span::from_secs(10),
        }
    }
}

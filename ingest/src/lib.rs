//! A record from a broker or a file -> readings or a reject, with its position.
//!
//! Two halves: sources hand over owned batches of raw records, and the decoder turns one record into readings, without
//! I/O, inside the partition's task. What a reading means in time is the next stage's business.

mod anchor;
mod config;
#[cfg(any(test, feature = "testing"))]
pub mod contract;
pub mod decode;
mod error;
pub mod event_hubs;
pub mod files;
pub mod kafka;
mod loopback;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod metrics;
#[cfg(any(feature = "kafka", feature = "testing", test))]
mod mutant;
#[cfg(any(feature = "kafka", feature = "event-hubs"))]
mod news;
mod records;
mod shard;
pub mod simulated;
mod source;
mod trace;

pub use anchor::{Anchor, Extent, Held};
pub use config::{Config, OnGap, SourceKind};
pub use error::{Error, Kind};
pub use loopback::{host_of, is_loopback};
pub use metrics::describe as describe_metrics;
pub use records::{Given, RawRecord, Records, Wanted};
pub use shard::Shard;
pub use source::{Bound, Claim, Polled, Sharing, Source, Start, Trouble};
pub use trace::{TRACES_MAX, TraceContext};

//! Anomalies that are durable -> events at a Kafka topic or a webhook, at least once.
//!
//! One idea: a [`Follower`] reads the log of commits behind those who write it. Nothing waits for it, and it changes nothing of theirs: it
//! looks at commits newer than its [`Cursor`], sends their anomalies in order, and moves the cursor when the receiver has acknowledged them.
//! Each receiver has a follower and cursors of its own, so one that is away holds back no other (docs/decisions/0026).
//! Where commits come from is behind [`Log`]: the crate knows nothing of windows, sources or the form of records.

mod backoff;
pub mod config;
mod cursor;
mod error;
mod event;
mod follower;
#[cfg(feature = "receivers")]
pub mod kafka;
mod log;
mod metrics;
mod receiver;
mod rows;
mod tell;
#[cfg(feature = "receivers")]
pub mod webhook;

#[cfg(test)]
mod testing;

pub use config::{Begin, Config};
pub use cursor::{Cursor, Cursors, Moved, Stored, StoredCursors};
pub use error::Error;
pub use event::{CONTENT_TYPE, CONTENT_TYPE_BATCH, Event};
pub use follower::{Follower, Guards, Heads, Settings, Turn};
pub use log::{Commit, File, Log, Unlogged};
pub use metrics::describe as describe_metrics;
pub use receiver::{Failure, Receiver, Refusal};
pub use rows::Rows;

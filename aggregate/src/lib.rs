//! Readings -> closed windows: the rules of time and the aggregates of one source partition.
//!
//! Pure: what comes out is a function of the log that went in. No I/O, no wall clock, no randomness, so that batch
//! sizes, restarts and the moments at which rows are handed on cannot change a result. The rules are those of
//! `tests/timespec`, and that specification is the judge. Decoding, scoring and storage are left to others.

mod alarms;
mod boundaries;
mod clock;
mod closing;
mod codec;
mod config;
mod devices;
mod error;
mod further;
mod grid;
mod interner;
mod restore;
mod settings;
mod slots;
mod snapshot;
mod taking;
mod tally;
mod windows;

pub use boundaries::Boundaries;
pub use config::{Clock, Config};
pub use error::Error;
pub use interner::Series;
pub use settings::Settings;
pub use snapshot::SnapshotFacts;
pub use taking::TakeLimit;
pub use tally::Tally;
pub use windows::{Arrival, Close, NAME_BYTES_MEAN, Refusal, Refused, Windows};

//! The nouns every stage speaks: readings, windows, scores, refusals, partitions and positions.
//!
//! A leaf: no async, no clock, and no I/O but where a [`Secret`] is revealed. A type starts beside the interface it serves and
//! moves here when a second crate needs it.

mod duration;
mod ledger;
mod partition;
mod prediction;
mod reading;
mod refused;
mod secret;
mod window;

pub use duration::{Span, parse_span};
pub use ledger::Ledger;
pub use partition::{PartitionId, Position};
pub use prediction::{DeviceRows, ModelRef, Scores, Status};
pub use reading::{Micros, Reading};
pub use refused::{LateReading, LateReadings, Quarantine, QuarantineRun, Reason, Refusal};
pub use secret::Secret;
pub use window::{ClosedBy, SeriesNames, WindowRows};

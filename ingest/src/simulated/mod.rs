//! A simulated fleet of devices: readings with daily cycles, noise, sensor faults and odd devices, and the truth about
//! them.
//!
//! Everything is a function of the seed and the settings, with integers and IEEE additions and multiplications only
//! (no `sin`, `exp` or `ln` of a platform's library), so that a fleet is the same bytes on every machine.
//! A partition can be regenerated and skipped to any position, which makes the fleet a source like any other.
//! What the readings mean, and whether a fault was found, is for the later stages.

mod config;
mod device;
mod encode;
mod fleet;
mod random;
mod schedule;
mod sensors;
mod source;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{Config, Habits, Moment};
pub use encode::{Encoder, write_truth_csv, write_truth_jsonl};
pub use fleet::Fleet;
pub use schedule::{Episode, FaultKind};
pub use source::SimulatedSource;
pub use stream::{Content, Damage, Event, Events, PartitionEvents};

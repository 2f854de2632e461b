//! Which partitions of the hub are this member's: asked of whoever knows, and never decided by the source.
//!
//! The one idea: a membership is looked at, never waited for. It tells of changes in order, wakes the source when there are
//! some, and takes notes of how far reading got. That a partition is never committed by two does not rest on it.

mod fixed;

use std::sync::Arc;

pub use fixed::Static;

use crate::Error;

/// A change of this member's partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// May be empty: it was looked, and there is nothing for us (yet).
    Gained(Vec<u32>),
    Lost(Vec<u32>),
}

/// Called, from any thread, when there may be changes; it returns at once.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// How the members of a consumer group share partitions. Owned and asked by one source.
pub trait Membership: Send {
    /// Told once, before anything is asked.
    fn begin(&mut self, wake: Wake);

    /// The hub has the partitions `0..count`: told at the start, and again about once a minute. Before that nothing is known of the
    /// hub, and nothing can be gained.
    fn hub_has(&mut self, count: u32);

    /// What changed since the last time, in order; never waits. Asked several times a second, and after each wake. A partition
    /// is gained and lost in turns, and gained first.
    ///
    /// # Errors
    /// Only what cannot heal by waiting; everything else is logged, counted and retried inside.
    fn changes(&mut self) -> Result<Vec<Change>, Error>;

    /// The durable state of a partition reaches to this event and includes it. Advisory; returns at once.
    fn acknowledge(&self, partition: u32, sequence_number: i64, offset: Option<&str>);

    /// Another reader took the partition's link away from us. The source has told of the loss already: the membership tells of
    /// it no more, and the partition comes back only as gained anew.
    fn stolen(&self, partition: u32);

    /// Gives up everything in good order, within five seconds. Nothing is asked afterwards.
    fn leave(&mut self);
}

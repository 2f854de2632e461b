//! One partition as its reader sees it: where it stands, what it read last, and what it drops.

use std::time::Instant;

use types::{PartitionId, Position};

use super::topic::{Partition, Stray};
use crate::{Anchor, Error, Held, mutant};

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) id: PartitionId,
    /// The stay this reader knows of.
    pub(super) stay: u64,
    /// How often it was started: what belongs to an earlier time is nothing to it.
    pub(super) generation: u64,
    pub(super) phase: Phase,
    pub(super) next: i64,
    /// The record handed over last: it has to be there still.
    pub(super) last: Option<Anchor>,
    pub(super) bound: Option<i64>,
    pub(super) is_paused: bool,
    /// The position last told as the end, and when.
    pub(super) caught_up: Option<(i64, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Absent,
    Waiting,
    Started,
    Ended,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(id: PartitionId) -> Self {
        Reader {
            id,
            stay: 0,
            generation: 0,
            phase: Phase::Absent,
            next: 0,
            last: None,
            bound: None,
            is_paused: false,
            caught_up: None,
        }
    }

    /// Whether this stay goes on.
    pub(super) fn is_fed_by(&self, partition: &Partition) -> bool {
        partition.stay.is_ours && partition.stay.number == self.stay
    }

    pub(super) fn is_reading(&self, partition: &Partition) -> bool {
        self.phase == Phase::Started && !self.is_paused && self.is_fed_by(partition)
    }

    pub(super) fn start(&mut self, position: Position) {
        self.generation += 1;
        self.phase = Phase::Started;
        self.next = position.0;
        self.last = None;
        self.caught_up = None;
    }

    /// Whether a record that was sent out of turn is dropped.
    pub(super) fn drops(&self, stray: Stray) -> bool {
        let is_old = stray.is_of_earlier_start && mutant::has_generation_filter();
        let is_below = !stray.is_of_earlier_start && stray.position < self.next && mutant::has_position_filter();
        is_old || is_below
    }

    pub(super) fn stop(&mut self) {
        self.phase = Phase::Waiting;
        self.is_paused = false;
    }

    pub(super) fn check(&self, partition: &Partition) -> Result<(), Error> {
        partition.extent().check(&self.id, Position(self.next))?;
        match self.last.map(|read| (read, partition.held(Position(read.position)))) {
            Some((read, Held::Record(found))) if found != read => {
                Err(Error::Rewritten { partition: self.id.clone(), read, found })
            }
            _ => Ok(()),
        }
    }
}

//! One situation, written down poll by poll.

use std::collections::VecDeque;
use std::time::Duration;

use types::{PartitionId, Position};

use crate::{Error, Polled, Source, Start};

/// A source that repeats a list of what polls bring, then is idle: for tests of one situation.
#[derive(Debug, Default)]
pub struct Scripted {
    pub script: VecDeque<Polled>,
    /// What the pipeline started, in order.
    pub started: Vec<(PartitionId, Position)>,
    /// What it stopped.
    pub stopped: Vec<PartitionId>,
}

impl Source for Scripted {
    fn poll(&mut self, _: Duration) -> Result<Polled, Error> {
        Ok(self.script.pop_front().unwrap_or(Polled::Idle))
    }

    fn resolve(&mut self, _: &PartitionId, _: Start) -> Result<Position, Error> {
        Ok(Position(0))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        self.started.push((partition.clone(), position));
        Ok(())
    }

    fn stop(&mut self, partition: &PartitionId) {
        self.stopped.push(partition.clone());
    }

    fn pause(&mut self, _: &PartitionId) {}
    fn resume(&mut self, _: &PartitionId) {}
    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}
    fn leave(&mut self) {}
}

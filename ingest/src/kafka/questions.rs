//! Questions about a topic from outside its group: for commands that look at a pipeline while others run it.

use std::sync::Arc;

use types::{PartitionId, Position};

use super::Config;
use super::inquirer::Inquirer;
use crate::{Error, Extent, Held, Start};

/// Asks with the configuration's own credentials. It joins no group, and commits nothing.
pub struct Questions {
    topic: Arc<str>,
    inquirer: Inquirer,
}

impl Questions {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Questions { topic: config.topic.as_str().into(), inquirer: Inquirer::new(config.clone()) }
    }

    /// # Errors
    /// If the brokers do not answer, or the topic is gone.
    pub fn partitions(&mut self) -> Result<u32, Error> {
        self.inquirer.partitions()
    }

    /// What the topic holds of a partition.
    ///
    /// # Errors
    /// As `partitions`; also if there is no such partition.
    pub fn extent(&mut self, partition: &PartitionId) -> Result<Extent, Error> {
        self.inquirer.extent(self.index(partition)?)
    }

    /// Turns a policy into a number.
    ///
    /// # Errors
    /// As `extent`.
    pub fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        let extent = self.extent(partition)?;
        self.inquirer.resolve(self.index(partition)?, start, extent)
    }

    /// The record at exactly this position.
    ///
    /// # Errors
    /// As `extent`.
    pub fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        self.inquirer.record_at(self.index(partition)?, position.0)
    }

    fn index(&self, partition: &PartitionId) -> Result<i32, Error> {
        match i32::try_from(partition.index) {
            Ok(index) if partition.topic == self.topic => Ok(index),
            _ => Err(Error::NoPartition { partition: partition.clone() }),
        }
    }
}

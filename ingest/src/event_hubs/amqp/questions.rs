//! Questions about a hub from outside its consumer group: for commands that look at a pipeline while others run it, and for
//! checks before a start.
//!
//! Nothing here cuts off a reader: what a look at an event needs is read without an epoch, and the service refuses that beside a
//! reader that has one. That is an answer, too: unknown.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::{Builder, Runtime};
use types::{PartitionId, Position};

use super::asking::{Asker, TIMEOUT};
use super::client::{Client, Purpose};
use super::error;
use super::failure::{Class, Failure};
use super::filter::From;
use super::link::{Link, Reading};
use super::probe;
use crate::event_hubs::config::Config;
use crate::{Error, Extent, Held, Start};

/// Asks with the configuration's own credentials, on a connection and a thread of its own.
pub struct Questions {
    topic: Arc<str>,
    client: Arc<Client>,
    runtime: Runtime,
    timeout: Duration,
}

/// What the service says of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubInfo {
    pub name: String,
    pub partitions: u32,
    pub created_at: Timestamp,
}

impl Questions {
    /// # Errors
    /// If a setting is refused. Nothing is connected yet.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let client = Arc::new(Client::new(config, Purpose::Listen)?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("event-hubs")
            .enable_all()
            .build()
            .map_err(|error| failed("start a thread", &error))?;
        Ok(Questions { topic: client.way.place.hub.as_str().into(), client, runtime, timeout: TIMEOUT })
    }

    /// Is the hub there, and may we read it?
    ///
    /// # Errors
    /// Unreachable, refused credentials, untrusted certificate, no such hub, no right to listen, no consumer group: each its own.
    pub fn check(config: &Config, timeout: Duration) -> Result<HubInfo, Error> {
        let mut questions = Questions::new(config)?;
        questions.timeout = timeout;
        let info = questions.hub()?;
        let client = &questions.client;
        questions.asker().ask("read the event hub", || async { may_listen(client).await })?;
        Ok(info)
    }

    /// # Errors
    /// If the service does not answer, or refuses.
    pub(crate) fn hub(&self) -> Result<HubInfo, Error> {
        let facts = self.asker().ask("read the event hub", || self.client.hub())?;
        Ok(HubInfo { partitions: facts.partitions()?, created_at: facts.created_at, name: facts.name })
    }

    /// # Errors
    /// As `hub`.
    pub fn partitions(&self) -> Result<u32, Error> {
        Ok(self.hub()?.partitions)
    }

    /// What the hub holds of a partition.
    ///
    /// # Errors
    /// As `hub`; also if there is no such partition.
    pub fn extent(&self, partition: &PartitionId) -> Result<Extent, Error> {
        let index = self.index(partition)?;
        let facts = self.asker().ask_of(partition, "find a partition's events", || self.client.partition(index))?;
        Ok(facts.extent())
    }

    /// Turns a policy into a number. For a time the partition has to be read, which the service refuses while a service reads it.
    ///
    /// # Errors
    /// As `extent`.
    pub fn resolve(&self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        let index = self.index(partition)?;
        self.asker().ask_of(partition, "find where to start", || probe::resolve(&self.client, index, start, None))
    }

    /// The record at exactly this position; unknown while somebody reads the partition.
    ///
    /// # Errors
    /// As `extent`.
    pub fn record_at(&self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        let index = self.index(partition)?;
        self.asker().ask_of(partition, "look at a record", || async {
            probe::unless_refused(probe::record_at(&self.client, index, position.0, None).await)
        })
    }

    fn asker(&self) -> Asker<'_> {
        Asker { client: &self.client, runtime: self.runtime.handle(), timeout: self.timeout }
    }

    fn index(&self, partition: &PartitionId) -> Result<u32, Error> {
        // Asked first, so that a partition that is not there can be told from a hub that is not.
        if !self.client.was_found() {
            self.hub()?;
        }
        if partition.topic == self.topic {
            Ok(partition.index)
        } else {
            Err(Error::NoPartition { partition: partition.clone() })
        }
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        let client = Arc::clone(&self.client);
        self.runtime.block_on(async move { client.close().await });
    }
}

/// Whether a reader is let in, or kept out only because there is another one.
async fn may_listen(client: &Client) -> Result<(), Failure> {
    let reading = Reading { index: 0, epoch: None, from: From::Earliest };
    match Link::attach(client, &reading).await {
        Ok(link) => {
            link.close().await;
            Ok(())
        }
        Err(failure) if matches!(failure.class, Class::Stolen | Class::Refused) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn failed(action: &'static str, error: &std::io::Error) -> Error {
    error::Error::Failed { action, reason: error.to_string() }.into()
}

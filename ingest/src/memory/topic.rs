//! The broker's side: what a test does to the records and to whose they are.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use types::{Micros, PartitionId, Position};

use super::MemorySource;
use crate::{Anchor, Bound, Error, Extent, Held, RawRecord};

/// Partitions of records that grow as a test says. Clones are the same topic.
#[derive(Debug, Clone)]
pub struct Topic {
    name: Arc<str>,
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    log: Mutex<Log>,
    pub(super) changed: Condvar,
}

#[derive(Debug)]
pub(super) struct Log {
    name: Arc<str>,
    /// Whether there is such a topic.
    exists: bool,
    pub(super) partitions: Vec<Partition>,
}

#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// By position; none where a record was compacted away.
    pub(super) records: Vec<Option<Owned>>,
    /// The first position that is still held.
    pub(super) low: i64,
    /// Who it belongs to; readers compare with what they knew.
    pub(super) stay: Stay,
    /// Sent out of turn, and not yet looked at.
    pub(super) strays: Vec<Stray>,
}

/// A record that reaches the reader out of turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) position: i64,
    pub(super) is_of_earlier_start: bool,
}

/// A record that nobody reads yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    pub broker_time: Option<Micros>,
    pub key: Vec<u8>,
    pub payload: Option<Vec<u8>>,
}

/// Whether a partition is the reader's, which stay it is, and whether the reader has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) is_ours: bool,
    pub(super) number: u64,
    pub(super) is_told: bool,
}

// === impl Topic ===

impl Topic {
    /// A topic of empty partitions, all given to whoever reads.
    #[must_use]
    pub fn new(name: &str, partitions: usize) -> Self {
        let name: Arc<str> = name.into();
        let partitions = vec![Partition::default(); partitions];
        let log = Log { name: Arc::clone(&name), exists: true, partitions };
        Topic { name, shared: Arc::new(Shared { log: Mutex::new(log), changed: Condvar::new() }) }
    }

    /// Appends a record and returns its position.
    pub fn append(&self, partition: u32, record: Owned) -> i64 {
        self.change(partition, |partition| {
            partition.records.push(Some(record));
            partition.high() - 1
        })
    }

    /// Appends a payload without key and time.
    pub fn append_payload(&self, partition: u32, payload: impl Into<Vec<u8>>) -> i64 {
        self.append(partition, Owned { payload: Some(payload.into()), ..Owned::default() })
    }

    /// Forgets the records before `position`, as retention does.
    pub fn expire(&self, partition: u32, position: i64) {
        self.change(partition, |partition| partition.low = position);
    }

    /// Takes one record away, as compaction does.
    pub fn compact(&self, partition: u32, position: i64) {
        self.change(partition, |partition| partition.records[position as usize] = None);
    }

    /// Loses the records from `position` on, as an unclean election does; what is appended then takes their positions.
    pub fn truncate(&self, partition: u32, position: i64) {
        self.change(partition, |partition| {
            partition.records.truncate(position as usize);
            partition.low = partition.low.min(position);
        });
    }

    /// The topic is made anew under its name: the same number of partitions, all empty. Readers keep theirs.
    pub fn recreate(&self) {
        self.change_all(|log| {
            log.exists = true;
            for partition in &mut log.partitions {
                *partition = Partition { stay: partition.stay, ..Partition::default() };
            }
        });
    }

    /// Deletes the topic, until it is made anew.
    pub fn delete(&self) {
        self.change_all(|log| log.exists = false);
    }

    /// Adds empty partitions up to this number; whoever reads gains them.
    pub fn grow(&self, partitions: usize) {
        self.change_all(|log| {
            let partitions = partitions.max(log.partitions.len());
            log.partitions.resize(partitions, Partition::default());
        });
    }

    /// Takes a partition from the reader.
    pub fn lose(&self, partition: u32) {
        self.change(partition, |partition| {
            partition.stay.is_ours = false;
            partition.stay.is_told = true;
        });
    }

    /// Takes it without a word, as from a member that hangs: nothing comes any more, and the reader hears of it with the
    /// next `lose` or `gain`.
    pub fn lose_unnoticed(&self, partition: u32) {
        self.change(partition, |partition| {
            partition.stay.is_ours = false;
            partition.stay.is_told = false;
        });
    }

    /// Gives it (back) to the reader: it has to be started anew. One that the reader still takes for its own is lost first.
    pub fn gain(&self, partition: u32) {
        self.change(partition, |partition| {
            partition.stay = Stay { is_ours: true, number: partition.stay.number + 1, is_told: true };
        });
    }

    /// Sends a record once more to whoever reads: the reader drops it if its position lies behind.
    pub fn repeat(&self, partition: u32, position: i64) {
        let stray = Stray { position, is_of_earlier_start: false };
        self.change(partition, |partition| partition.strays.push(stray));
    }

    /// Sends a record as of before the reader's last start, wherever it stands now: the reader drops it.
    pub fn straggle(&self, partition: u32, position: i64) {
        let stray = Stray { position, is_of_earlier_start: true };
        self.change(partition, |partition| partition.strays.push(stray));
    }

    /// A reader of all partitions, also of those to come.
    #[must_use]
    pub fn source(&self, bound: Bound, batch_records: usize) -> MemorySource {
        MemorySource::new(self.clone(), bound, batch_records)
    }

    pub(super) fn id(&self, index: u32) -> PartitionId {
        PartitionId { topic: Arc::clone(&self.name), index }
    }

    fn change<T>(&self, partition: u32, change: impl FnOnce(&mut Partition) -> T) -> T {
        self.change_all(|log| change(&mut log.partitions[partition as usize]))
    }

    fn change_all<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let result = change(&mut self.lock());
        self.shared.changed.notify_all();
        result
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Log ===

impl Log {
    pub(super) fn existing(&self) -> Result<&Self, Error> {
        if self.exists {
            return Ok(self);
        }
        Err(Error::TopicGone { topic: self.name.to_string(), brokers: "memory".into() })
    }

    /// A partition that there is, whoever owns it.
    pub(super) fn partition(&self, id: &PartitionId) -> Result<&Partition, Error> {
        let found = self.existing()?.partitions.get(id.index as usize).filter(|_| id.topic == self.name);
        found.ok_or_else(|| Error::NoPartition { partition: id.clone() })
    }
}

// === impl Partition ===

impl Default for Partition {
    fn default() -> Self {
        let stay = Stay { is_ours: true, number: 1, is_told: true };
        Partition { records: Vec::new(), low: 0, stay, strays: Vec::new() }
    }
}

impl Partition {
    pub(super) fn high(&self) -> i64 {
        self.records.len() as i64
    }

    pub(super) fn extent(&self) -> Extent {
        Extent { low: Position(self.low), high: Position(self.high()) }
    }

    pub(super) fn record(&self, position: i64) -> Option<RawRecord<'_>> {
        let index = usize::try_from(position).ok().filter(|_| position >= self.low)?;
        let record = self.records.get(index)?.as_ref()?;
        Some(RawRecord {
            position,
            broker_time: record.broker_time,
            key: &record.key,
            payload: record.payload.as_deref(),
        })
    }

    pub(super) fn held(&self, position: Position) -> Held {
        self.record(position.0).map_or(Held::Nothing, |record| Held::Record(Anchor::of(&record)))
    }
}

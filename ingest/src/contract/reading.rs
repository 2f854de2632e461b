//! How the suite reads a source: everything that comes, by partition, with what every reader may rely on checked on the way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use types::{Micros, PartitionId, Position};

use super::{PATIENCE, POLL};
use crate::{Anchor, Bound, Polled, RawRecord, Records, Source, Start};

/// What a partition handed over, and where it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    pub records: Vec<ReadRecord>,
    pub end: Option<Position>,
}

/// A record as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    pub position: i64,
    pub broker_time: Option<Micros>,
    pub key: Vec<u8>,
    pub payload: Option<Vec<u8>>,
}

impl ReadRecord {
    /// What a reader remembers of it.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        let (position, broker_time) = (self.position, self.broker_time);
        Anchor::of(&RawRecord { position, broker_time, key: &self.key, payload: self.payload.as_deref() })
    }
}

/// Everything read, by partition.
pub type Reads = BTreeMap<u32, Read>;

/// Reads every partition from where `from` says (`None`: the earliest) to its end.
///
/// # Panics
/// If an order is broken, or the end is not reached in time.
pub fn read(
    source: &mut dyn Source,
    bound: Bound,
    partitions: usize,
    from: impl Fn(&mut dyn Source, &PartitionId) -> Option<Position>,
) -> Reads {
    let gained = gain(source, partitions);
    for partition in &gained {
        let position = match from(source, partition) {
            Some(position) => position,
            None => source.resolve(partition, Start::Earliest).expect("earliest is known"),
        };
        source.start(partition, position).expect("the position is held");
    }
    let mut reads = Reads::new();
    finish(source, bound, gained.len(), &mut reads);
    reads
}

/// Waits until as many partitions are ours.
///
/// # Panics
/// If anything but gains come, or too few.
pub fn gain(source: &mut dyn Source, partitions: usize) -> Vec<PartitionId> {
    let deadline = Instant::now() + PATIENCE;
    let mut gained = Vec::new();
    while gained.len() < partitions {
        assert!(Instant::now() < deadline, "gained only {gained:?} of {partitions} partitions");
        match source.poll(POLL).expect("poll") {
            Polled::Gained(more) => gained.extend(more),
            Polled::Lost(lost) => gained.retain(|partition| !lost.contains(partition)),
            Polled::Idle => {}
            event => panic!("before start came {event:?}"),
        }
    }
    gained
}

/// Starts each at the first position that is held.
pub(super) fn start_all(source: &mut dyn Source, partitions: &[PartitionId]) {
    for partition in partitions {
        let first = source.resolve(partition, Start::Earliest).expect("earliest is known");
        source.start(partition, first).expect("the first position is held");
    }
}

/// Polls until something is found.
///
/// # Panics
/// If it does not come in time.
pub fn wait_for<T>(source: &mut dyn Source, mut find: impl FnMut(&Polled) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "what was waited for did not come");
        if let Some(found) = find(&source.poll(POLL).expect("poll")) {
            return found;
        }
    }
}

pub(super) fn finish(source: &mut dyn Source, bound: Bound, partitions: usize, reads: &mut Reads) {
    let deadline = Instant::now() + PATIENCE;
    let has_all = |reads: &Reads| reads.values().filter(|read| read.end.is_some()).count() >= partitions;
    while !has_all(reads) {
        assert!(Instant::now() < deadline, "the end did not come: {:?}", summary(reads));
        let event = source.poll(POLL).expect("poll");
        match &event {
            Polled::Records(records) => note(reads, records),
            Polled::CaughtUp { .. } => assert_eq!(bound, Bound::Unbounded, "caught up, in a bounded read"),
            Polled::Ended { .. } => assert_eq!(bound, Bound::PresentEnd, "ended, in an unbounded read"),
            Polled::Idle | Polled::Gained(_) | Polled::Lost(_) => {}
        }
        end(reads, &event);
    }
}

pub(super) fn note(reads: &mut Reads, records: &Records) {
    assert!(!records.is_empty(), "an empty batch");
    let read = reads.entry(records.partition().index).or_default();
    assert!(read.end.is_none(), "records after the end of {}", records.partition());
    for record in records.iter() {
        let last = read.records.last().map_or(-1, |record| record.position);
        assert!(record.position > last, "{} after {last}", record.position);
        read.records.push(ReadRecord {
            position: record.position,
            broker_time: record.broker_time,
            key: record.key.to_vec(),
            payload: record.payload.map(<[u8]>::to_vec),
        });
    }
    let last = read.records.last().map(|record| Position(record.position + 1));
    assert_eq!(Some(records.next()), last, "a batch ends after its last record");
}

pub(super) fn end(reads: &mut Reads, event: &Polled) {
    match event {
        Polled::Ended { partition, position } => {
            let read = reads.entry(partition.index).or_default();
            assert!(read.end.is_none(), "{partition} ended twice");
            read.end = Some(*position);
        }
        Polled::CaughtUp { partition, position } => {
            let read = reads.entry(partition.index).or_default();
            assert!(read.end.is_none_or(|end| end == *position), "{partition} caught up elsewhere");
            read.end = Some(*position);
        }
        _ => {}
    }
}

pub(super) fn watch(source: &mut dyn Source, span: Duration) -> Vec<Polled> {
    let deadline = Instant::now() + span;
    let mut events = Vec::new();
    while Instant::now() < deadline {
        events.push(source.poll(POLL).expect("poll"));
    }
    events
}

pub(super) fn positions(records: &Records) -> Vec<i64> {
    records.iter().map(|record| record.position).collect()
}

fn summary(reads: &Reads) -> Vec<(u32, usize, Option<Position>)> {
    reads.iter().map(|(partition, read)| (*partition, read.records.len(), read.end)).collect()
}

//! A topic in memory: what pipeline tests read instead of a broker.
//!
//! [`Topic`] is the broker and outlives its readers, so that a test can stop a pipeline, append, take a partition away
//! and start again; [`MemorySource`] is one reader of all its partitions. Nothing happens that the test did not say.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use types::{Micros, PartitionId, Position};

use crate::{Bound, Error, Polled, RawRecord, Records, Source, Start};

/// Partitions of records that grow as a test says. Clones are the same topic.
#[derive(Debug, Clone)]
pub struct Topic {
    name: Arc<str>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<Log>,
    changed: Condvar,
}

#[derive(Debug)]
struct Log {
    partitions: Vec<Vec<Owned>>,
    /// The first position of each partition that is still held.
    low: Vec<i64>,
    acknowledged: Vec<Option<Position>>,
    /// Who the partitions belong to; readers compare with what they knew.
    owned: Vec<Stay>,
    caught_up: bool,
}

/// A record that nobody reads yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    pub broker_time: Option<Micros>,
    pub key: Vec<u8>,
    pub payload: Option<Vec<u8>>,
}

/// Whether a partition is the reader's, and which stay it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stay {
    is_ours: bool,
    number: u64,
}

// === impl Topic ===

impl Topic {
    /// A topic of empty partitions, all given to whoever reads.
    #[must_use]
    pub fn new(name: &str, partitions: usize) -> Self {
        let log = Log {
            partitions: vec![Vec::new(); partitions],
            low: vec![0; partitions],
            acknowledged: vec![None; partitions],
            owned: vec![Stay { is_ours: true, number: 1 }; partitions],
            caught_up: true,
        };
        Topic { name: name.into(), shared: Arc::new(Shared { log: Mutex::new(log), changed: Condvar::new() }) }
    }

    /// Appends a record and returns its position.
    pub fn append(&self, partition: u32, record: Owned) -> i64 {
        self.change(|log| {
            let records = &mut log.partitions[partition as usize];
            records.push(record);
            records.len() as i64 - 1
        })
    }

    /// Appends a payload without key and time.
    pub fn append_payload(&self, partition: u32, payload: impl Into<Vec<u8>>) -> i64 {
        self.append(partition, Owned { payload: Some(payload.into()), ..Owned::default() })
    }

    /// Takes a partition from the reader.
    pub fn lose(&self, partition: u32) {
        self.change(|log| log.owned[partition as usize].is_ours = false);
    }

    /// Gives it (back) to the reader: it has to be started anew.
    pub fn gain(&self, partition: u32) {
        self.change(|log| {
            let stay = &mut log.owned[partition as usize];
            *stay = Stay { is_ours: true, number: stay.number + 1 };
        });
    }

    /// Forgets the records before `position`, as retention does.
    pub fn expire(&self, partition: u32, position: i64) {
        self.change(|log| log.low[partition as usize] = position);
    }

    /// Whether readers are told that they caught up: off, as if no broker answered.
    pub fn tell_caught_up(&self, tell: bool) {
        self.change(|log| log.caught_up = tell);
    }

    /// What a reader acknowledged last.
    #[must_use]
    pub fn acknowledged(&self, partition: u32) -> Option<Position> {
        self.lock().acknowledged[partition as usize]
    }

    /// A reader of all partitions.
    #[must_use]
    pub fn source(&self, bound: Bound, batch_records: usize) -> MemorySource {
        let log = self.lock();
        let partitions = (0..log.partitions.len() as u32)
            .map(|index| Reader {
                id: PartitionId { topic: Arc::clone(&self.name), index },
                stay: 0,
                phase: Phase::Absent,
                next: 0,
                bound: None,
                is_paused: false,
                caught_up: None,
            })
            .collect();
        drop(log);
        MemorySource {
            topic: self.clone(),
            bound,
            batch_records: batch_records.max(1),
            partitions,
            turn: 0,
            told_none: false,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        let result = change(&mut self.lock());
        self.shared.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reader of a [`Topic`].
#[derive(Debug)]
pub struct MemorySource {
    topic: Topic,
    bound: Bound,
    batch_records: usize,
    partitions: Vec<Reader>,
    turn: usize,
    /// That no partition is ours was said already.
    told_none: bool,
}

#[derive(Debug)]
struct Reader {
    id: PartitionId,
    /// The stay this reader knows of.
    stay: u64,
    phase: Phase,
    next: i64,
    bound: Option<i64>,
    is_paused: bool,
    /// The position last told as the end, and when.
    caught_up: Option<(i64, Instant)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Absent,
    Waiting,
    Started,
    Ended,
}

// === impl MemorySource ===

impl MemorySource {
    fn step(&mut self, log: &Log) -> Option<Polled> {
        self.membership(log).or_else(|| self.records(log)).or_else(|| self.ends(log))
    }

    /// A partition whose stay ended is lost before it is gained again.
    fn membership(&mut self, log: &Log) -> Option<Polled> {
        let mut lost = Vec::new();
        let mut gained = Vec::new();
        for (reader, stay) in self.partitions.iter_mut().zip(&log.owned) {
            let is_same = stay.is_ours && stay.number == reader.stay;
            if reader.phase != Phase::Absent && !is_same {
                reader.phase = Phase::Absent;
                lost.push(reader.id.clone());
            }
        }
        if !lost.is_empty() {
            return Some(Polled::Lost(lost));
        }
        for (index, (reader, stay)) in self.partitions.iter_mut().zip(&log.owned).enumerate() {
            if reader.phase == Phase::Absent && stay.is_ours {
                reader.phase = Phase::Waiting;
                reader.stay = stay.number;
                reader.is_paused = false;
                reader.bound = (self.bound == Bound::PresentEnd).then(|| log.partitions[index].len() as i64);
                gained.push(reader.id.clone());
            }
        }
        let has_none = self.partitions.iter().all(|reader| reader.phase == Phase::Absent);
        let is_news = !gained.is_empty() || has_none && !self.told_none;
        self.told_none = has_none;
        is_news.then_some(Polled::Gained(gained))
    }

    fn records(&mut self, log: &Log) -> Option<Polled> {
        let count = self.partitions.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let reader = &mut self.partitions[index];
            if reader.phase != Phase::Started || reader.is_paused {
                continue;
            }
            let held = &log.partitions[index];
            let end = reader.bound.unwrap_or(i64::MAX).min(held.len() as i64);
            let stop = end.min(reader.next.saturating_add(self.batch_records as i64));
            if reader.next >= stop {
                continue;
            }
            let mut records = Records::new(reader.id.clone());
            for position in reader.next..stop {
                let record = &held[position as usize];
                records.push(RawRecord {
                    position,
                    broker_time: record.broker_time,
                    key: &record.key,
                    payload: record.payload.as_deref(),
                });
            }
            reader.next = stop;
            self.turn = index + 1;
            return Some(Polled::Records(records));
        }
        None
    }

    fn ends(&mut self, log: &Log) -> Option<Polled> {
        for (reader, held) in self.partitions.iter_mut().zip(&log.partitions) {
            if reader.phase != Phase::Started || reader.is_paused {
                continue;
            }
            let (partition, position) = (reader.id.clone(), Position(reader.next));
            match reader.bound {
                Some(bound) if reader.next >= bound => {
                    reader.phase = Phase::Ended;
                    return Some(Polled::Ended { partition, position });
                }
                Some(_) => {}
                None => {
                    let is_told = reader
                        .caught_up
                        .is_some_and(|(end, told)| end == reader.next && told.elapsed() < Duration::from_secs(1));
                    if log.caught_up && !is_told && reader.next >= held.len() as i64 {
                        reader.caught_up = Some((reader.next, Instant::now()));
                        return Some(Polled::CaughtUp { partition, position });
                    }
                }
            }
        }
        None
    }

    fn reader(&mut self, partition: &PartitionId) -> Result<&mut Reader, Error> {
        self.partitions
            .iter_mut()
            .find(|reader| reader.id == *partition && reader.phase != Phase::Absent)
            .ok_or_else(|| Error::NotAssigned { partition: partition.clone() })
    }
}

impl Source for MemorySource {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        let topic = self.topic.clone();
        let deadline = Instant::now() + wait;
        let mut log = topic.lock();
        loop {
            if let Some(polled) = self.step(&log) {
                return Ok(polled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Polled::Idle);
            }
            log = topic.shared.changed.wait_timeout(log, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        let index = self.reader(partition)?.id.index as usize;
        let log = self.topic.lock();
        let (low, held) = (log.low[index], &log.partitions[index]);
        Ok(Position(match start {
            Start::Earliest => low,
            Start::Latest => held.len() as i64,
            Start::Time(time) => {
                let first = held.iter().position(|record| record.broker_time.is_some_and(|taken| taken >= time));
                first.map_or(held.len() as i64, |first| low.max(first as i64))
            }
        }))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let index = self.reader(partition)?.id.index as usize;
        let (low, high) = {
            let log = self.topic.lock();
            (Position(log.low[index]), Position(log.partitions[index].len() as i64))
        };
        let partition = partition.clone();
        if position < low {
            return Err(Error::PositionExpired { partition, position, low });
        }
        if position > high {
            return Err(Error::PositionAhead { partition, position, high });
        }
        let reader = self.reader(&partition)?;
        reader.phase = Phase::Started;
        reader.next = position.0;
        reader.caught_up = None;
        Ok(())
    }

    fn stop(&mut self, partition: &PartitionId) {
        if let Ok(reader) = self.reader(partition)
            && reader.phase != Phase::Waiting
        {
            reader.phase = Phase::Waiting;
            reader.is_paused = false;
        }
    }

    fn pause(&mut self, partition: &PartitionId) {
        if let Ok(reader) = self.reader(partition) {
            reader.is_paused = true;
        }
    }

    fn resume(&mut self, partition: &PartitionId) {
        if let Ok(reader) = self.reader(partition) {
            reader.is_paused = false;
        }
    }

    fn acknowledge(&mut self, partition: &PartitionId, position: Position) {
        if let Ok(reader) = self.reader(partition) {
            let index = reader.id.index as usize;
            self.topic.lock().acknowledged[index] = Some(position);
        }
    }

    fn leave(&mut self) {
        for reader in &mut self.partitions {
            reader.phase = Phase::Absent;
        }
    }
}

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
    fn acknowledge(&mut self, _: &PartitionId, _: Position) {}
    fn leave(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::contract::{self, Subject};

    fn topic() -> Topic {
        let topic = Topic::new("t", 3);
        for number in 0..100_u32 {
            topic.append(
                number % 2,
                Owned {
                    broker_time: Some(i64::from(number) * 1_000),
                    key: vec![b'k'],
                    payload: (number % 7 != 0).then(|| number.to_string().into_bytes()),
                },
            );
        }
        topic
    }

    #[test]
    fn a_topic_in_memory_keeps_the_contract() {
        // Side by side: most of it is watching silence.
        thread::scope(|scope| {
            for bound in [Bound::Unbounded, Bound::PresentEnd] {
                for batch in [1, 7, 4096] {
                    scope.spawn(move || {
                        let topic = topic();
                        contract::run(&Subject::new(3, bound, || Box::new(topic.source(bound, batch))));
                    });
                }
            }
        });
    }

    #[test]
    fn a_lost_partition_falls_silent_until_it_is_gained_and_started() {
        let topic = topic();
        let mut source = topic.source(Bound::Unbounded, 5);
        contract::loses(&mut source, &mut |partition| topic.lose(partition.index), &mut |partition| {
            topic.gain(partition.index);
        });
    }

    #[test]
    fn a_reader_without_partitions_is_told_so_once() {
        let is_none = |polled| matches!(polled, Ok(Polled::Gained(gained)) if gained.is_empty());
        let mut source = Topic::new("t", 0).source(Bound::Unbounded, 5);
        assert!(is_none(source.poll(Duration::ZERO)));
        assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));

        let topic = Topic::new("t", 1);
        let mut source = topic.source(Bound::Unbounded, 5);
        assert_eq!(contract::gain(&mut source, 1).len(), 1);
        topic.lose(0);
        assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Lost(_))));
        assert!(is_none(source.poll(Duration::ZERO)));
        topic.gain(0);
        assert_eq!(contract::gain(&mut source, 1).len(), 1);
    }

    #[test]
    fn expired_positions_are_refused() {
        let topic = topic();
        topic.expire(0, 10);
        let mut source = topic.source(Bound::Unbounded, 5);
        let Ok(Polled::Gained(gained)) = source.poll(Duration::ZERO) else { panic!("nothing gained") };
        let result = source.start(&gained[0], Position(9));
        assert!(matches!(result, Err(Error::PositionExpired { low: Position(10), .. })), "{result:?}");
        assert_eq!(source.resolve(&gained[0], Start::Earliest).unwrap(), Position(10));
    }
}

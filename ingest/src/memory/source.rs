//! The reader's side: the source seam over a topic in memory.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use types::{PartitionId, Position};

use super::reader::{Phase, Reader};
use super::topic::{Log, Topic};
use crate::{Anchor, Bound, Error, Extent, Held, Polled, Records, Source, Start};

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
    has_left: bool,
}

// === impl MemorySource ===

impl MemorySource {
    pub(super) fn new(topic: Topic, bound: Bound, batch_records: usize) -> MemorySource {
        let batch_records = batch_records.max(1);
        MemorySource { topic, bound, batch_records, partitions: Vec::new(), turn: 0, told_none: false, has_left: false }
    }

    fn step(&mut self, log: &mut Log) -> Result<Option<Polled>, Error> {
        log.existing()?;
        if let Some(news) = self.membership(log) {
            return Ok(Some(news));
        }
        self.verify(log)?;
        Ok(self.strays(log).or_else(|| self.records(log)).or_else(|| self.ends(log)))
    }

    /// A partition whose stay ended is lost before it is gained again.
    fn membership(&mut self, log: &Log) -> Option<Polled> {
        if self.has_left {
            return None;
        }
        for index in self.partitions.len()..log.partitions.len() {
            self.partitions.push(Reader::new(self.topic.id(index as u32)));
        }
        let mut lost = Vec::new();
        let mut gained = Vec::new();
        for (reader, partition) in self.partitions.iter_mut().zip(&log.partitions) {
            if reader.phase != Phase::Absent && partition.stay.is_told && !reader.is_fed_by(partition) {
                reader.phase = Phase::Absent;
                lost.push(reader.id.clone());
            }
        }
        if !lost.is_empty() {
            return Some(Polled::Lost(lost));
        }
        for (reader, partition) in self.partitions.iter_mut().zip(&log.partitions) {
            if reader.phase == Phase::Absent && partition.stay.is_ours {
                *reader = Reader::new(reader.id.clone());
                reader.phase = Phase::Waiting;
                reader.stay = partition.stay.number;
                reader.bound = (self.bound == Bound::PresentEnd).then(|| partition.high());
                gained.push(reader.id.clone());
            }
        }
        let has_none = self.partitions.iter().all(|reader| reader.phase == Phase::Absent);
        let is_news = !gained.is_empty() || has_none && !self.told_none;
        self.told_none = has_none;
        is_news.then_some(Polled::Gained(gained))
    }

    /// Whether each reader stands where the topic has something to go on with, after the record that it read last.
    fn verify(&mut self, log: &Log) -> Result<(), Error> {
        for (reader, partition) in self.partitions.iter_mut().zip(&log.partitions) {
            if reader.phase == Phase::Started && reader.is_fed_by(partition) {
                let found = reader.check(partition);
                if found.is_err() {
                    reader.stop();
                }
                found?;
            }
        }
        Ok(())
    }

    /// What was sent out of turn, unless it is dropped.
    fn strays(&mut self, log: &mut Log) -> Option<Polled> {
        for (reader, partition) in self.partitions.iter_mut().zip(&mut log.partitions) {
            if !reader.is_reading(partition) {
                continue;
            }
            for stray in std::mem::take(&mut partition.strays) {
                if let Some(record) = partition.record(stray.position).filter(|_| !reader.drops(stray)) {
                    let mut records = Records::new(reader.id.clone());
                    records.push(record);
                    reader.next = records.next().0;
                    return Some(Polled::Records(records));
                }
            }
        }
        None
    }

    fn records(&mut self, log: &Log) -> Option<Polled> {
        let count = self.partitions.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let (reader, partition) = (&mut self.partitions[index], &log.partitions[index]);
            if !reader.is_reading(partition) {
                continue;
            }
            let end = reader.bound.unwrap_or(i64::MAX).min(partition.high());
            let stop = end.min(reader.next.saturating_add(self.batch_records as i64));
            let mut records = Records::new(reader.id.clone());
            for record in (reader.next..stop).filter_map(|position| partition.record(position)) {
                records.push(record);
            }
            reader.next = reader.next.max(stop);
            if let Some(last) = records.last() {
                reader.last = Some(Anchor::of(&last));
                self.turn = index + 1;
                return Some(Polled::Records(records));
            }
        }
        None
    }

    fn ends(&mut self, log: &Log) -> Option<Polled> {
        for (reader, held) in self.partitions.iter_mut().zip(&log.partitions) {
            if !reader.is_reading(held) {
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
                    if !is_told && reader.next >= held.high() {
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
            if let Some(polled) = self.step(&mut log)? {
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
        self.reader(partition)?;
        let log = self.topic.lock();
        let held = log.partition(partition)?;
        let Extent { low, high } = held.extent();
        Ok(match start {
            Start::Earliest => low,
            Start::Latest => high,
            Start::Time(time) => {
                let is_young = |position: &i64| {
                    held.record(*position).and_then(|record| record.broker_time).is_some_and(|taken| taken >= time)
                };
                (low.0..high.0).find(is_young).map_or(high, Position)
            }
        })
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        self.reader(partition)?;
        let extent = self.topic.lock().partition(partition)?.extent();
        extent.check(partition, position)?;
        self.reader(partition)?.start(position);
        Ok(())
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        Ok(Some(self.topic.lock().existing()?.partitions.len() as u32))
    }

    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        Ok(Some(self.topic.lock().partition(partition)?.extent()))
    }

    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        Ok(self.topic.lock().partition(partition)?.held(position))
    }

    fn stop(&mut self, partition: &PartitionId) {
        if let Ok(reader) = self.reader(partition)
            && reader.phase != Phase::Waiting
        {
            reader.stop();
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

    /// Nobody who tests asks for it: correctness never rests on it.
    fn acknowledge(&mut self, _: &PartitionId, _: Position, _: Option<&str>) {}

    fn leave(&mut self) {
        self.has_left = true;
        self.partitions.clear();
    }
}

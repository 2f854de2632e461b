//! The broker: partitions that grow, lose their tails and get them back, and a consumer group that moves them about.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ingest::{Anchor, Extent, Held, RawRecord};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;
use types::Position;

use crate::fleet::{self, BASE, Content, Record, SECOND, Sent};
use crate::scenario::Scenario;

/// A member that does not poll for so long is expelled.
const SESSION: i64 = 30 * SECOND;

pub(crate) struct Broker {
    pub(crate) partitions: Vec<Partition>,
    pub(crate) generation: u64,
    /// By process and life, and when each polled last.
    members: BTreeMap<(usize, u32), i64>,
    assignment: BTreeMap<u32, (usize, u32)>,
    /// Told when all faults end.
    pub(crate) heals: Arc<Notify>,
    pub(crate) strays_sent: u64,
    pub(crate) repeats_sent: u64,
}

#[derive(Default)]
pub(crate) struct Partition {
    pub(crate) log: Vec<Arc<Record>>,
    due: VecDeque<Sent>,
    /// Raised whenever the tail changed.
    pub(crate) version: u64,
    /// What the log was before it lost its tail.
    former: Vec<Vec<Arc<Record>>>,
    /// Since when the committed state and the log contradict each other.
    contradicts_since: Option<i64>,
    pub(crate) restored: u32,
}

impl Broker {
    pub(crate) fn new(rng: &mut ChaCha8Rng, scenario: &Scenario) -> Self {
        let records = scenario.records / scenario.partitions as usize;
        let partitions = (0..scenario.partitions)
            .map(|index| {
                let due = fleet::partition(rng, index, records, scenario.span).into();
                Partition { due, ..Partition::default() }
            })
            .collect();
        Broker {
            partitions,
            generation: 0,
            members: BTreeMap::new(),
            assignment: BTreeMap::new(),
            heals: Arc::default(),
            strays_sent: 0,
            repeats_sent: 0,
        }
    }

    /// Takes what the fleet has sent by now.
    pub(crate) fn produce(&mut self, now: i64) {
        for partition in &mut self.partitions {
            while partition.due.front().is_some_and(|sent| sent.at <= now) {
                if let Some(sent) = partition.due.pop_front() {
                    partition.log.push(Arc::new(sent.record));
                }
            }
        }
    }

    pub(crate) fn is_fed(&self) -> bool {
        self.partitions.iter().all(|partition| partition.due.is_empty())
    }

    pub(crate) fn append(&mut self, partition: u32, mut record: Record, now: i64) {
        record.broker_time = BASE + now;
        self.partitions[partition as usize].log.push(Arc::new(record));
    }

    /// Loses the tail of a partition; other records take its place.
    pub(crate) fn truncate(&mut self, rng: &mut ChaCha8Rng, index: u32) -> usize {
        let partition = &mut self.partitions[index as usize];
        let high = partition.log.len();
        let lost = if rng.random_bool(0.1) { high } else { rng.random_range(0..=high.min(60)) };
        let kept = high - lost;
        partition.former.push(partition.log.clone());
        let tail = partition.log.split_off(kept);
        partition.version += 1;
        let others = rng.random_range(0..=2 * lost.max(1));
        for place in 0..others {
            // Like those that were lost, and yet others.
            let Some(like) = tail.get(place % lost.max(1)) else { break };
            let mut other = (**like).clone();
            other.broker_time += SECOND / 2;
            if let Content::Readings(readings, bad) = &other.content {
                let mut readings = readings.clone();
                readings.iter_mut().for_each(|reading| reading.value += 1000.0);
                let time = other.broker_time;
                other = fleet::of_readings(readings, *bad);
                other.broker_time = time;
            }
            partition.log.push(Arc::new(other));
        }
        kept
    }

    /// An operator who sees, after a while, that what was committed was read from another log, and brings that one back.
    pub(crate) fn mend(&mut self, index: u32, anchor: Option<Anchor>, next: i64, now: i64, patience: i64) -> bool {
        let partition = &mut self.partitions[index as usize];
        if partition.fits(&partition.log, anchor, next) {
            partition.contradicts_since = None;
            return false;
        }
        let since = *partition.contradicts_since.get_or_insert(now);
        if now - since < patience {
            return false;
        }
        let fits = partition.former.iter().rposition(|former| partition.fits(former, anchor, next));
        let Some(fits) = fits else { return false };
        let former = partition.former.swap_remove(fits);
        let present = std::mem::replace(&mut partition.log, former);
        partition.former.push(present);
        partition.version += 1;
        partition.contradicts_since = None;
        partition.restored += 1;
        true
    }

    // === The group ===

    pub(crate) fn is_member(&self, member: (usize, u32)) -> bool {
        self.members.contains_key(&member)
    }

    pub(crate) fn heartbeat(&mut self, rng: &mut ChaCha8Rng, member: (usize, u32), now: i64) {
        if self.members.insert(member, now).is_none() {
            self.rebalance(rng);
        }
    }

    pub(crate) fn leave(&mut self, rng: &mut ChaCha8Rng, member: (usize, u32)) {
        if self.members.remove(&member).is_some() {
            self.rebalance(rng);
        }
    }

    pub(crate) fn expel(&mut self, rng: &mut ChaCha8Rng, now: i64) {
        let before = self.members.len();
        self.members.retain(|_, polled| now - *polled <= SESSION);
        if self.members.len() < before {
            self.rebalance(rng);
        }
    }

    pub(crate) fn rebalance(&mut self, rng: &mut ChaCha8Rng) {
        self.generation += 1;
        self.assignment.clear();
        let mut members: Vec<_> = self.members.keys().copied().collect();
        members.shuffle(rng);
        if members.is_empty() {
            return;
        }
        for index in 0..self.partitions.len() {
            self.assignment.insert(index as u32, members[index % members.len()]);
        }
    }

    pub(crate) fn assigned(&self, member: (usize, u32)) -> Vec<u32> {
        self.assignment.iter().filter(|(_, owner)| **owner == member).map(|(index, _)| *index).collect()
    }
}

impl Partition {
    pub(crate) fn high(&self) -> i64 {
        self.log.len() as i64
    }

    pub(crate) fn extent(&self) -> Extent {
        Extent { low: Position(0), high: Position(self.high()) }
    }

    pub(crate) fn raw(&self, position: i64) -> Option<RawRecord<'_>> {
        let record = self.log.get(usize::try_from(position).ok()?)?;
        Some(RawRecord {
            position,
            broker_time: Some(record.broker_time),
            key: &record.key,
            payload: record.payload.as_deref(),
        })
    }

    pub(crate) fn anchor(&self, position: i64) -> Option<Anchor> {
        self.raw(position).map(|raw| Anchor::of(&raw))
    }

    pub(crate) fn held(&self, position: i64) -> Held {
        self.anchor(position).map_or(Held::Nothing, Held::Record)
    }

    fn fits(&self, log: &[Arc<Record>], anchor: Option<Anchor>, next: i64) -> bool {
        let Some(anchor) = anchor else { return next <= log.len() as i64 };
        let Some(record) = log.get(anchor.position as usize) else { return false };
        let raw = RawRecord {
            position: anchor.position,
            broker_time: Some(record.broker_time),
            key: &record.key,
            payload: record.payload.as_deref(),
        };
        Anchor::of(&raw) == anchor && next <= log.len() as i64
    }
}

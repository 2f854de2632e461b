//! No sharing: all partitions of the hub, or those of a shard, are this process's, dealt out to its workers by their numbers.
//!
//! A partition that another reader took is tried for again after a random wait, so that two processes that were started by
//! mistake do not tear at it in step.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Change, Membership, Wake};
use crate::event_hubs::jitter;
use crate::{Error, Shard};

/// A partition that was stolen comes back after a wait between these.
const BACK_AFTER_MIN: Duration = Duration::from_secs(1);
const BACK_AFTER_MAX: Duration = Duration::from_secs(30);

/// All partitions of the shard whose number, divided by the number of workers, leaves the worker's.
#[derive(Debug)]
pub struct Static {
    worker: usize,
    workers: usize,
    shard: Option<Shard>,
    /// The partitions up to here were told of; `None` until the hub's number is known.
    told: Option<u32>,
    count: Option<u32>,
    /// When each stolen one comes back.
    stolen: Mutex<BTreeMap<u32, Instant>>,
}

impl Static {
    #[must_use]
    pub fn new(worker: usize, workers: usize) -> Self {
        Static { worker, workers: workers.max(1), shard: None, told: None, count: None, stolen: Mutex::default() }
    }

    /// Leaves the partitions of other shards alone.
    #[must_use]
    pub(crate) fn of_shard(self, shard: Option<Shard>) -> Self {
        Static { shard, ..self }
    }

    fn is_ours(&self, partition: u32) -> bool {
        let (is_of_shard, number) =
            self.shard.map_or((true, partition), |shard| (shard.has_partition(partition), partition / shard.count()));
        is_of_shard && number as usize % self.workers == self.worker
    }

    fn changes_at(&mut self, now: Instant) -> Vec<Change> {
        let mut gained = Vec::new();
        let mut is_news = false;
        if let Some(count) = self.count
            && self.told.is_none_or(|told| told < count)
        {
            is_news = self.told.is_none();
            gained.extend((self.told.unwrap_or(0)..count).filter(|index| self.is_ours(*index)));
            self.told = Some(count);
        }
        let mut stolen = self.stolen.lock().unwrap_or_else(PoisonError::into_inner);
        stolen.retain(|index, back| {
            let stays = *back > now;
            if !stays {
                gained.push(*index);
            }
            stays
        });
        if is_news || !gained.is_empty() { vec![Change::Gained(gained)] } else { Vec::new() }
    }
}

impl Membership for Static {
    fn begin(&mut self, _: Wake) {}

    fn hub_has(&mut self, count: u32) {
        // Partitions are added to a hub, and never taken away.
        self.count = self.count.max(Some(count));
    }

    fn changes(&mut self) -> Result<Vec<Change>, Error> {
        Ok(self.changes_at(Instant::now()))
    }

    fn acknowledge(&self, _: u32, _: i64, _: Option<&str>) {}

    fn stolen(&self, partition: u32) {
        let back = Instant::now() + jitter::between(BACK_AFTER_MIN, BACK_AFTER_MAX);
        self.stolen.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, back);
    }

    fn leave(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_dealt_out_to_the_workers_and_new_ones_are_told() {
        let now = Instant::now();
        let mut second = Static::new(1, 2);
        assert_eq!(second.changes_at(now), []);
        second.hub_has(5);
        assert_eq!(second.changes_at(now), [Change::Gained(vec![1, 3])]);
        assert_eq!(second.changes_at(now), []);
        second.hub_has(8);
        second.hub_has(5);
        assert_eq!(second.changes_at(now), [Change::Gained(vec![5, 7])]);
        assert_eq!(second.changes_at(now), []);
    }

    #[test]
    fn the_partitions_of_a_shard_are_dealt_out_among_its_workers() {
        let gained = |worker, workers, shard: &str| {
            let mut member = Static::new(worker, workers).of_shard(shard.parse().ok());
            member.hub_has(7);
            member.changes_at(Instant::now())
        };
        for (worker, workers, shard, ours) in [
            (0, 1, "0/3", vec![0, 3, 6]),
            (0, 2, "0/3", vec![0, 6]),
            (1, 2, "0/3", vec![3]),
            (0, 2, "1/3", vec![1]),
            (1, 2, "1/3", vec![4]),
            (0, 1, "8/9", vec![]),
        ] {
            assert_eq!(gained(worker, workers, shard), [Change::Gained(ours)], "worker {worker} of {workers}, {shard}");
        }
    }

    #[test]
    fn a_worker_for_whom_there_is_nothing_is_told_so() {
        let mut third = Static::new(2, 3);
        third.hub_has(2);
        assert_eq!(third.changes_at(Instant::now()), [Change::Gained(vec![])]);
        third.hub_has(3);
        assert_eq!(third.changes_at(Instant::now()), [Change::Gained(vec![2])]);
    }

    #[test]
    fn a_stolen_partition_comes_back_after_a_while() {
        let mut all = Static::new(0, 1);
        all.hub_has(2);
        let now = Instant::now();
        all.changes_at(now);
        all.stolen(1);
        assert_eq!(all.changes_at(now + BACK_AFTER_MIN / 2), []);
        assert_eq!(all.changes_at(now + BACK_AFTER_MAX * 2), [Change::Gained(vec![1])]);
        assert_eq!(all.changes_at(now + BACK_AFTER_MAX * 2), []);
    }
}

//! No sharing: all partitions of the hub are this process's, dealt out to its workers by their numbers.
//!
//! A partition that another reader took is tried for again after a random wait, so that two processes that were started by
//! mistake do not tear at it in step.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Change, Membership, Wake};
use crate::Error;
use crate::event_hubs::jitter;

/// A partition that was stolen comes back after a wait between these.
const BACK_AFTER_MIN: Duration = Duration::from_secs(1);
const BACK_AFTER_MAX: Duration = Duration::from_secs(30);

/// All partitions whose number, divided by the number of workers, leaves the worker's.
#[derive(Debug)]
pub struct Static {
    worker: usize,
    workers: usize,
    /// The partitions up to here were told of; `None` until the hub's number is known.
    told: Option<u32>,
    count: Option<u32>,
    /// When each stolen one comes back.
    stolen: Mutex<BTreeMap<u32, Instant>>,
}

impl Static {
    #[must_use]
    pub fn new(worker: usize, workers: usize) -> Self {
        Static { worker, workers: workers.max(1), told: None, count: None, stolen: Mutex::default() }
    }

    fn changes_at(&mut self, now: Instant) -> Vec<Change> {
        let mut gained = Vec::new();
        let mut is_news = false;
        if let Some(count) = self.count
            && self.told.is_none_or(|told| told < count)
        {
            is_news = self.told.is_none();
            let (worker, workers) = (self.worker, self.workers);
            gained.extend((self.told.unwrap_or(0)..count).filter(|index| *index as usize % workers == worker));
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

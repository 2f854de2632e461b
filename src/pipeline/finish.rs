//! When a run is over by itself: a decision over all workers, taken once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aggregate::Close;
use tracing::warn;
use types::PartitionId;

/// Whether and how a run ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Never: a service.
    Never,
    /// When every partition has been proven caught up, or has handed over its last record.
    WhenRead {
        /// What happens to windows that are still open.
        close: Close,
        /// How many partitions there are; fewer may be ours if other instances share the work.
        partitions: usize,
    },
}

/// Which partitions of this process are read, and whether that makes the end.
pub struct Finish {
    ending: Ending,
    withheld: Duration,
    state: Mutex<State>,
}

struct State {
    /// Each worker's partitions, and whether each is read. A partition on its way from one worker to another stands here
    /// twice until both have heard of it.
    owned: BTreeMap<(usize, PartitionId), bool>,
    /// Workers that have not heard of any assignment yet.
    waiting: BTreeSet<usize>,
    changed: Instant,
    decided: bool,
    /// Some partition has been handed over to a successor.
    drained: bool,
}

/// With partitions owned elsewhere, ours must have been stable for this long before we call it the end.
const SETTLED: Duration = Duration::from_secs(5);
/// Longer for a process that was given nothing at all: its share may still be on its way.
const NOTHING_SETTLED: Duration = Duration::from_secs(15);

impl Finish {
    #[must_use]
    pub fn new(ending: Ending, workers: usize, now: Instant) -> Self {
        let state = State {
            owned: BTreeMap::new(),
            waiting: (0..workers).collect(),
            changed: now,
            decided: false,
            drained: false,
        };
        Finish { ending, withheld: Duration::ZERO, state: Mutex::new(state) }
    }

    /// For so long partitions may be withheld from us for the sake of a member that is dead.
    #[must_use]
    pub fn withheld(self, withheld: Duration) -> Self {
        Finish { withheld, ..self }
    }

    /// What to do with open windows once [`decided`](Self::decided).
    #[must_use]
    pub fn close(&self) -> Option<Close> {
        match self.ending {
            Ending::Never => None,
            Ending::WhenRead { close, .. } => Some(close),
        }
    }

    pub(super) fn gained(&self, worker: usize, partitions: &[PartitionId], now: Instant) {
        let mut state = self.lock();
        state.waiting.remove(&worker);
        state.owned.extend(partitions.iter().map(|partition| ((worker, partition.clone()), false)));
        state.changed = now;
    }

    pub(super) fn lost(&self, worker: usize, partitions: &[PartitionId], now: Instant) {
        let mut state = self.lock();
        for partition in partitions {
            state.owned.remove(&(worker, partition.clone()));
        }
        state.changed = now;
    }

    pub(super) fn read(&self, worker: usize, partition: &PartitionId) {
        if let Some(read) = self.lock().owned.get_mut(&(worker, partition.clone())) {
            *read = true;
        }
    }

    /// Nothing is left to do for the partition: the pipeline hands over to a successor.
    pub(super) fn drained(&self, worker: usize, partition: &PartitionId, now: Instant) {
        let mut state = self.lock();
        if !state.drained {
            state.drained = true;
            state.changed = now;
        }
        if let Some(read) = state.owned.get_mut(&(worker, partition.clone())) {
            *read = true;
        }
    }

    /// True from the moment on that every partition was read; never false again.
    #[must_use]
    pub fn decided(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let partitions = match self.ending {
            Ending::WhenRead { partitions, .. } => partitions,
            // A service ends when it has handed over all that it owns, and is not given more.
            Ending::Never if state.drained && !state.owned.is_empty() => usize::MAX,
            Ending::Never => return state.decided,
        };
        if !state.decided && state.owned.values().all(|read| *read) {
            let here = state.owned.len();
            let settled = self.withheld + if here == 0 { NOTHING_SETTLED } else { SETTLED };
            state.decided =
                here >= partitions || (state.waiting.is_empty() && now.duration_since(state.changed) >= settled);
            if state.decided && here < partitions && self.ending != Ending::Never {
                warn!(
                    "{here} of {partitions} partitions were read here: the others belong to other members of the group"
                );
            }
        }
        state.decided
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(index: u32) -> PartitionId {
        PartitionId { topic: "t".into(), index }
    }

    #[test]
    fn ends_when_every_partition_was_read_and_not_before() {
        let now = Instant::now();
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 2 }, 2, now);
        assert!(!finish.decided(now));
        finish.gained(0, &[partition(0)], now);
        finish.read(0, &partition(0));
        assert!(!finish.decided(now), "the other worker may still get partition 1");
        finish.gained(1, &[partition(1)], now);
        assert!(!finish.decided(now));
        // Partition 1 moves: its new owner hears of it before the former one does.
        finish.gained(0, &[partition(1)], now);
        finish.lost(1, &[partition(1)], now);
        assert!(!finish.decided(now), "moved, and not read");
        finish.read(0, &partition(1));
        assert!(finish.decided(now));
        finish.lost(0, &[partition(1)], now);
        assert!(finish.decided(now), "never taken back");
    }

    #[test]
    fn a_member_without_partitions_waits_and_does_not_end_at_once() {
        let now = Instant::now();
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 1 }, 1, now);
        finish.gained(0, &[], now);
        assert!(!finish.decided(now));
        assert!(!finish.decided(now + NOTHING_SETTLED - Duration::from_millis(1)));
        assert!(finish.decided(now + NOTHING_SETTLED), "others have them all");
    }

    #[test]
    fn partitions_of_the_dead_are_waited_for() {
        let (now, withheld) = (Instant::now(), Duration::from_secs(60));
        let ending = Ending::WhenRead { close: Close::Due, partitions: 2 };
        let finish = Finish::new(ending, 1, now).withheld(withheld);
        finish.gained(0, &[partition(0)], now);
        finish.read(0, &partition(0));
        assert!(!finish.decided(now + SETTLED + withheld - Duration::from_millis(1)));
        assert!(finish.decided(now + SETTLED + withheld), "the other one belongs to another member");
    }

    #[test]
    fn a_service_never_ends() {
        let now = Instant::now();
        let finish = Finish::new(Ending::Never, 1, now);
        finish.gained(0, &[partition(0)], now);
        finish.read(0, &partition(0));
        assert!(!finish.decided(now));
    }
}

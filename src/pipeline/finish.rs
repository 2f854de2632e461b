//! When a run is over by itself: a decision over all workers, taken once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aggregate::Close;
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
    state: Mutex<State>,
}

struct State {
    /// Our partitions, and whether each is read.
    owned: BTreeMap<PartitionId, bool>,
    /// Workers that have not heard of any assignment yet.
    waiting: usize,
    changed: Instant,
    decided: bool,
}

/// With partitions owned elsewhere, ours must have been stable for this long before we call it the end.
const SETTLED: Duration = Duration::from_secs(5);

impl Finish {
    #[must_use]
    pub fn new(ending: Ending, workers: usize) -> Self {
        let state = State { owned: BTreeMap::new(), waiting: workers, changed: Instant::now(), decided: false };
        Finish { ending, state: Mutex::new(state) }
    }

    /// What to do with open windows once [`decided`](Self::decided).
    #[must_use]
    pub fn close(&self) -> Option<Close> {
        match self.ending {
            Ending::Never => None,
            Ending::WhenRead { close, .. } => Some(close),
        }
    }

    pub(super) fn gained(&self, partitions: &[PartitionId], first: bool) {
        let mut state = self.lock();
        state.waiting -= usize::from(first);
        state.owned.extend(partitions.iter().map(|partition| (partition.clone(), false)));
        state.changed = Instant::now();
    }

    pub(super) fn lost(&self, partitions: &[PartitionId]) {
        let mut state = self.lock();
        for partition in partitions {
            state.owned.remove(partition);
        }
        state.changed = Instant::now();
    }

    pub(super) fn read(&self, partition: &PartitionId) {
        if let Some(read) = self.lock().owned.get_mut(partition) {
            *read = true;
        }
    }

    /// True from the moment on that every partition was read; never false again.
    #[must_use]
    pub fn decided(&self) -> bool {
        let Ending::WhenRead { partitions, .. } = self.ending else { return false };
        let mut state = self.lock();
        if !state.decided && !state.owned.is_empty() && state.owned.values().all(|read| *read) {
            let all_ours = state.owned.len() >= partitions;
            state.decided = all_ours || (state.waiting == 0 && state.changed.elapsed() >= SETTLED);
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
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 2 }, 2);
        assert!(!finish.decided());
        finish.gained(&[partition(0)], true);
        finish.read(&partition(0));
        assert!(!finish.decided(), "the other worker may still get partition 1");
        finish.gained(&[partition(1)], true);
        assert!(!finish.decided());
        finish.lost(&[partition(1)]);
        finish.gained(&[partition(1)], false);
        finish.read(&partition(1));
        assert!(finish.decided());
        finish.lost(&[partition(1)]);
        assert!(finish.decided(), "never taken back");
    }

    #[test]
    fn a_service_never_ends() {
        let finish = Finish::new(Ending::Never, 1);
        finish.gained(&[partition(0)], true);
        finish.read(&partition(0));
        assert!(!finish.decided());
    }
}

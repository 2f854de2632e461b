//! What stands in the way of commits just now, for readiness and for people.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use types::PartitionId;

/// Retrying for longer than this turns readiness off, even though waiting may well help.
const PATIENCE: Duration = Duration::from_secs(60);

/// The troubles of all partitions; none when all is well.
#[derive(Debug, Clone, Default)]
pub struct Health {
    pub troubles: Vec<Trouble>,
}

/// A commit that does not get through.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub partition: PartitionId,
    pub error: String,
    pub hint: Option<String>,
    /// Waiting will not help until somebody acts.
    pub stuck: bool,
    /// Since when the commit has been failing.
    pub since: Instant,
}

impl Health {
    /// False while something waits for somebody to act, or has been failing for more than a minute.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.troubles.iter().all(|trouble| !trouble.stuck && trouble.since.elapsed() < PATIENCE)
    }
}

/// Kept by the writers of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Ward {
    troubles: Mutex<BTreeMap<PartitionId, Trouble>>,
    quiet: Mutex<Option<Instant>>,
}

impl Ward {
    pub(crate) fn health(&self) -> Health {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        Health { troubles: troubles.values().cloned().collect() }
    }

    pub(crate) fn report(&self, trouble: Trouble) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.insert(trouble.partition.clone(), trouble);
    }

    pub(crate) fn clear(&self, partition: &PartitionId) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }

    /// True at most once in `every`, over all partitions: an outage hits them all at once.
    pub(crate) fn may_log(&self, every: Duration) -> bool {
        let mut last = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at.elapsed() >= every);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

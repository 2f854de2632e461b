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
    /// What waits for somebody to act, or has been failing for more than a minute; of several what waits for somebody to act.
    #[must_use]
    pub fn in_the_way(&self) -> Option<&Trouble> {
        let lasts = |trouble: &&Trouble| trouble.since.elapsed() >= PATIENCE;
        self.troubles.iter().find(|trouble| trouble.stuck).or_else(|| self.troubles.iter().find(lasts))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_what_stands_in_the_way_and_not_what_happens_to_come_first() {
        let trouble = |index, stuck, since: Duration| Trouble {
            partition: PartitionId { topic: "t".into(), index },
            error: String::new(),
            hint: None,
            stuck,
            since: Instant::now().checked_sub(since).expect("the clock has run for so long"),
        };
        let passing = trouble(0, false, Duration::ZERO);
        let (lasting, stuck) = (trouble(1, false, PATIENCE), trouble(2, true, Duration::ZERO));
        for (troubles, expected) in [
            (vec![], None),
            (vec![passing.clone()], None),
            (vec![passing.clone(), lasting.clone()], Some(1)),
            (vec![passing, lasting, stuck], Some(2)),
        ] {
            let health = Health { troubles };
            assert_eq!(health.in_the_way().map(|trouble| trouble.partition.index), expected);
        }
    }
}

//! When a run is over by itself: a decision over all workers, taken once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aggregate::Close;
use ingest::Sharing;
use tracing::{info, warn};
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
    workers: usize,
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
    /// When the source was last asked who has the others, and how often it was since the last change.
    asked: Option<Instant>,
    answers: u32,
    /// How often it gave no answer.
    unanswered: u32,
    decided: bool,
    /// Some partition has been handed over to a successor.
    drained: bool,
}

impl State {
    fn is_read(&self) -> bool {
        self.owned.values().all(|read| *read)
    }
}

/// With partitions owned elsewhere, ours must have been stable for this long before we ask whether it is the end.
const SETTLED: Duration = Duration::from_secs(5);
/// Longer for a process that was given nothing at all: its share may still be on its way.
const NOTHING_SETTLED: Duration = Duration::from_secs(15);
/// After an answer that proves nothing.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// So many questions without an answer are as good as `Unknown`: a source that cannot say makes no job endless.
const UNANSWERED_MAX: u32 = 5;
/// So many answers are between two lines in the log.
const TOLD_EVERY: u32 = 15;

impl Finish {
    #[must_use]
    pub fn new(ending: Ending, workers: usize, now: Instant) -> Self {
        let state = State {
            owned: BTreeMap::new(),
            waiting: (0..workers).collect(),
            changed: now,
            asked: None,
            answers: 0,
            unanswered: 0,
            decided: false,
            drained: false,
        };
        Finish { ending, workers, withheld: Duration::ZERO, state: Mutex::new(state) }
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
        if !state.decided {
            state.decided = match self.ending {
                Ending::WhenRead { partitions, .. } => state.is_read() && state.owned.len() >= partitions,
                // A service ends when it has handed over all that it owns, and is not given more.
                Ending::Never => state.drained && !state.owned.is_empty() && self.seems_over(&state, now),
            };
        }
        state.decided
    }

    /// Whether the source should be asked how its readers share it: what is ours is read, and others seem to have the rest.
    /// The answer goes to [`told`](Self::told).
    pub(super) fn asks(&self, now: Instant) -> bool {
        let Ending::WhenRead { partitions, .. } = self.ending else { return false };
        let mut state = self.lock();
        // Who has them all asks nobody.
        let lacks = !state.decided && state.owned.len() < partitions;
        let is_due = state.asked.is_none_or(|asked| now.duration_since(asked) >= ASK_AGAIN);
        let asks = lacks && is_due && self.seems_over(&state, now);
        if asks {
            state.asked = Some(now);
        }
        asks
    }

    /// That our members have heard of nothing for a while proves little: the group may be slow. What its coordinator says does.
    /// Where it can say nothing, time decides.
    pub(super) fn told(&self, sharing: Option<&Sharing>, now: Instant) {
        let Ending::WhenRead { partitions, .. } = self.ending else { return };
        let mut state = self.lock();
        // What has changed since the question makes nothing of the answer.
        if state.decided || !self.seems_over(&state, now) {
            return;
        }
        let here = state.owned.len();
        state.decided = match sharing {
            None => {
                state.unanswered += 1;
                state.unanswered >= UNANSWERED_MAX
            }
            Some(Sharing::Unknown) => true,
            Some(Sharing::Unsettled) => false,
            Some(Sharing::Settled(members)) => self.others_have_the_rest(&state, members, partitions),
        };
        if state.decided {
            warn!("{here} of {partitions} partitions were read here: the others belong to other members of the group");
        } else {
            if state.answers.is_multiple_of(TOLD_EVERY) {
                info!(
                    "{here} of {partitions} partitions were read here: waiting until the group has shared out the others"
                );
            }
            state.answers += 1;
        }
    }

    /// All that we were given is read, for long enough to look like all that we will be given.
    fn seems_over(&self, state: &State, now: Instant) -> bool {
        let settled = self.withheld + if state.owned.is_empty() { NOTHING_SETTLED } else { SETTLED };
        state.is_read() && state.waiting.is_empty() && now.duration_since(state.changed) >= settled
    }

    /// The members have all partitions among them, and ours have exactly what we know of.
    fn others_have_the_rest(&self, state: &State, members: &[BTreeSet<u32>], partitions: usize) -> bool {
        let mut others: Vec<&BTreeSet<u32>> = members.iter().collect();
        for worker in 0..self.workers {
            let of_worker = state.owned.keys().filter(|(owner, _)| *owner == worker);
            let ours: BTreeSet<u32> = of_worker.map(|(_, partition)| partition.index).collect();
            let Some(found) = others.iter().position(|member| **member == ours) else { return false };
            others.swap_remove(found);
        }
        let all: BTreeSet<u32> = members.iter().flatten().copied().collect();
        all.len() >= partitions
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
    fn who_has_all_partitions_asks_nobody() {
        let begun = Instant::now();
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 1 }, 1, begun);
        finish.gained(0, &[partition(0)], begun);
        finish.read(0, &partition(0));
        let now = begun + NOTHING_SETTLED;
        assert!(!finish.asks(now), "the last record may have come long after the partition");
        assert!(finish.decided(now));
    }

    #[test]
    fn a_member_without_partitions_waits_and_does_not_end_at_once() {
        let now = Instant::now();
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 1 }, 1, now);
        finish.gained(0, &[], now);
        assert!(!finish.asks(now));
        assert!(!finish.asks(now + NOTHING_SETTLED - Duration::from_millis(1)));
        let now = now + NOTHING_SETTLED;
        assert!(finish.asks(now) && !finish.decided(now), "not before the answer");
        finish.told(Some(&Sharing::Unknown), now);
        assert!(finish.decided(now), "others have them all, as far as can be known");
    }

    #[test]
    fn partitions_of_the_dead_are_waited_for() {
        let (now, withheld) = (Instant::now(), Duration::from_secs(60));
        let ending = Ending::WhenRead { close: Close::Due, partitions: 2 };
        let finish = Finish::new(ending, 1, now).withheld(withheld);
        finish.gained(0, &[partition(0)], now);
        finish.read(0, &partition(0));
        assert!(!finish.asks(now + SETTLED + withheld - Duration::from_millis(1)));
        assert!(finish.asks(now + SETTLED + withheld), "the other one seems to belong to another member");
    }

    #[test]
    fn that_others_have_the_rest_is_proven_by_the_group() {
        let members =
            |sets: &[&[u32]]| Sharing::Settled(sets.iter().map(|set| set.iter().copied().collect()).collect());
        // Two workers, of which one has partition 1, of four.
        let cases = [
            (members(&[&[1], &[], &[0, 2, 3]]), true),
            (members(&[&[0, 2], &[1], &[3], &[]]), true),
            (Sharing::Unknown, true),
            (Sharing::Unsettled, false),
            // Our second worker has been given something, and does not know yet.
            (members(&[&[1], &[0], &[2, 3]]), false),
            (members(&[&[1, 0], &[], &[2, 3]]), false),
            // Nobody has partition 3.
            (members(&[&[1], &[], &[0, 2]]), false),
            (members(&[]), false),
        ];
        for (sharing, ends) in cases {
            let begun = Instant::now();
            let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 4 }, 2, begun);
            finish.gained(0, &[partition(1)], begun);
            finish.gained(1, &[], begun);
            finish.read(0, &partition(1));
            let now = begun + SETTLED;
            assert!(finish.asks(now) && !finish.asks(now), "one worker asks");
            finish.told(Some(&sharing), now);
            assert_eq!(finish.decided(now), ends, "{sharing:?}");
            assert_eq!(finish.asks(now + ASK_AGAIN), !ends, "{sharing:?}: asked again");
            // An answer to a question that is out of date decides nothing.
            finish.gained(1, &[partition(3)], now + ASK_AGAIN);
            finish.told(Some(&Sharing::Unknown), now + ASK_AGAIN);
            assert_eq!(finish.decided(now + ASK_AGAIN), ends, "{sharing:?}");
        }
    }

    #[test]
    fn a_source_that_never_answers_makes_no_job_endless() {
        let begun = Instant::now();
        let finish = Finish::new(Ending::WhenRead { close: Close::Due, partitions: 2 }, 1, begun);
        finish.gained(0, &[partition(0)], begun);
        finish.read(0, &partition(0));
        let mut now = begun + SETTLED;
        for question in 1..=UNANSWERED_MAX {
            assert!(finish.asks(now) && !finish.decided(now), "question {question}");
            finish.told(None, now);
            now += ASK_AGAIN;
        }
        assert!(finish.decided(now));
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

//! What a member knows of its own partitions, between its background task and the thread that reads. No I/O, no waiting.
//!
//! The source is told of each partition in turns: gained, lost, gained. What it was not told yet and is no longer so, it never hears
//! of; so little can pile up while it does not ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::store::Version;
use super::watch::Standing;
use super::{Checkpoint, Error};
use crate::event_hubs::{Change, jitter};

/// A partition whose link was taken is claimed again after a wait between these, if its note is still ours then.
const BACK_AFTER_MIN: Duration = Duration::from_secs(1);
const BACK_AFTER_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct State {
    /// The hub has the partitions up to here.
    pub(super) count: Option<u32>,
    held: BTreeMap<u32, Held>,
    stolen: BTreeMap<u32, Stolen>,
    events: Vec<(u32, Event)>,
    first_look: FirstLook,
    /// Checkpoints that are not written yet.
    pub(super) progress: BTreeMap<u32, Checkpoint>,
    pub(super) failed: Option<Error>,
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) version: Version,
    /// When the last renewal that succeeded was sent.
    renewed: Instant,
}

#[derive(Debug)]
struct Stolen {
    at: Instant,
    back: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Gained,
    Lost,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum FirstLook {
    #[default]
    Ahead,
    Untold,
    Told,
}

impl State {
    pub(super) fn held(&self) -> Vec<(u32, Held)> {
        self.held.iter().map(|(partition, held)| (*partition, held.clone())).collect()
    }

    pub(super) fn holds(&self, partition: u32) -> bool {
        self.held.contains_key(&partition)
    }

    pub(super) fn looked(&mut self) {
        if self.first_look == FirstLook::Ahead {
            self.first_look = FirstLook::Untold;
        }
    }

    /// Our claim, sent at that moment, is written.
    pub(super) fn won(&mut self, partition: u32, version: Version, sent: Instant) {
        if self.held.insert(partition, Held { version, renewed: sent }).is_none() {
            self.events.push((partition, Event::Gained));
        }
    }

    /// A renewal of what was `seen` is written; unless it was given up meanwhile.
    pub(super) fn renewed(&mut self, partition: u32, seen: &Version, version: Version, sent: Instant) {
        if let Some(held) = self.held.get_mut(&partition).filter(|held| held.version == *seen) {
            *held = Held { version, renewed: sent };
        }
    }

    /// The note is ours, in this version: a renewal whose answer was lost.
    pub(super) fn seen(&mut self, partition: u32, version: &Version) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.version = version.clone();
        }
    }

    /// Gives whether it was ours until now.
    pub(super) fn lost(&mut self, partition: u32) -> bool {
        if self.held.remove(&partition).is_none() {
            return false;
        }
        let last = self.pending(partition).next_back();
        match last {
            Some((at, Event::Gained)) => {
                self.events.remove(at);
            }
            _ => self.events.push((partition, Event::Lost)),
        }
        true
    }

    /// Loses what was not renewed for so long that others may take it.
    pub(super) fn expire(&mut self, expiry: Duration, now: Instant) -> Vec<u32> {
        let expired = self.held.iter().filter(|(_, held)| now.saturating_duration_since(held.renewed) >= expiry);
        let expired: Vec<u32> = expired.map(|(partition, _)| *partition).collect();
        for partition in &expired {
            self.lost(*partition);
        }
        expired
    }

    pub(super) fn next_expiry(&self, expiry: Duration) -> Option<Instant> {
        self.held.values().map(|held| held.renewed + expiry).min()
    }

    /// The source lost the link of its stay, and has told so itself. Gives whether that was news.
    pub(super) fn stolen(&mut self, partition: u32, now: Instant) -> bool {
        let first = self.pending(partition).next();
        match first {
            // The same loss, by another way.
            Some((at, Event::Lost)) => {
                self.events.remove(at);
                false
            }
            Some((_, Event::Gained)) => false,
            None => {
                let back = now + jitter::between(BACK_AFTER_MIN, BACK_AFTER_MAX);
                let was_held = self.held.remove(&partition).is_some();
                if was_held {
                    self.stolen.insert(partition, Stolen { at: now, back });
                }
                was_held
            }
        }
    }

    /// The partitions that must not be claimed by what was listed since `listed`: of a stolen one it has to be known whose it is
    /// now, and if it is still ours some time has to pass.
    pub(super) fn shunned(
        &mut self,
        standings: &BTreeMap<u32, Standing>,
        listed: Instant,
        now: Instant,
    ) -> BTreeSet<u32> {
        self.stolen.retain(|partition, stolen| {
            stolen.at >= listed || (standings.get(partition) == Some(&Standing::Ours) && now < stolen.back)
        });
        self.stolen.keys().copied().collect()
    }

    pub(super) fn changes(&mut self) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for (partition, event) in self.events.drain(..) {
            match (event, changes.last_mut()) {
                (Event::Gained, Some(Change::Gained(partitions))) | (Event::Lost, Some(Change::Lost(partitions))) => {
                    partitions.push(partition);
                }
                (Event::Gained, _) => changes.push(Change::Gained(vec![partition])),
                (Event::Lost, _) => changes.push(Change::Lost(vec![partition])),
            }
        }
        if self.first_look == FirstLook::Untold {
            self.first_look = FirstLook::Told;
            if changes.is_empty() {
                changes.push(Change::Gained(Vec::new()));
            }
        }
        changes
    }

    pub(super) fn has_news(&self) -> bool {
        !self.events.is_empty() || self.first_look == FirstLook::Untold || self.failed.is_some()
    }

    /// Forgets a checkpoint that is written, unless there is a newer one by now.
    pub(super) fn written(&mut self, partition: u32, checkpoint: &Checkpoint) {
        if self.progress.get(&partition) == Some(checkpoint) {
            self.progress.remove(&partition);
        }
    }

    fn pending(&self, partition: u32) -> impl DoubleEndedIterator<Item = (usize, Event)> {
        let events = self.events.iter().enumerate();
        events.filter(move |(_, (of, _))| *of == partition).map(|(at, (_, event))| (at, *event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::new(text)
    }

    #[test]
    fn gains_and_losses_are_told_in_turns_and_only_if_they_last() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.changes(), []);
        state.looked();
        assert_eq!(state.changes(), [Change::Gained(vec![])]);
        state.looked();
        assert_eq!(state.changes(), []);
        for partition in [3, 1] {
            state.won(partition, version("a"), now);
        }
        assert_eq!(state.changes(), [Change::Gained(vec![3, 1])]);
        assert!(state.lost(1));
        assert!(!state.lost(1) && !state.lost(7));
        state.won(1, version("b"), now);
        state.won(5, version("b"), now);
        state.lost(5);
        assert_eq!(state.changes(), [Change::Lost(vec![1]), Change::Gained(vec![1])]);
        state.lost(1);
        state.won(1, version("c"), now);
        state.lost(1);
        assert_eq!(state.changes(), [Change::Lost(vec![1])]);
        assert_eq!(state.changes(), []);
    }

    #[test]
    fn what_is_not_renewed_expires_by_our_own_clock_alone() {
        let (mut state, began) = (State::default(), Instant::now());
        let (expiry, second) = (Duration::from_secs(60), Duration::from_secs(1));
        state.won(0, version("a"), began);
        state.won(1, version("a"), began);
        state.renewed(0, &version("a"), version("b"), began + 30 * second);
        // An answer to a renewal of another stay.
        state.renewed(1, &version("z"), version("y"), began + 30 * second);
        assert_eq!(state.expire(expiry, began + 59 * second), [0; 0]);
        assert_eq!(state.next_expiry(expiry), Some(began + expiry));
        assert_eq!(state.expire(expiry, began + 60 * second), [1]);
        assert_eq!(state.expire(expiry, began + 90 * second), [0]);
        assert_eq!(state.next_expiry(expiry), None);
    }

    #[test]
    fn a_stolen_partition_is_told_of_no_more_and_waits_until_it_is_known_whose_it_is() {
        let (mut state, began) = (State::default(), Instant::now());
        for partition in 0..4 {
            state.won(partition, version("a"), began);
        }
        state.changes();
        // Lost by the notes at the same time: one loss, which the source tells.
        state.lost(3);
        state.won(3, version("b"), began);
        assert!(!state.stolen(3, began));
        assert_eq!(state.changes(), [Change::Gained(vec![3])]);
        assert!(state.holds(3));
        for partition in 0..3 {
            assert!(state.stolen(partition, began) && !state.holds(partition));
        }
        assert_eq!(state.changes(), []);

        let standings = [(0, Standing::Ours), (1, Standing::Other("x".into())), (2, Standing::Free)].into();
        let mut shunned = |listed, now| state.shunned(&standings, listed, now).into_iter().collect::<Vec<_>>();
        // What was listed before the theft says nothing.
        assert_eq!(shunned(began, began + BACK_AFTER_MAX * 2), [0, 1, 2]);
        let later = began + Duration::from_millis(1);
        assert_eq!(shunned(later, began + BACK_AFTER_MIN / 2), [0]);
        assert_eq!(shunned(later, began + BACK_AFTER_MAX), [0; 0]);
    }
}

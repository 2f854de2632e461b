//! Which records may go: all below the head but the newest few, the young ones, and what holds the state of those.
//!
//! The kept records are a tail of the log: everything below it goes, in rising order, so that a sweep that was cut short
//! leaves a tail too. Referents only grow along the log, so the oldest kept record's is the smallest that is needed.

use super::{Action, Entry, Guard, Guards, Input, Mark};

/// A record as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    pub seq: u64,
    /// Too recent to be removed, by the store's own clock.
    pub is_young: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sweep {
    pub(super) head: Mark,
    /// Below the kept ones, rising.
    old: Vec<u64>,
    oldest_kept: u64,
}

pub(super) enum Next<E> {
    Action(Sweep, Action<E>),
    Done,
}

impl Sweep {
    pub(super) fn new(head: Mark) -> Self {
        Sweep { head, old: Vec::new(), oldest_kept: head.seq }
    }

    pub(super) fn step<E: Entry>(mut self, input: Input<E>, kept: usize, guards: Guards) -> Next<E> {
        match input {
            Input::Seen(mut seen) => {
                seen.sort_unstable_by_key(|record| record.seq);
                // Of a log that has grown behind our back nothing is ours to remove.
                if seen.last().is_none_or(|newest| newest.seq != self.head.seq) {
                    return Next::Done;
                }
                let newest = seen.len().saturating_sub(kept);
                let oldest = seen.iter().position(|record| record.is_young).map_or(newest, |young| young.min(newest));
                self.old = seen[..oldest].iter().map(|record| record.seq).collect();
                self.oldest_kept = seen[oldest].seq;
                if self.old.is_empty() {
                    return Next::Done;
                }
                if !guards.hold(Guard::KeepReferents) {
                    return self.delete();
                }
                let seq = self.oldest_kept;
                Next::Action(self, Action::StateOf { seq })
            }
            Input::StateSeq(Some(state_seq)) => {
                self.old.retain(|seq| *seq < state_seq);
                self.delete()
            }
            Input::Deleted => self.delete(),
            // Gone meanwhile: another owner sweeps.
            _ => Next::Done,
        }
    }

    fn delete<E>(mut self) -> Next<E> {
        if self.old.is_empty() {
            return Next::Done;
        }
        let seq = self.old.remove(0);
        Next::Action(self, Action::Delete { seq })
    }
}

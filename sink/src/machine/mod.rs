//! The protocol of one partition's log, as a pure machine: `step(now, input)` gives actions, and their answers are the
//! next inputs. No I/O, no clock, no chance; the driver has all three.
//!
//! One record follows another: create `log/<seq>` if absent, look whether a larger one exists, publish the record's files,
//! and only then take the next. Whoever takes a partition over publishes the newest record again (it may be unfinished;
//! that it is the newest is looked up once more after it was read) and fences the owner before with a record of its own. The order of these steps is the whole guarantee; the search in
//! `sink/tests/search` walks through every interleaving of it.

mod guards;
mod messages;
mod publication;
mod sweep;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use guards::{Guard, Guards};
pub use messages::{Action, Entry, Input, Mark, Put, Told};
use publication::Publication;
pub use sweep::Seen;

/// Files of one record that are on their way at the same time.
const FILES_AT_ONCE: usize = 4;
/// How many of the newest records stay, whatever their age.
const KEPT: usize = 4;
/// What was known of the log is looked at again before a file is put later than this.
const CONFIRMED_FOR: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine<E> {
    guards: Guards,
    /// How many of the newest records sweeps leave, whatever their age.
    kept: usize,
    phase: Phase<E>,
    /// When it was last seen that nothing follows the record at hand.
    confirmed_at: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase<E> {
    /// Nothing is known of the log, or somebody else owns it.
    Unclaimed,
    Listing,
    Loading {
        seq: u64,
    },
    /// Claimed, and empty.
    Vacant,
    Creating(E),
    ReadingBack(E),
    /// Looking whether anything follows the record, before its files are put.
    Confirming(Publication<E>),
    Publishing(Publication<E>),
    /// The head is published; the next record may come.
    Ready(Mark),
    Sweeping(sweep::Sweep),
}

impl<E: Entry> Machine<E> {
    #[must_use]
    pub(crate) fn new(guards: Guards) -> Self {
        Self::keeping(guards, KEPT)
    }

    /// Sweeps leave so many of the newest records, and never the head. Small numbers make the search small.
    #[must_use]
    pub fn keeping(guards: Guards, kept: usize) -> Self {
        Machine { guards, kept: kept.max(1), phase: Phase::Unclaimed, confirmed_at: Duration::ZERO }
    }

    /// For a new beginning: takes a record for the newest one of which nothing but its number is known, or an empty log. A
    /// record put behind it is created, looked at and published like any other.
    #[must_use]
    pub(crate) fn behind(guards: Guards, head: Option<Mark>) -> Self {
        Machine { guards, kept: KEPT, phase: head.map_or(Phase::Vacant, Phase::Ready), confirmed_at: Duration::ZERO }
    }

    /// The seq of the record that is being made durable or published: it is there, or nothing from it on is.
    #[must_use]
    pub fn at_hand(&self) -> Option<u64> {
        match &self.phase {
            Phase::Confirming(publication) => Some(publication.record.mark().seq),
            _ => None,
        }
    }

    /// `now` is any clock that goes on while the machine sleeps; it is compared with itself only.
    pub fn step(&mut self, now: Duration, input: Input<E>) -> Vec<Action<E>> {
        let phase = std::mem::replace(&mut self.phase, Phase::Unclaimed);
        match (phase, input) {
            (Phase::Unclaimed | Phase::Vacant | Phase::Ready(_), Input::Claim) => self.list(),
            (Phase::Listing, Input::Newest(newest)) => self.listed(now, newest),
            // Collected between our listing and our reading: there is a newer one.
            (Phase::Loading { .. }, Input::Loaded(None)) => self.list(),
            (Phase::Loading { .. }, Input::Loaded(Some(head))) => self.loaded(now, head),

            (Phase::Vacant, Input::Propose(first)) if first.mark().seq == 0 => self.create(first),
            (Phase::Ready(head), Input::Propose(next)) if next.mark().seq == head.seq + 1 => self.create(next),
            (Phase::Creating(record), Input::Put(put)) => self.put(now, record, put),
            (Phase::ReadingBack(record), Input::FoundNonce(found)) => match found {
                Some(nonce) if nonce == record.nonce() => self.won(now, record),
                Some(_) => self.tell(Told::Fenced),
                // "Exists" was about something that never landed.
                None => self.create(record),
            },

            (Phase::Confirming(publication), Input::Newest(newest)) => self.confirmed(now, publication, newest),
            (Phase::Publishing(publication), Input::FilePut { file, put }) => {
                self.file_put(now, publication, file, put)
            }
            (Phase::Publishing(mut publication), Input::FileMeasured { file, same }) => match same {
                Some(true) => {
                    publication.done(file);
                    self.publish(now, publication)
                }
                Some(false) => self.tell(Told::FileDiffers { file }),
                None => {
                    publication.waits(file);
                    self.publish(now, publication)
                }
            },
            // Answers about files of a record that is done with.
            (phase, Input::FilePut { .. } | Input::FileMeasured { .. }) => {
                self.phase = phase;
                Vec::new()
            }

            (Phase::Ready(head), Input::Sweep) => {
                self.phase = Phase::Sweeping(sweep::Sweep::new(head));
                vec![Action::ListAll]
            }
            (Phase::Sweeping(sweep), input) => self.sweep(sweep, input),

            (phase, Input::Claim | Input::Propose(_) | Input::Sweep) => {
                self.phase = phase;
                vec![Action::Tell(Told::Misused)]
            }
            // An answer that nobody waits for: the claim it belonged to was given up.
            (phase, _) => {
                self.phase = phase;
                Vec::new()
            }
        }
    }

    // === Claiming ===

    fn list(&mut self) -> Vec<Action<E>> {
        self.phase = Phase::Listing;
        vec![Action::List]
    }

    fn listed(&mut self, now: Duration, newest: Option<u64>) -> Vec<Action<E>> {
        self.confirmed_at = now;
        match newest {
            None => {
                self.phase = Phase::Vacant;
                vec![Action::Tell(Told::Vacant)]
            }
            Some(seq) => {
                self.phase = Phase::Loading { seq };
                vec![Action::Load { seq }]
            }
        }
    }

    /// The owner before may have died between creating the head and publishing it. But is it the head? If the log grew
    /// and was swept since our listing, a stale record may have landed under the seq that we read.
    fn loaded(&mut self, now: Duration, head: E) -> Vec<Action<E>> {
        if !self.guards.hold(Guard::RedoBeforeClaim) {
            self.phase = Phase::Ready(head.mark());
            return vec![Action::Tell(Told::Head(head))];
        }
        let publication = Publication::redo(head);
        if self.guards.hold(Guard::ListAfterLoad) {
            self.phase = Phase::Confirming(publication);
            return vec![Action::List];
        }
        self.publish(now, publication)
    }

    // === Creating: the commit point ===

    fn create(&mut self, record: E) -> Vec<Action<E>> {
        self.phase = Phase::Creating(record.clone());
        vec![Action::Create(record)]
    }

    fn put(&mut self, now: Duration, record: E, put: Put) -> Vec<Action<E>> {
        match put {
            Put::Created => self.won(now, record),
            Put::Unknown => self.create(record),
            Put::Exists if !self.guards.hold(Guard::ReadBack) => self.won(now, record),
            Put::Exists => {
                let seq = record.mark().seq;
                self.phase = Phase::ReadingBack(record);
                vec![Action::ReadBack { seq }]
            }
        }
    }

    /// The record is there. It counts only if nothing follows it: a seq may be free because it was collected long ago.
    fn won(&mut self, now: Duration, record: E) -> Vec<Action<E>> {
        let publication = Publication::own(record);
        if self.guards.hold(Guard::ListAfterCreate) {
            self.phase = Phase::Confirming(publication);
            vec![Action::List]
        } else {
            self.confirmed_at = now;
            self.publish(now, publication)
        }
    }

    fn confirmed(&mut self, now: Duration, publication: Publication<E>, newest: Option<u64>) -> Vec<Action<E>> {
        let seq = publication.record.mark().seq;
        match newest {
            Some(newest) if newest > seq => match publication.is_redo {
                // Whoever wrote it has published ours before.
                true => self.listed(now, Some(newest)),
                false => self.tell(Told::Fenced),
            },
            Some(newest) if newest == seq => {
                self.confirmed_at = now;
                self.publish(now, publication)
            }
            // Not even ours: listings that lag behind writes break the assumptions, and are waited out.
            _ => {
                self.phase = Phase::Confirming(publication);
                vec![Action::List]
            }
        }
    }

    // === Publishing ===

    fn publish(&mut self, now: Duration, mut publication: Publication<E>) -> Vec<Action<E>> {
        if publication.is_done() {
            return self.published(publication);
        }
        let stale = now.saturating_sub(self.confirmed_at) > CONFIRMED_FOR;
        if stale && self.guards.hold(Guard::ListAfterCreate) {
            if publication.is_quiet() {
                self.phase = Phase::Confirming(publication);
                return vec![Action::List];
            }
            self.phase = Phase::Publishing(publication);
            return Vec::new();
        }
        let record = publication.record.clone();
        let mut actions: Vec<_> = publication
            .send(FILES_AT_ONCE)
            .into_iter()
            .map(|file| Action::PutFile { record: record.clone(), file })
            .collect();
        if !self.guards.hold(Guard::PublishBeforeNext) {
            actions.extend(self.published(publication));
            return actions;
        }
        self.phase = Phase::Publishing(publication);
        actions
    }

    fn file_put(&mut self, now: Duration, mut publication: Publication<E>, file: usize, put: Put) -> Vec<Action<E>> {
        match put {
            Put::Created => publication.done(file),
            Put::Unknown => publication.waits(file),
            Put::Exists if !self.guards.hold(Guard::MeasureAfterExists) => publication.done(file),
            Put::Exists => {
                let record = publication.record.clone();
                self.phase = Phase::Publishing(publication);
                return vec![Action::MeasureFile { record, file }];
            }
        }
        self.publish(now, publication)
    }

    fn published(&mut self, publication: Publication<E>) -> Vec<Action<E>> {
        let Publication { record, is_redo, .. } = publication;
        self.phase = Phase::Ready(record.mark());
        vec![Action::Tell(if is_redo { Told::Head(record) } else { Told::Committed(record) })]
    }

    // === Sweeping ===

    fn sweep(&mut self, sweep: sweep::Sweep, input: Input<E>) -> Vec<Action<E>> {
        let head = sweep.head;
        match sweep.step(input, self.kept, self.guards) {
            sweep::Next::Action(sweep, action) => {
                self.phase = Phase::Sweeping(sweep);
                vec![action]
            }
            sweep::Next::Done => {
                self.phase = Phase::Ready(head);
                vec![Action::Tell(Told::Swept)]
            }
        }
    }

    /// Ends what was under way; only a new claim may follow.
    fn tell(&mut self, told: Told<E>) -> Vec<Action<E>> {
        self.phase = Phase::Unclaimed;
        vec![Action::Tell(told)]
    }
}

//! One partition of ours: what it hands over next, and what it drops. Pure bookkeeping, no client.
//!
//! A record is taken only between the position asked for and the bound, in growing order; anything else is a stray of an
//! earlier assignment, or came after the end of a bounded read.

use std::time::{Duration, Instant};

use types::PartitionId;

use super::watch::{Looks, Past};
use super::watermarks::AtEnd;
use crate::{Anchor, Given, RawRecord, Records, TraceContext, mutant};

/// Bytes set aside at once for a batch: one large record says little of the next.
const CAPACITY_BYTES_MAX: usize = 1 << 20;
/// How often an end that lasts is told again.
const CAUGHT_UP_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Partition {
    pub id: PartitionId,
    pub phase: Phase,
    pub is_paused: bool,
    /// What comes next may not be what is next.
    is_interrupted: bool,
    /// Distinguishes this stay of the partition from earlier ones.
    generation: u64,
    /// The smallest position not seen yet.
    next: i64,
    /// Where a bounded read stops.
    pub bound: Option<i64>,
    /// Taken and not handed over yet.
    open: Option<Open>,
    /// A record that was handed over and is known to be of the topic as it was then, and the one handed over last.
    read: Option<Anchor>,
    last: Option<Anchor>,
    looks: Looks,
    /// The end that the broker reported, if nothing came after it.
    at_end: Option<i64>,
    caught_up: Option<Instant>,
    pub strays: u64,
}

/// Records with the start that they were fetched for.
#[derive(Debug)]
struct Open {
    generation: u64,
    records: Records,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Ours, and waiting for `start`.
    Waiting,
    Started,
    /// A bounded read reached its end, and said so.
    Ended,
}

impl Partition {
    pub(super) fn new(id: PartitionId) -> Self {
        Partition {
            id,
            phase: Phase::Waiting,
            is_paused: false,
            is_interrupted: false,
            generation: 0,
            next: 0,
            bound: None,
            open: None,
            read: None,
            last: None,
            looks: Looks::default(),
            at_end: None,
            caught_up: None,
            strays: 0,
        }
    }

    /// The index as the client has it.
    pub(super) fn index(&self) -> i32 {
        // Made from an `i32` when the partition was gained.
        self.id.index.cast_signed()
    }

    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// Takes `start` back: nothing was assigned.
    pub(super) fn withdraw(&mut self) {
        self.phase = Phase::Waiting;
    }

    pub(super) fn start(&mut self, generation: u64, position: i64) {
        self.phase = Phase::Started;
        self.is_interrupted = false;
        self.generation = generation;
        self.next = position;
        self.read = None;
        self.last = None;
        self.looks = Looks::default();
        self.at_end = None;
        self.caught_up = None;
    }

    /// Back to waiting for `start`, which may name any position; only the bound stays. What was taken is of an earlier
    /// generation by then.
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Waiting;
        self.is_paused = false;
    }

    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        // Proof of the end is only what was seen while not paused.
        self.at_end = None;
    }

    /// The client passes over what it cannot read: of this start nothing more is taken.
    pub(super) fn interrupt(&mut self) {
        self.is_interrupted = true;
        self.at_end = None;
    }

    /// Takes a record, or drops it. `given`: none if nothing outside payloads is asked for. `capacity` is a guess at how many more come with it.
    #[inline]
    pub(super) fn take(&mut self, record: RawRecord<'_>, given: Option<Given<'_>>, capacity: usize) {
        let is_behind = record.position < self.next && mutant::has_position_filter();
        if self.phase != Phase::Started || is_behind || self.is_interrupted {
            // What comes after a bounded read's end is no stray, only early.
            self.strays += u64::from(self.phase != Phase::Ended);
            return;
        }
        if self.bound.is_some_and(|bound| record.position >= bound) {
            self.next = record.position;
            return;
        }
        self.next = record.position + 1;
        self.at_end = None;
        let generation = self.generation;
        if self.open.as_ref().is_some_and(|open| open.generation != generation) {
            self.open = None;
        }
        let open = self.open.get_or_insert_with(|| {
            let bytes = record.key.len() + record.payload.map_or(0, <[u8]>::len);
            let bytes = capacity.saturating_mul(bytes + 8).min(CAPACITY_BYTES_MAX);
            Open { generation, records: Records::with_capacity(self.id.clone(), capacity, bytes) }
        });
        match given {
            None => open.records.push(record),
            Some(given) => open.records.push_given(record, given),
        }
    }

    /// Whether the trace of the record taken last is to be looked at.
    #[inline]
    pub(super) fn wants_trace(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.records.wants_trace())
    }

    pub(super) fn note_trace(&mut self, found: Option<TraceContext>) {
        if let Some(open) = &mut self.open {
            open.records.note_trace(found);
        }
    }

    /// The broker has nothing after `position` at the moment.
    pub(super) fn reach_end(&mut self, position: i64) {
        if self.phase == Phase::Started && !self.is_interrupted && position >= self.next {
            self.next = position;
            self.at_end = Some(position);
        }
    }

    /// Records to hand over now: those that were taken since the last start.
    pub(super) fn hand_over(&mut self) -> Option<Records> {
        if self.phase == Phase::Waiting || self.is_paused {
            return None;
        }
        let Open { generation, records } = self.open.take()?;
        if generation != self.generation && mutant::has_generation_filter() {
            return None;
        }
        self.last = records.last().map(|record| Anchor::of(&record));
        self.read = self.read.or(self.last);
        Some(records)
    }

    /// What was read, if it is time to look at it again.
    pub(super) fn past(&mut self, now: Instant) -> Option<Past> {
        let (read, then) = self.read.zip(self.last).filter(|_| self.phase == Phase::Started)?;
        let (partition, generation) = (self.index(), self.generation);
        self.looks.is_due(now).then_some(Past { partition, generation, read, then })
    }

    /// It was looked at, and nothing contradicts.
    pub(super) fn looked(&mut self, past: &Past, now: Instant) {
        self.read = Some(past.then);
        self.looks.done(now);
    }

    /// Whether an answer is about this partition as it was started last.
    pub(super) fn is_of(&self, past: &Past) -> bool {
        self.phase == Phase::Started && self.index() == past.partition && self.generation == past.generation
    }

    /// The bound, once, when everything before it was handed over.
    pub(super) fn end(&mut self) -> Option<i64> {
        let bound = self.bound?;
        if self.phase != Phase::Started || self.is_paused || self.open.is_some() || self.next < bound {
            return None;
        }
        self.phase = Phase::Ended;
        Some(bound)
    }

    /// A question for the broker, if this seems to be the end and was not said lately.
    pub(super) fn question(&self, now: Instant) -> Option<AtEnd> {
        let is_due = self.caught_up.is_none_or(|told| now.duration_since(told) >= CAUGHT_UP_EVERY);
        let is_idle = self.phase == Phase::Started && !self.is_paused && self.open.is_none() && self.bound.is_none();
        match self.at_end {
            Some(end) if is_idle && is_due => Some(AtEnd { partition: self.index(), generation: self.generation, end }),
            _ => None,
        }
    }

    /// Whether the broker's answer still holds: nothing came, and nobody paused, since the question.
    pub(super) fn confirm(&mut self, answer: &AtEnd, now: Instant) -> bool {
        let holds = self.question(now).as_ref() == Some(answer);
        if holds {
            self.caught_up = Some(now);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(position: i64) -> RawRecord<'static> {
        RawRecord { position, broker_time: None, key: b"k", payload: Some(b"v") }
    }

    fn started(position: i64) -> Partition {
        let mut partition = Partition::new(PartitionId { topic: "t".into(), index: 3 });
        partition.start(1, position);
        partition
    }

    fn positions(records: Option<Records>) -> Vec<i64> {
        records.map(|records| records.iter().map(|record| record.position).collect()).unwrap_or_default()
    }

    #[test]
    fn nothing_is_taken_before_start_or_below_the_position() {
        let mut partition = Partition::new(PartitionId { topic: "t".into(), index: 0 });
        partition.take(record(5), None, 1);
        assert!(partition.hand_over().is_none());
        partition.start(1, 7);
        for position in [5, 6, 7, 9, 8, 9, 12] {
            partition.take(record(position), None, 1);
        }
        assert_eq!(positions(partition.hand_over()), [7, 9, 12]);
        assert_eq!(partition.strays, 5);
    }

    #[test]
    fn behind_what_cannot_be_read_nothing_is_taken_before_a_new_start() {
        let mut partition = started(3);
        partition.take(record(3), None, 1);
        partition.interrupt();
        partition.take(record(9), None, 1);
        partition.reach_end(10);
        assert_eq!(positions(partition.hand_over()), [3]);
        assert_eq!(partition.question(Instant::now()), None);
        partition.start(2, 4);
        partition.take(record(4), None, 1);
        assert_eq!(positions(partition.hand_over()), [4]);
    }

    #[test]
    fn a_bounded_read_ends_once_whatever_shows_it() {
        type Show = fn(&mut Partition);
        let shows: [Show; 4] = [
            |partition| partition.take(record(4), None, 1),
            |partition| partition.take(record(5), None, 1),
            |partition| partition.reach_end(5),
            |partition| partition.take(record(90), None, 1),
        ];
        for (case, show) in shows.into_iter().enumerate() {
            let mut partition = started(3);
            partition.bound = Some(5);
            partition.take(record(3), None, 1);
            assert_eq!(partition.end(), None, "{case}: records wait");
            assert_eq!(positions(partition.hand_over()), [3]);
            assert_eq!(partition.end(), None, "{case}: the end was not seen");
            show(&mut partition);
            let rest = positions(partition.hand_over());
            assert!(rest.iter().all(|position| *position < 5), "{case}: {rest:?}");
            assert_eq!(partition.end(), Some(5), "{case}");
            assert_eq!(partition.end(), None, "{case}: only once");
            partition.take(record(95), None, 1);
            assert!(partition.hand_over().is_none());
        }
    }

    #[test]
    fn an_end_is_believed_only_while_nothing_happens() {
        type Happen = fn(&mut Partition);
        let happenings: [Happen; 3] = [
            |partition| partition.take(record(10), None, 1),
            |partition| {
                partition.pause(true);
                partition.pause(false);
            },
            |partition| partition.start(2, 0),
        ];
        let now = Instant::now();
        for happen in happenings {
            let mut partition = started(0);
            partition.take(record(9), None, 1);
            partition.reach_end(10);
            assert!(partition.question(now).is_none(), "a record waits");
            partition.hand_over();
            let question = partition.question(now).unwrap();
            happen(&mut partition);
            assert!(!partition.confirm(&question, now));
        }
    }

    #[test]
    fn what_was_taken_before_a_start_is_never_handed_over_after_it() {
        let mut partition = started(5);
        partition.take(record(5), None, 1);
        partition.stop();
        assert!(partition.hand_over().is_none());
        partition.start(2, 3);
        assert!(partition.hand_over().is_none(), "a record of an earlier start");
        partition.stop();
        partition.start(3, 2);
        partition.take(record(2), None, 1);
        assert_eq!(positions(partition.hand_over()), [2]);
    }

    #[test]
    fn a_record_that_was_read_is_looked_at_until_a_later_one_takes_its_place() {
        let mut partition = started(5);
        let hand_over = |partition: &mut Partition, position| {
            partition.take(record(position), None, 1);
            partition.hand_over();
        };
        let anchor = |position| Anchor::of(&record(position));
        let now = Instant::now();
        let later = now + Duration::from_secs(3600);
        assert!(partition.past(now).is_none(), "nothing was handed over");
        hand_over(&mut partition, 5);
        assert!(partition.past(now).is_none(), "it was handed over just now");
        hand_over(&mut partition, 6);
        let past = partition.past(later).unwrap();
        assert_eq!(past, Past { partition: 3, generation: 1, read: anchor(5), then: anchor(6) });
        // What comes while the question is under way may be another topic's already.
        hand_over(&mut partition, 7);
        partition.looked(&past, now);
        let next = partition.past(later).unwrap();
        assert_eq!((next.read, next.then), (anchor(6), anchor(7)));

        assert!(partition.is_of(&next));
        partition.stop();
        assert!(partition.past(later).is_none() && !partition.is_of(&next));
        partition.start(2, 0);
        assert!(partition.past(later).is_none() && !partition.is_of(&next));
    }

    #[test]
    fn a_stopped_partition_starts_anywhere_and_keeps_nothing() {
        let mut partition = started(5);
        partition.bound = Some(20);
        for position in [5, 6] {
            partition.take(record(position), None, 1);
        }
        partition.pause(true);
        partition.stop();
        partition.take(record(7), None, 1);
        partition.reach_end(8);
        assert!(partition.hand_over().is_none() && partition.end().is_none() && !partition.is_paused);
        partition.start(2, 3);
        for position in [3, 4, 5] {
            partition.take(record(position), None, 1);
        }
        assert_eq!(positions(partition.hand_over()), [3, 4, 5]);
        assert_eq!(partition.bound, Some(20));
    }

    #[test]
    fn a_lasting_end_is_told_once_a_second() {
        let mut partition = started(0);
        partition.reach_end(4);
        let now = Instant::now();
        let question = partition.question(now).unwrap();
        assert!(partition.confirm(&question, now));
        assert!(partition.question(now + CAUGHT_UP_EVERY / 2).is_none());
        assert!(partition.question(now + CAUGHT_UP_EVERY).is_some());
    }
}

//! One start of a partition: what came and was not handed over yet, and how far it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use types::{PartitionId, Position};

use super::Bell;
use crate::event_hubs::amqp::event::Event;
use crate::event_hubs::amqp::metrics;
use crate::{Extent, Records, Wanted};

/// At most this often is a lasting end told.
const CAUGHT_UP_EVERY: Duration = Duration::from_secs(1);
/// How often a partition that has something to read is asked about, for the lag.
const LAG_EVERY: Duration = Duration::from_secs(10);
/// A link over which nothing comes for so long, though there is something, is attached anew.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// Asked for before any came, since nothing is known of their size.
const EVENTS_FIRST: usize = 16;
/// What an event takes besides its bytes, about.
const EVENT_BYTES_REST: usize = 256;

pub(in crate::event_hubs) struct Lane {
    pub(in crate::event_hubs) id: PartitionId,
    pub(in crate::event_hubs) generation: u64,
    pub(in crate::event_hubs) epoch: Option<u64>,
    /// The position after the last event put in here.
    pub(in crate::event_hubs) next: i64,
    pub(in crate::event_hubs) offset: Option<String>,
    /// The first event held when the start was made.
    pub(in crate::event_hubs) low: i64,
    /// The position after the last event handed over.
    handed: i64,
    /// Where a bounded read ends.
    bound: Option<i64>,
    is_past_bound: bool,
    is_end_told: bool,
    is_paused: bool,
    prefetch: usize,
    batches: VecDeque<(Records, usize)>,
    records: usize,
    bytes: usize,
    /// About the size of the largest events of late; 0 before any came.
    event_bytes: usize,
    strays: u64,
    /// Grows whenever something happens that makes an answer about the end out of date.
    activity: u64,
    proof: Option<(u64, Extent)>,
    /// Since when the service has had events beyond these, of which none came.
    behind: Option<(u64, Instant)>,
    is_stalled: bool,
    asked: Option<Instant>,
    told: Option<Instant>,
    /// Events not handed over, by the last answer.
    pub(in crate::event_hubs) lag: Option<u64>,
    pub(in crate::event_hubs) bell: Bell,
}

/// What a task may ask for, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::event_hubs) struct Room {
    pub(in crate::event_hubs) events: u32,
    pub(in crate::event_hubs) is_paused: bool,
    /// The service has events, and has sent none for long.
    pub(in crate::event_hubs) is_stalled: bool,
}

/// Whether a partition is at its end, asked of the service at a moment when nothing was known to be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::event_hubs) struct Question {
    pub(in crate::event_hubs) index: u32,
    pub(in crate::event_hubs) generation: u64,
    activity: u64,
}

impl Lane {
    pub(in crate::event_hubs) fn new(id: PartitionId, generation: u64, epoch: Option<u64>, prefetch: usize) -> Self {
        Lane {
            id,
            generation,
            epoch,
            next: 0,
            offset: None,
            low: 0,
            handed: 0,
            bound: None,
            is_past_bound: false,
            is_end_told: false,
            is_paused: false,
            prefetch: prefetch.max(1),
            batches: VecDeque::new(),
            records: 0,
            bytes: 0,
            event_bytes: 0,
            strays: 0,
            activity: 0,
            proof: None,
            behind: None,
            is_stalled: false,
            asked: None,
            told: None,
            bell: Bell::default(),
            lag: None,
        }
    }

    /// `offset`: of the event before `next`, where it is known.
    pub(in crate::event_hubs) fn start(
        &mut self,
        next: i64,
        offset: Option<String>,
        extent: Extent,
        bound: Option<i64>,
    ) {
        (self.next, self.handed, self.offset) = (next, next, offset);
        (self.low, self.bound) = (extent.low.0, bound);
    }

    // === Events come in ===

    /// Drops what lies before the start (a service may begin a little early) and behind the bound.
    pub(super) fn take(&mut self, events: &mut Vec<Event>, batch_records: usize, wanted: &Wanted) {
        self.activity += 1;
        // Shrinks slowly, so that a few large events among many small ones are reckoned with.
        self.event_bytes -= self.event_bytes / 64;
        for event in events.drain(..) {
            if event.sequence_number < self.next {
                self.strays += 1;
                continue;
            }
            if self.bound.is_some_and(|bound| event.sequence_number >= bound) {
                self.is_past_bound = true;
                continue;
            }
            self.next = event.sequence_number + 1;
            self.push(&event, batch_records, wanted);
            // Never that of an event before: who goes on after it would take the next one for another.
            self.offset = event.offset;
        }
    }

    fn push(&mut self, event: &Event, batch_records: usize, wanted: &Wanted) {
        let is_full = self.batches.back().is_none_or(|(batch, _)| batch.len() >= batch_records);
        if is_full {
            self.batches.push_back((Records::new(self.id.clone()), 0));
        }
        if let Some((batch, batch_bytes)) = self.batches.back_mut() {
            let before = batch.bytes();
            event.push(batch, wanted);
            batch.set_offset(event.offset.as_deref());
            let bytes = batch.bytes() - before + EVENT_BYTES_REST;
            *batch_bytes += bytes;
            self.bytes += bytes;
            self.event_bytes = self.event_bytes.max(bytes);
        }
        self.records += 1;
    }

    pub(super) fn room(&self, bytes_max: usize) -> Room {
        let by_bytes = match self.event_bytes {
            0 => EVENTS_FIRST,
            size => bytes_max.saturating_sub(self.bytes) / size,
        };
        let by_records = self.prefetch.saturating_sub(self.records);
        // An empty lane always asks for one, however large the last one was.
        let least = usize::from(self.records == 0);
        let events = if self.is_done() { 0 } else { by_bytes.min(by_records).max(least) };
        Room {
            events: u32::try_from(events).unwrap_or(u32::MAX),
            is_paused: self.is_paused,
            is_stalled: self.is_stalled,
        }
    }

    /// Nothing more is wanted of a bounded read.
    fn is_done(&self) -> bool {
        self.is_past_bound || self.bound.is_some_and(|bound| self.next >= bound)
    }

    // === and go out ===

    pub(super) fn has_records(&self) -> bool {
        !self.is_paused && !self.batches.is_empty()
    }

    pub(super) fn has_news(&self) -> bool {
        self.has_records() || self.is_at_end() || (self.proof.is_some() && self.is_read())
    }

    /// All that came was handed over, and more may be.
    pub(in crate::event_hubs) fn is_read(&self) -> bool {
        !self.is_paused && self.batches.is_empty()
    }

    pub(super) fn hand_over(&mut self) -> Option<Records> {
        let (records, bytes) = self.batches.pop_front()?;
        self.records = self.records.saturating_sub(records.len());
        self.bytes = self.bytes.saturating_sub(bytes);
        self.handed = records.next().0;
        self.activity += 1;
        self.bell.notify_one();
        metrics::stray(std::mem::take(&mut self.strays));
        Some(records)
    }

    fn is_at_end(&self) -> bool {
        self.is_read() && self.bound.is_some() && self.is_done() && !self.is_end_told
    }

    pub(super) fn end(&mut self) -> Option<(PartitionId, Position)> {
        let position = Position(self.bound.filter(|_| self.is_at_end())?);
        self.is_end_told = true;
        Some((self.id.clone(), position))
    }

    pub(in crate::event_hubs) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        self.activity += 1;
        self.bell.notify_one();
    }

    // === The end of an unbounded read ===

    /// A question that is due. Of a bounded read that has all it wanted nothing is to be known any more.
    pub(in crate::event_hubs) fn question(&mut self, now: Instant) -> Option<Question> {
        if self.is_done() {
            return None;
        }
        let since = |time: Option<Instant>| time.map(|time| now.saturating_duration_since(time));
        let every = if self.is_read() { CAUGHT_UP_EVERY } else { LAG_EVERY };
        let is_due =
            since(self.asked).is_none_or(|asked| asked >= every) && since(self.told).is_none_or(|told| told >= every);
        if !is_due {
            return None;
        }
        self.asked = Some(now);
        Some(Question { index: self.id.index, generation: self.generation, activity: self.activity })
    }

    pub(in crate::event_hubs) fn last_asked(&self) -> Option<Instant> {
        self.asked
    }

    /// The answer to it.
    pub(in crate::event_hubs) fn answer(&mut self, question: &Question, extent: Extent, now: Instant) {
        let lag = extent.high.0.saturating_sub(self.handed).max(0);
        self.lag = Some(lag.cast_unsigned());
        metrics::lag(self.id.index, lag);
        self.proof = Some((question.activity, extent));
        let is_behind = self.is_read() && !self.is_done() && extent.high.0 > self.next;
        self.behind = match self.behind {
            _ if !is_behind => None,
            Some((activity, since)) if activity == self.activity => Some((activity, since)),
            _ => Some((self.activity, now)),
        };
        if self.behind.is_some_and(|(_, since)| now.saturating_duration_since(since) >= STALLED_AFTER) {
            (self.is_stalled, self.behind) = (true, None);
            self.bell.notify_one();
        }
    }

    /// A new link is given its time.
    pub(in crate::event_hubs) fn attached(&mut self) {
        (self.is_stalled, self.behind) = (false, None);
    }

    /// Whether nothing is left, by an answer that nothing happened since it was asked for; told once for each answer.
    pub(in crate::event_hubs) fn caught_up(&mut self, now: Instant) -> Option<Position> {
        let (activity, extent) = self.proof.take()?;
        let is_proof = self.is_read() && activity == self.activity && extent.high.0 == self.handed;
        if !is_proof || self.bound.is_some() {
            return None;
        }
        self.told = Some(now);
        Some(Position(self.handed))
    }

    /// Whether events expired that were still to be read, by such an answer.
    pub(in crate::event_hubs) fn expired(&self) -> Option<Extent> {
        let (activity, extent) = self.proof?;
        let is_missing = extent.low.0 > self.handed && !self.is_done();
        (self.is_read() && activity == self.activity && is_missing).then_some(extent)
    }

    pub(in crate::event_hubs) fn handed(&self) -> Position {
        Position(self.handed)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        metrics::stray(self.strays);
        metrics::forget(self.id.index);
    }
}

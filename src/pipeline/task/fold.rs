//! Folding: no I/O; every decision is taken at the record.

use std::time::{Duration, Instant};

use aggregate::Arrival;
use ingest::decode::Decoded;
use ingest::{Given, RawRecord, Records};
use tracing::{error, info};
use types::{Micros, Reason};

use super::Task;
use super::side::Side;
use crate::pipeline::{Counts, metrics, refusals};
use crate::wall;

/// A partition under suspicion lets others open and receive first: one that kills takes them all with it.
const OTHERS_OPEN_WITHIN: Duration = Duration::from_secs(2);

/// A batch, and how many of its records were folded.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) records: Records,
    folded: usize,
}

impl Task<'_> {
    pub(in crate::pipeline) fn fold(&mut self, records: Records) {
        if self.careful.is_none() && !self.skew.is_tripped() {
            self.fold_part(&records, 0, usize::MAX);
        } else {
            self.held.push_back(Held { records, folded: 0 });
        }
    }

    /// While our clock contradicts the broker's, the partition waits and says so.
    pub(super) fn look_at_the_clock(&mut self) {
        if !self.skew.is_tripped() {
            return;
        }
        let wall = self.job.clock.wall();
        if self.skew.is_behind(wall.saturating_add(self.job.windows.max_future_skew)) {
            return;
        }
        info!(partition = %self.partition, "this machine's clock agrees with the broker's again: reading goes on");
        self.progress.board.healed(self.worker, &self.partition);
        self.skew.settle();
        while self.careful.is_none()
            && !self.skew.is_tripped()
            && let Some(held) = self.held.pop_front()
        {
            self.fold_part(&held.records, held.folded, usize::MAX);
        }
    }

    fn halt_for_the_clock(&self, ours: Micros) {
        let (ours, theirs) = (wall::text(ours), wall::text(self.skew.newest().unwrap_or(ours)));
        let why = format!(
            "records of many devices are from the future: the broker says {theirs}, this machine's clock {ours}; set the clock \
             right and reading goes on by itself (or, if it is the records' times that are wrong, raise `aggregate.max_future_skew`)"
        );
        error!(partition = %self.partition, "reading pauses: {why}");
        self.progress.board.halted(self.worker, &self.partition, &why);
    }

    /// After crashes: whether it has records to fold, and has not got on in this life yet. If so, whether it is the turn of
    /// the last such partition, rather than of the first.
    pub(in crate::pipeline) fn is_suspected(&self) -> Option<bool> {
        let waits = !self.has_committed && !self.held.is_empty() && !self.skew.is_tripped();
        self.careful.as_ref().filter(|_| waits).map(|careful| careful.is_backwards)
    }

    /// After crashes: folds the next few records, once the few before are durable.
    pub(super) fn fold_carefully(&mut self, now: Instant, is_its_turn: bool) {
        if self.skew.is_tripped() {
            return;
        }
        let waits = !is_its_turn || now.duration_since(self.opened_at) < OTHERS_OPEN_WITHIN;
        if waits && !self.has_committed || self.in_flight.is_some() || self.next > self.begun {
            return;
        }
        let Some(careful) = &mut self.careful else { return };
        let batch = careful.batch();
        let Some(mut held) = self.held.pop_front() else { return };
        // What lies below the position was folded in another life, and is not the one to suspect.
        let below = |raw: &RawRecord<'_>| raw.position < self.next.0 && self.job.guards.positions;
        held.folded += held.records.iter().skip(held.folded).take_while(below).count();
        if held.folded >= held.records.len() {
            return;
        }
        if careful.take_suspicion() {
            self.set_aside(&held);
            held.folded += 1;
        } else {
            self.fold_part(&held.records, held.folded, batch);
            held.folded = held.folded.saturating_add(batch);
        }
        if held.folded < held.records.len() {
            self.held.push_front(held);
        }
    }

    /// The record that killed its readers again and again is counted, kept, and not read: so nobody knows which shard's it is, and each
    /// that it killed has it.
    fn set_aside(&mut self, held: &Held) {
        let Some(raw) = held.records.iter().nth(held.folded) else { return };
        error!(partition = %self.partition, position = raw.position, "this record killed its readers again and again: it goes to quarantine unread");
        let arrival_before = self.windows.arrival_clock();
        self.windows.undecodable(Arrival { position: raw.position, broker_time: raw.broker_time, wall: None });
        let mut counts = Counts { records: 1, undecodable: 1, ..Counts::default() };
        let payload = raw.payload.unwrap_or_default();
        let Task { late, quarantine, kinds, windows, .. } = self;
        let rejects = &mut kinds.rejects;
        let mut side = Side { late, quarantine, rejects, windows, raw, payload, leaves: false };
        side.keep(Reason::CrashSuspect, None, Reason::CrashSuspect.remedy(), &mut counts);
        self.folded(&raw, None, &counts, arrival_before);
    }

    fn fold_part(&mut self, records: &Records, from: usize, count: usize) {
        let begun = self.job.clock.now();
        let wall = self.job.wall.then(|| self.job.clock.wall());
        let arrival_before = self.windows.arrival_clock();
        let mut counts = Counts::default();
        let mut last = None;
        self.links.add(records.traces());
        self.decoder.begin(records);
        for (number, raw) in records.iter().enumerate().skip(from).take(count) {
            let mut is_ours = true;
            if raw.position >= self.next.0 || !self.job.guards.positions {
                is_ours = self.fold_record(raw, records.given(number), wall, &mut counts);
                last = Some(raw);
            }
            if is_ours {
                counts.records += 1;
                counts.bytes += (raw.key.len() + raw.payload.map_or(0, <[u8]>::len)) as u64;
            }
        }
        if let Some(last) = last {
            let is_whole = records.next().0 == last.position + 1;
            let offset = if is_whole { records.offset() } else { None };
            self.folded(&last, offset, &counts, arrival_before);
        }
        if self.skew.is_tripped()
            && let Some(wall) = wall
        {
            self.halt_for_the_clock(wall);
        }
        self.since.fold += self.job.clock.now().duration_since(begun);
    }

    fn folded(&mut self, last: &RawRecord<'_>, offset: Option<&str>, counts: &Counts, arrival_before: Option<Micros>) {
        self.next = self.next.max(types::Position(last.position + 1));
        self.journal.read(last, offset);
        self.vitals.taken(|| self.job.clock.wall());
        if self.windows.arrival_clock() != arrival_before {
            self.journal.stirred();
        }
        self.since.records += counts.records;
        self.since.readings += counts.readings;
        self.note_waiting();
        metrics::folded(self.progress, counts, &mut self.kinds);
        if counts.quarantined > 0 {
            refusals::say(&self.partition, &self.quarantine);
        }
    }

    /// Whether the record counts here: of those that shards share, each counts in one, and each reading in its device's.
    #[inline]
    fn fold_record(&mut self, raw: RawRecord<'_>, given: Given<'_>, wall: Option<Micros>, counts: &mut Counts) -> bool {
        let shard = self.job.shard;
        let has_nameless = || shard.is_none_or(|shard| shard.has_nameless(raw.position));
        let has = |device: &str| shard.is_none_or(|shard| shard.has_device(device));
        let arrival = Arrival { position: raw.position, broker_time: raw.broker_time, wall };
        if let (Some(taken), Some(wall)) = (raw.broker_time, wall) {
            if taken > wall.saturating_add(self.job.windows.max_future_skew) {
                self.journal.doubted_times += 1;
                self.skew.beyond(&raw, taken);
            } else {
                self.skew.within();
            }
        }
        let Some(payload) = raw.payload else {
            if !has_nameless() {
                return false;
            }
            self.windows.tombstone(arrival);
            counts.tombstones += 1;
            return true;
        };
        let leaves = self.journal.drain.is_some();
        let Task { late, quarantine, kinds, windows, .. } = self;
        let metrics::Kinds { rejects, ignored } = kinds;
        match self.decoder.decode_given(payload, given) {
            Decoded::One(reading) if !has(reading.device) => return false,
            Decoded::One(reading) => {
                windows.observe(arrival, std::iter::once(reading), &mut self.refused);
                counts.readings += 1;
                if !self.refused.is_empty() {
                    let mut side = Side { late, quarantine, rejects, windows, raw, payload, leaves };
                    side.take(&mut self.refused, std::iter::once((0, reading)), counts);
                }
            }
            Decoded::Many(many) => {
                let ours = || many.iter().filter(|(_, reading)| has(reading.device));
                let observed = ours().map(|(_, reading)| reading).inspect(|_| counts.readings += 1);
                windows.observe(arrival, observed, &mut self.refused);
                let mut side = Side { late, quarantine, rejects, windows, raw, payload, leaves };
                if !self.refused.is_empty() {
                    side.take(&mut self.refused, ours(), counts);
                }
                // The record goes with its first reading.
                if !many.iter().next().map_or_else(has_nameless, |(_, first)| has(first.device)) {
                    windows.disown_record();
                    return false;
                }
                counts.ignored_cells += metrics::ignored(&many, ignored);
                for (index, reject) in many.rejects() {
                    counts.readings += 1;
                    side.refuse_reading(reject.reason, *index, &reject.detail, counts);
                }
            }
            Decoded::Reject(_) if !has_nameless() => return false,
            Decoded::Reject(_) if leaves => windows.leave(arrival),
            Decoded::Reject(reject) => {
                windows.undecodable(arrival);
                counts.undecodable += 1;
                let mut side = Side { late, quarantine, rejects, windows, raw, payload, leaves };
                side.keep(reject.reason, None, &reject.detail, counts);
            }
        }
        true
    }
}

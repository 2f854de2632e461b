//! One partition's task: its decoder, windows, models resolved for its series, side rows and durable end.

mod accounts;
mod careful;
mod commit;
mod fold;
mod journal;
mod open;
mod side;
mod skew;
mod vitals;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aggregate::{Refused, Tally, Windows};
use ingest::Source;
use ingest::decode::Decoder;
use score::Scorer;
use sink::record::RecordKind;
use sink::{RunRows, Sink};
use tracing::{error, info, warn};
use types::{LateReadings, Micros, PartitionId, Position, Quarantine};

pub(super) use self::accounts::InFiles;
use self::careful::Careful;
use self::commit::InFlight;
use self::fold::Held;
use self::journal::Journal;
pub use self::journal::anchor_of;
pub(super) use self::open::{NotHandedOver, Opening};
use self::skew::Skew;
use self::vitals::Vitals;
use super::{Counts, Job, Keeper, Progress, metrics};
use crate::failure;
use crate::telemetry::trace;
use crate::wall;

/// When rows and positions become durable.
#[derive(Debug, Clone, Copy)]
pub struct Cadence {
    /// Position and state, at the latest.
    pub commit_interval: Duration,
    /// Closed rows wait for this many, or for `max_delay`.
    pub min_rows: usize,
    pub max_delay: Duration,
}

/// A boundary that cannot be is said again after this.
const REFUSED_DRAIN: Duration = Duration::from_secs(60);
/// How often it is looked whether to hand over to a successor.
const LOOK_FOR_DRAIN: Duration = Duration::from_secs(5);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Going,
    /// Where it begins is durable: its records may come.
    Ready,
    /// Everything before the boundary of a drain is durable.
    Drained,
    Fenced,
}

pub(super) struct Task<'a> {
    /// The number of the worker whose it is.
    worker: usize,
    job: &'a Job,
    keeper: &'a dyn Keeper,
    progress: &'a Progress,
    partition: PartitionId,
    /// What the input consists of, if it can change under its name.
    content: Option<String>,
    decoder: Decoder,
    windows: Windows,
    scorer: Scorer,
    late: LateReadings,
    quarantine: Quarantine,
    runs: RunRows,
    in_files: InFiles,
    journal: Journal,
    careful: Option<Careful>,
    skew: Skew,
    /// Read from the source and not folded yet: for the few before to be durable, or for our clock to be set right.
    held: VecDeque<Held>,
    sink: Box<dyn Sink>,
    /// What was counted when it was taken over.
    tally_before: Tally,
    /// The position after the last record folded in.
    next: Position,
    /// What is durable, or on its way.
    begun: Position,
    in_flight: Option<InFlight>,
    /// Traces that records since the commit before belong to.
    links: trace::Links,
    /// A commit that is due now, whatever the cadence says.
    forced: Option<RecordKind>,
    is_started: bool,
    opened_at: Instant,
    /// Records, in this life.
    has_committed: bool,
    /// Proven caught up, at least once.
    was_caught_up: bool,
    /// What building the last state took: the next one waits twenty times as long.
    commit_cost: Duration,
    paused: bool,
    /// Since when the oldest row waits to be emitted.
    waiting_since: Option<Instant>,
    committed_at: Instant,
    settled_at: Instant,
    looked_for_drain_at: Option<Instant>,
    /// Since the commit before: for its row in `runs`.
    since: Since,
    refused: Vec<Refused>,
    /// Of the batch at hand.
    kinds: metrics::Kinds,
    snapshot: Vec<u8>,
    vitals: Vitals,
}

/// What was read since the last commit was begun.
#[derive(Debug, Clone, Copy, Default)]
struct Since {
    from: Position,
    records: u64,
    readings: u64,
    fold: Duration,
}

impl Task<'_> {
    pub(super) fn partition(&self) -> &PartitionId {
        &self.partition
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    /// Whether something has to be durable before its records may come: where it begins, or that some are given up.
    pub(super) fn waits_for_commit(&self) -> bool {
        self.forced.is_some()
    }

    /// A commit finds out whether the partition is still ours, even if there is nothing to read.
    pub(super) fn prove_ownership(&mut self) {
        if self.is_started {
            self.forced.get_or_insert(RecordKind::Data);
        }
    }

    /// Its records come from now on.
    pub(super) fn started(&mut self) {
        self.is_started = true;
    }

    /// Returns whether the proof holds for what was folded here.
    pub(super) fn caught_up(&mut self, position: Position) -> bool {
        if self.paused || self.is_held_back() {
            self.journal.stirred();
            return false;
        }
        // Control records and compacted ones leave no trace but the position.
        self.next = self.next.max(position);
        self.was_caught_up = true;
        let clock = &self.job.clock;
        self.vitals.caught_up(clock.now(), clock.wall());
        let step = self.journal.caught_up(self.next, self.windows.arrival_clock(), clock.now(), clock.wall());
        if let Some(to) = step {
            self.windows.tick(to);
            self.note_waiting();
        }
        true
    }

    pub(super) fn ended(&mut self, position: Position) {
        self.next = self.next.max(position);
    }

    /// Begins to hand over to a successor if that was asked for: what lies beyond the boundary is left alone from here on.
    fn look_for_drain(&mut self, now: Instant) {
        let looked = self.looked_for_drain_at.is_some_and(|at| now < at + LOOK_FOR_DRAIN);
        if looked || self.journal.drain.is_some() {
            return;
        }
        self.looked_for_drain_at = Some(now);
        let Some(until) = self.keeper.drain() else { return };
        match self.windows.drain_until(until) {
            Ok(()) => {
                info!(partition = %self.partition, until = wall::text(until), from = %self.next, "draining: later readings are left to the successor");
                self.journal.drain = Some(sink::record::DrainFrom { until, from: self.next });
                self.forced = Some(RecordKind::Drain);
            }
            Err(refusal) => {
                let refusal = anyhow::Error::new(refusal);
                let hints = failure::hints(&refusal).join("; ");
                error!(partition = %self.partition, hint = hints, "cannot drain: {}", failure::chain(&refusal));
                self.looked_for_drain_at = Some(now + REFUSED_DRAIN);
            }
        }
    }

    fn is_drained(&self) -> bool {
        // A pipeline that is run once more after its drain reads on first: devices may have uploaded meanwhile.
        self.was_caught_up
            && self.journal.drain.is_some()
            && self.windows.is_drained()
            && self.waiting_rows() == 0
            && self.in_flight.is_none()
            && self.forced.is_none()
    }

    fn note_waiting(&mut self) {
        if self.waiting_since.is_none() && self.waiting_rows() > 0 {
            self.waiting_since = Some(self.job.clock.now());
        }
    }

    fn waiting_rows(&self) -> usize {
        self.windows.closed().len() + self.late.len() + self.quarantine.runs().len()
    }

    /// About how much memory they take.
    fn waiting_bytes(&self) -> usize {
        const ROW: usize = 96;
        let held: usize = self.held.iter().map(|held| held.records.bytes()).sum();
        self.windows.closed().len() * ROW + self.late.bytes() + self.quarantine.bytes() + held
    }

    fn is_held_back(&self) -> bool {
        self.skew.is_tripped() || !self.held.is_empty()
    }

    /// While a commit is under way folding goes on, up to a bound; then reading pauses (and polling goes on).
    fn press_back(&mut self, source: &mut dyn Source, pending_bytes_max: usize) {
        let held_back = self.is_held_back();
        let pressed = self.progress.is_pressed();
        let full = held_back || self.in_flight.is_some() && (pressed || self.waiting_bytes() >= pending_bytes_max);
        if full && !self.paused {
            if !held_back && !pressed {
                warn!(partition = %self.partition, bytes = self.waiting_bytes(), "the store is slower than the source: reading pauses");
            }
            source.pause(&self.partition);
            self.journal.stirred();
        } else if !full && self.paused {
            source.resume(&self.partition);
        }
        self.paused = full;
    }

    /// Counts gauges once a second.
    fn show(&self, source: &dyn Source) {
        metrics::state_of(&self.partition, &self.status(source), self.job.clock.wall());
    }

    fn count(&self, counts: &Counts) {
        self.progress.add(counts);
    }
}

/// Spreads the commits of partitions over the interval, so that they do not all hit the store at once.
fn stagger(partition: &PartitionId, now: Instant, interval: Duration) -> Instant {
    let eighths = partition.index % 8;
    now.checked_sub(interval / 8 * eighths).unwrap_or(now)
}

/// Dates are days since 1970-01-01 in UTC.
fn date_of(time: Micros) -> i64 {
    const DAY: Micros = 86_400_000_000;
    time.div_euclid(DAY)
}

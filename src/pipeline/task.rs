//! One partition's task: its decoder, windows, models resolved for its series, side rows and durable end.

mod commit;
mod side;

use std::time::{Duration, Instant};

use aggregate::{Arrival, Refused, Windows};
use anyhow::{Context, bail};
use ingest::decode::{Decoded, Decoder};
use ingest::{RawRecord, Records, Source};
use score::Scorer;
use sink::Sink;
use tracing::info;
use types::{LateReadings, Micros, PartitionId, Position, Quarantine, Reason};

use self::side::Side;
use super::{Counts, Job, Progress, metrics, refusals, state};
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

/// Two proofs of being caught up that are further apart than this are not one stretch of idleness.
const PROOF_GAP_MAX: Duration = Duration::from_secs(5);
/// Taken off the idle time, for what passes between a broker's append and our proof.
const IDLE_MARGIN: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Going,
    /// Where it begins is durable: its records may come.
    Ready,
    Fenced,
}

pub(super) struct Task<'a> {
    job: &'a Job,
    progress: &'a Progress,
    partition: PartitionId,
    /// What the input consists of, if it can change under its name.
    content: Option<String>,
    decoder: Decoder,
    windows: Windows,
    scorer: Scorer,
    late: LateReadings,
    quarantine: Quarantine,
    sink: Box<dyn Sink>,
    /// The position after the last record folded in.
    next: Position,
    /// What is durable, or on its way.
    begun: Option<Position>,
    in_flight: bool,
    is_started: bool,
    /// What building the last commit took: the next one waits twenty times as long.
    commit_cost: Duration,
    paused: bool,
    /// Since when the oldest row waits to be emitted.
    waiting_since: Option<Instant>,
    committed_at: Instant,
    settled_at: Instant,
    /// When the rows of the commit under way were closed: for the time from close to durable.
    emitting_since: Option<Instant>,
    idle: Option<Idle>,
    refused: Vec<Refused>,
    /// Refusals of the batch at hand, by reason.
    rejects: [u64; Reason::ALL.len()],
    snapshot: Vec<u8>,
}

/// A stretch of time during which the partition was proven caught up again and again.
#[derive(Debug, Clone, Copy)]
struct Idle {
    /// The arrival clock when it began.
    base: Micros,
    since: Instant,
    last_proof: Instant,
}

impl<'a> Task<'a> {
    /// Takes the partition over from the last durable commit, or begins it where the job says. Blocks.
    pub(super) fn recover(
        job: &'a Job,
        partition: PartitionId,
        source: &mut dyn Source,
        mut sink: Box<dyn Sink>,
        progress: &'a Progress,
    ) -> anyhow::Result<Self> {
        let content = source.content(&partition).context("look at the input")?;
        let recovered = sink.recover().context("recover the partition's state")?;
        let (next, begun, windows, late, quarantine) = match recovered {
            Some(found) => {
                let restored = state::decode(&found.state)?;
                // Of an input that failed before its first commit nothing was kept, and it may be mended.
                if found.next > Position::default() {
                    check_content(restored.content.as_deref(), content.as_deref())?;
                }
                let windows =
                    Windows::restore(job.windows, &restored.windows).context("restore the partition's windows")?;
                info!(%partition, position = %found.next, commit = found.seq, open_windows = windows.open_windows(), "partition resumed");
                (found.next, Some(found.next), windows, restored.late, restored.quarantine)
            }
            None => {
                let next = source.resolve(&partition, job.start).context("find the start position")?;
                info!(%partition, position = %next, "partition begun");
                (next, None, Windows::new(job.windows), LateReadings::default(), Quarantine::default())
            }
        };
        let now = Instant::now();
        let waits = !windows.closed().is_empty() || !late.is_empty() || !quarantine.is_empty();
        Ok(Task {
            job,
            progress,
            content,
            decoder: Decoder::new(&job.decode).context("read `ingest.decode`")?,
            windows,
            scorer: Scorer::new(job.models.clone(), &job.score),
            late,
            quarantine,
            sink,
            next,
            begun,
            in_flight: false,
            is_started: false,
            commit_cost: Duration::ZERO,
            paused: false,
            waiting_since: waits.then_some(now),
            committed_at: stagger(&partition, now, job.cadence.commit_interval),
            settled_at: now,
            emitting_since: None,
            idle: None,
            refused: Vec::new(),
            rejects: Default::default(),
            snapshot: Vec::new(),
            partition,
        })
    }

    pub(super) fn partition(&self) -> &PartitionId {
        &self.partition
    }

    pub(super) fn next(&self) -> Position {
        self.next
    }

    /// Whether nothing of it is durable yet, not even where it begins.
    pub(super) fn is_new(&self) -> bool {
        self.begun.is_none()
    }

    /// Its records come from now on.
    pub(super) fn started(&mut self) {
        self.is_started = true;
    }

    // === Folding: no I/O; every decision is taken at the record ===

    pub(super) fn fold(&mut self, records: &Records) {
        let wall = self.job.wall.then(wall::now);
        let arrival_before = self.windows.arrival_clock();
        let mut counts = Counts { records: records.len() as u64, bytes: records.bytes() as u64, ..Counts::default() };
        self.decoder.begin(records);
        for raw in records.iter() {
            if raw.position >= self.next.0 {
                self.fold_record(raw, wall, &mut counts);
            }
        }
        self.next = self.next.max(records.next());
        if self.windows.arrival_clock() != arrival_before {
            self.idle = None;
        }
        self.note_waiting();
        metrics::folded(self.progress, &counts, &mut self.rejects);
        if counts.quarantined > 0 {
            refusals::say(&self.partition, &self.quarantine);
        }
    }

    #[inline]
    fn fold_record(&mut self, raw: RawRecord<'_>, wall: Option<Micros>, counts: &mut Counts) {
        let arrival = Arrival { position: raw.position, broker_time: raw.broker_time, wall };
        let Some(payload) = raw.payload else {
            self.windows.tombstone(arrival);
            counts.tombstones += 1;
            return;
        };
        let Task { late, quarantine, rejects, .. } = self;
        let mut side = Side { late, quarantine, rejects, raw, payload };
        match self.decoder.decode(payload) {
            Decoded::One(reading) => {
                self.windows.observe(arrival, std::iter::once(reading), &mut self.refused);
                counts.readings += 1;
                if !self.refused.is_empty() {
                    side.take(&mut self.refused, std::iter::once((0, reading)), counts);
                }
            }
            Decoded::Many(many) => {
                self.windows.observe(arrival, many.iter().map(|(_, reading)| reading), &mut self.refused);
                counts.readings += many.len() as u64;
                if !self.refused.is_empty() {
                    side.take(&mut self.refused, many.iter(), counts);
                }
                for (index, reject) in many.rejects() {
                    counts.readings += 1;
                    side.reject(reject.reason, Some(*index), &reject.detail, counts);
                }
            }
            Decoded::Reject(reject) => {
                self.windows.undecodable(arrival);
                counts.undecodable += 1;
                side.reject(reject.reason, None, &reject.detail, counts);
            }
        }
    }

    /// Everything up to the high watermark of a fresh broker answer was handed over. Only unbroken stretches of such
    /// proofs move the arrival clock: behind, paused or cut off from the broker it stands still.
    ///
    /// Returns whether the proof holds for what was folded here.
    pub(super) fn caught_up(&mut self, position: Position, now: Instant) -> bool {
        if self.paused {
            self.idle = None;
            return false;
        }
        // Control records and compacted ones leave no trace but the position.
        self.next = self.next.max(position);
        let Some(arrival) = self.windows.arrival_clock() else { return true };
        match &mut self.idle {
            Some(idle) if now.duration_since(idle.last_proof) <= PROOF_GAP_MAX => {
                idle.last_proof = now;
                let elapsed = now.duration_since(idle.since).saturating_sub(IDLE_MARGIN);
                let to = idle.base.saturating_add(Micros::try_from(elapsed.as_micros()).unwrap_or(0));
                if to > arrival {
                    self.windows.tick(to);
                    self.note_waiting();
                }
            }
            idle => *idle = Some(Idle { base: arrival, since: now, last_proof: now }),
        }
        true
    }

    pub(super) fn ended(&mut self, position: Position) {
        self.next = self.next.max(position);
    }

    fn note_waiting(&mut self) {
        if self.waiting_since.is_none() && self.waiting_rows() > 0 {
            self.waiting_since = Some(Instant::now());
        }
    }

    fn waiting_rows(&self) -> usize {
        self.windows.closed().len() + self.late.len() + self.quarantine.runs().len()
    }

    /// About how much memory they take.
    fn waiting_bytes(&self) -> usize {
        const ROW: usize = 96;
        self.windows.closed().len() * ROW + self.late.bytes() + self.quarantine.bytes()
    }
}

fn check_content(scored: Option<&str>, present: Option<&str>) -> anyhow::Result<()> {
    if let (Some(scored), Some(present)) = (scored, present)
        && scored != present
    {
        bail!(
            "the input has changed since it was scored: it was {scored}, it is {present}\n\
             score changed files into another place (`sink.url`), or under another `pipeline` name"
        );
    }
    Ok(())
}

/// Spreads the commits of partitions over the interval, so that they do not all hit the store at once.
fn stagger(partition: &PartitionId, now: Instant, interval: Duration) -> Instant {
    let eighths = partition.index % 8;
    now.checked_sub(interval / 8 * eighths).unwrap_or(now)
}

//! Making a partition durable: when a commit is due, what it carries, and the last one of a run.

use std::time::{Duration, Instant};

use aggregate::Close;
use anyhow::Context;
use ingest::Source;
use sink::{Commit, Committed, Outcome};
use tracing::{info, warn};
use types::WindowRows;

use super::{Task, Turn};
use crate::pipeline::{Counts, metrics, state};
use crate::wall;

/// Closing by silence is looked at this often; when it happens changes nothing but when rows come out.
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);
/// Commits take at most one part in this many of a worker's time.
const COST_SHARE: u32 = 20;
/// A clean stop waits in steps of this, so that a store that answers is heard at once.
const WAIT_STEP: Duration = Duration::from_millis(200);

/// What a commit carries besides position and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emit {
    Nothing,
    Rows,
}

impl Task<'_> {
    /// Hears from the commit under way, begins the next one if it is due, and keeps memory bounded.
    pub(in crate::pipeline) fn turn(
        &mut self,
        source: &mut dyn Source,
        now: Instant,
        pending_bytes_max: usize,
    ) -> anyhow::Result<Turn> {
        match self.sink.poll() {
            Outcome::Idle | Outcome::Pending => {}
            Outcome::Done(committed) => self.done(source, committed),
            Outcome::Fenced => return Ok(Turn::Fenced),
            Outcome::Failed(error) => return Err(error).context("commit"),
        }
        if now.duration_since(self.settled_at) >= SETTLE_INTERVAL {
            self.settled_at = now;
            self.windows.settle();
            self.note_waiting();
            metrics::state_of(&self.partition, &self.windows);
        }
        if !self.in_flight
            && let Some(emit) = self.due(now)
        {
            self.begin(emit, now)?;
        }
        self.press_back(source, pending_bytes_max);
        Ok(if self.is_started || self.in_flight { Turn::Going } else { Turn::Ready })
    }

    /// Whether a commit is due, and if so whether it emits the waiting rows.
    fn due(&self, now: Instant) -> Option<Emit> {
        let cadence = &self.job.cadence;
        if now.duration_since(self.committed_at) < self.commit_cost * COST_SHARE {
            return None;
        }
        let waited = self.waiting_since.is_some_and(|since| now.duration_since(since) >= cadence.max_delay);
        if waited || self.waiting_rows() >= cadence.min_rows.max(1) {
            return Some(Emit::Rows);
        }
        let moved = self.begun != Some(self.next);
        (moved && now.duration_since(self.committed_at) >= cadence.commit_interval).then_some(Emit::Nothing)
    }

    fn begin(&mut self, emit: Emit, now: Instant) -> anyhow::Result<()> {
        // Rows leave the state in the commit that emits them; their names stay known until they are recycled.
        let rows = match emit {
            Emit::Rows => self.windows.take_closed(),
            Emit::Nothing => WindowRows::default(),
        };
        let (late, quarantine) = match emit {
            Emit::Rows => (std::mem::take(&mut self.late), std::mem::take(&mut self.quarantine)),
            Emit::Nothing => Default::default(),
        };
        let scores = self.scorer.score(&rows, self.windows.names());
        self.snapshot.clear();
        self.windows.snapshot(&mut self.snapshot);
        let state = state::encode(self.content.as_deref(), &self.snapshot, &self.late, &self.quarantine)?;
        let commit = Commit {
            next: self.next,
            state: &state,
            rows: &rows,
            scores: &scores,
            names: self.windows.names(),
            late: &late,
            quarantine: &quarantine,
            now: wall::now(),
        };
        let frozen = self.sink.encode(&commit).context("encode the commit")?;
        self.progress.add(&metrics::scored(&scores));
        if emit == Emit::Rows {
            self.windows.recycle(rows);
        }
        self.commit_cost = now.elapsed();
        self.sink.begin(frozen);
        self.in_flight = true;
        self.begun = Some(self.next);
        self.committed_at = now;
        if emit == Emit::Rows {
            self.emitting_since = self.waiting_since.take();
        }
        Ok(())
    }

    fn done(&mut self, source: &mut dyn Source, committed: Committed) {
        self.in_flight = false;
        source.acknowledge(&self.partition, committed.next);
        self.progress.add(&Counts {
            commits: 1,
            files: u64::from(committed.files),
            file_bytes: committed.bytes,
            durable_rows: committed.rows,
            ..Counts::default()
        });
        if let Some(since) = self.emitting_since.take() {
            metrics::durable(since.elapsed());
        }
    }

    /// While a commit is under way folding goes on, up to a bound; then reading pauses (and polling goes on).
    fn press_back(&mut self, source: &mut dyn Source, pending_bytes_max: usize) {
        let full = self.in_flight && self.waiting_bytes() >= pending_bytes_max;
        if full && !self.paused {
            warn!(partition = %self.partition, bytes = self.waiting_bytes(), "the store is slower than the source: reading pauses");
            source.pause(&self.partition);
            self.idle = None;
        } else if !full && self.paused {
            info!(partition = %self.partition, "reading goes on");
            source.resume(&self.partition);
        }
        self.paused = full;
    }

    // === The first and the last commit ===

    /// Makes durable where the partition begins, so that `latest` and a time mean the same place for ever.
    pub(in crate::pipeline) fn begin_first(&mut self) -> anyhow::Result<()> {
        self.begin(Emit::Nothing, Instant::now())
    }

    /// Closes what the end of the input closes, and begins to make everything closed durable.
    pub(in crate::pipeline) fn begin_last(&mut self, close: Option<Close>) -> anyhow::Result<()> {
        match close {
            Some(close) => self.windows.end(close),
            None => self.windows.settle(),
        }
        self.note_waiting();
        if self.in_flight { Ok(()) } else { self.begin_if_anything() }
    }

    fn begin_if_anything(&mut self) -> anyhow::Result<()> {
        if self.waiting_rows() > 0 {
            self.begin(Emit::Rows, Instant::now())
        } else if self.begun != Some(self.next) {
            self.begin(Emit::Nothing, Instant::now())
        } else {
            Ok(())
        }
    }

    /// Waits until everything is durable, or for the deadline: what is not committed by then will be read again.
    pub(in crate::pipeline) fn finish_last(
        &mut self,
        source: &mut dyn Source,
        deadline: &mut dyn FnMut() -> Option<Instant>,
    ) -> anyhow::Result<()> {
        while self.in_flight {
            let left = deadline().map_or(WAIT_STEP, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                warn!(partition = %self.partition, "the last commit did not finish in time: its records will be read again");
                return Ok(());
            }
            match self.sink.wait(left.min(WAIT_STEP)) {
                Outcome::Idle | Outcome::Pending => {}
                Outcome::Done(committed) => {
                    self.done(source, committed);
                    self.begin_if_anything()?;
                }
                Outcome::Fenced => {
                    warn!(partition = %self.partition, "another owner has taken the partition over");
                    return Ok(());
                }
                Outcome::Failed(error) => return Err(error).context("commit"),
            }
        }
        Ok(())
    }
}

//! Making a partition durable: when a commit is due, what it carries, and the last one of a run.

use std::time::{Duration, Instant};

use aggregate::{Close, SnapshotFacts, TakeLimit};
use anyhow::{Context, bail};
use ingest::Source;
use sink::record::{Packed, RecordKind, Resume, RunFacts};
use sink::{Commit, Committed, Outcome, RunRows};
use tracing::{Span, warn};
use types::{LateReadings, Quarantine, WindowRows};

use super::careful::Careful;
use super::{Since, Task, Turn, date_of};
use crate::pipeline::recent::Batch;
use crate::pipeline::state::{self, Layout};
use crate::pipeline::{Account, Counts, Ending, metrics};
use crate::telemetry::trace;

/// Closing by silence is looked at this often; when it happens changes nothing but when rows come out.
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);
/// States take at most one part in this many of a worker's time.
const COST_SHARE: u32 = 20;
/// A clean stop waits in steps of this, so that a store that answers is heard at once.
const WAIT_STEP: Duration = Duration::from_millis(200);
/// About 64 MiB of Parquet, and no more folders than a listing shows at a glance: the rest comes with the next commit.
const LIMIT: TakeLimit = TakeLimit { rows: 500_000, dates: 32 };
/// Rows of `runs` do not make a commit by themselves, or each would make the next; unless there are very many.
const RUNS_MAX: usize = 1000;

/// What a commit carries besides position and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emit {
    Nothing,
    Rows,
}

/// A commit on its way, and what its row in `runs` still lacks.
#[derive(Debug)]
pub(super) struct InFlight {
    kind: RecordKind,
    fold: Duration,
    score: Duration,
    encode: Duration,
    /// What a tracing backend is told of it.
    span: Span,
    /// When its oldest row was closed.
    emitting_since: Option<Instant>,
    /// What the source calls the last record that it covers.
    offset: Option<String>,
}

/// What was taken out of the state for a commit.
#[derive(Default)]
struct Taken {
    rows: WindowRows,
    late: LateReadings,
    quarantine: Quarantine,
    runs: RunRows,
}

impl Task<'_> {
    /// `is_its_turn`: of the partitions under suspicion it is the one that may go on.
    ///
    /// Hears from the commit under way, begins the next one if it is due, and keeps memory bounded.
    pub(in crate::pipeline) fn turn(
        &mut self,
        source: &mut dyn Source,
        now: Instant,
        pending_bytes_max: usize,
        is_its_turn: bool,
    ) -> anyhow::Result<Turn> {
        match self.sink.poll() {
            Outcome::Idle | Outcome::Pending | Outcome::Claimed(_) => {}
            Outcome::Done(committed) => self.done(source, committed),
            Outcome::Fenced => return Ok(Turn::Fenced),
            Outcome::Failed(error) => return Err(error).context("commit"),
        }
        if self.is_started {
            self.look_for_drain(now);
            self.look_at_the_clock();
            self.fold_carefully(now, is_its_turn);
        }
        if now.duration_since(self.settled_at) >= SETTLE_INTERVAL {
            self.settled_at = now;
            self.windows.settle();
            self.follow_models();
            self.note_waiting();
            self.show(source);
        }
        if self.in_flight.is_none()
            && let Some((kind, emit)) = self.due(now)
        {
            self.begin(kind, emit, now)?;
        }
        self.press_back(source, pending_bytes_max);
        Ok(match () {
            () if !self.is_started && self.in_flight.is_none() => Turn::Ready,
            () if self.is_drained() => Turn::Drained,
            () => Turn::Going,
        })
    }

    /// Whether a commit is due, and if so whether it emits the waiting rows.
    fn due(&self, now: Instant) -> Option<(RecordKind, Emit)> {
        if let Some(kind) = self.forced {
            return Some((kind, Emit::Nothing));
        }
        let cadence = &self.job.cadence;
        let data = |emit| Some((RecordKind::Data, emit));
        let moved = self.begun != self.next;
        let waited = self.waiting_since.is_some_and(|since| now.duration_since(since) >= cadence.max_delay);
        let pressed = self.progress.is_pressed() && self.waiting_rows() > 0;
        let rows_due =
            waited || pressed || self.waiting_rows() >= cadence.min_rows.max(1) || self.runs.rows.len() > RUNS_MAX;
        if self.careful.is_some() && moved {
            return data(if rows_due { Emit::Rows } else { Emit::Nothing });
        }
        if now.duration_since(self.committed_at) < self.commit_cost * COST_SHARE {
            return None;
        }
        if rows_due {
            return data(Emit::Rows);
        }
        let interval_over = now.duration_since(self.committed_at) >= cadence.commit_interval;
        if moved && interval_over { data(Emit::Nothing) } else { None }
    }

    fn begin(&mut self, kind: RecordKind, emit: Emit, now: Instant) -> anyhow::Result<()> {
        // Rows leave the state in the commit that emits them; their names stay known until they are recycled.
        let taken = match emit {
            Emit::Rows => self.take(),
            Emit::Nothing => Taken::default(),
        };
        self.follow_models();
        let span = trace::commit(&self.partition, kind.as_str(), self.since.records, std::mem::take(&mut self.links));
        let _entered = span.enter();
        let scores = trace::part("score").in_scope(|| self.scorer.score(&taken.rows, self.windows.names()));
        let names = self.windows.names();
        let batch =
            Batch { partition: &self.partition, rows: &taken.rows, scores: &scores, names, now: self.job.clock.wall() };
        self.progress.recent().note(batch, &mut self.scorer);
        metrics::closed(scores.len());
        self.in_files.rows += scores.len() as u64;
        let scored_at = self.job.clock.now();
        let (packed, facts) = self.freeze()?;
        let clock = &self.job.clock;
        let commit_cost = clock.now().duration_since(scored_at);

        let since = std::mem::replace(&mut self.since, Since { from: self.next, ..Since::default() });
        let counts = metrics::scored(&scores);
        let resume = self.resume_with(&facts);
        let offset = resume.offset.clone();
        let ledger = self.ledger(&facts);
        metrics::accounts(&self.partition, &ledger);
        let commit = Commit {
            kind,
            resume,
            state: Some(&packed),
            ledger,
            run: RunFacts {
                from: since.from,
                records: since.records,
                readings: since.readings,
                quarantined: taken.quarantine.count(),
                anomalies: counts.anomalies,
            },
            rows: &taken.rows,
            scores: &scores,
            names: self.windows.names(),
            late: &taken.late,
            quarantine: &taken.quarantine,
            runs: &taken.runs,
            now: clock.wall(),
        };
        let frozen = trace::part("encode").in_scope(|| self.sink.encode(&commit)).context("encode the commit")?;
        self.count(&counts);
        if emit == Emit::Rows {
            self.windows.recycle(taken.rows);
        }
        let emitting_since = self.emitting_since(emit);
        self.vitals.begun(frozen.bytes, packed.size());
        self.sink.begin(frozen);
        self.in_flight = Some(InFlight {
            kind,
            fold: since.fold,
            score: scored_at.duration_since(now),
            encode: clock.now().duration_since(scored_at),
            span: span.clone(),
            emitting_since,
            offset,
        });
        self.forced = None;
        self.commit_cost = commit_cost;
        metrics::interval(&self.partition, self.job.cadence.commit_interval.max(commit_cost * COST_SHARE));
        self.begun = self.next;
        self.committed_at = now;
        Ok(())
    }

    /// Where the next owner goes on, and what it is to know of the state without reading it.
    fn resume_with(&mut self, facts: &SnapshotFacts) -> Resume {
        Resume {
            arrival_clock: self.windows.arrival_clock(),
            floor: self.windows.floor(),
            complete_to: facts.complete_to,
            open_windows: facts.open_windows as u64,
            pending_rows: facts.pending_rows as u64,
            careful: self.careful.as_ref().map(|careful| careful.facts),
            ..self.journal.resume(self.next)
        }
    }

    /// Since when the oldest of the rows that a commit emits has waited; the others go on waiting.
    fn emitting_since(&mut self, emit: Emit) -> Option<Instant> {
        match emit {
            Emit::Nothing => None,
            Emit::Rows if self.waiting_rows() > 0 => self.waiting_since,
            Emit::Rows => self.waiting_since.take(),
        }
    }

    /// From here on the newest models judge. Asked between two commits only, so that one set judges all rows of one; and every second, so that a
    /// partition without rows does not keep an old set in memory.
    fn follow_models(&mut self) {
        if let Some(set) = self.job.models.newer_than(self.scorer.set()) {
            self.scorer.swap(set);
        }
    }

    /// Takes what waits, within the limits of one commit, and counts it as being in files.
    fn take(&mut self) -> Taken {
        let rows = self.windows.take_closed(LIMIT);
        let late = self.late.take_first(first_dates(&self.late.window_start, LIMIT.dates));
        let wall = self.job.clock.wall();
        let times: Vec<_> = self.quarantine.runs().iter().map(|run| run.broker_time.unwrap_or(wall)).collect();
        let quarantine = self.quarantine.take_first(first_dates(&times, LIMIT.dates));
        let taken = Taken { rows, late, quarantine, runs: std::mem::take(&mut self.runs) };
        self.in_files.readings += taken.rows.count.iter().sum::<u64>();
        self.in_files.late += taken.late.len() as u64;
        self.in_files.quarantined += taken.quarantine.count();
        taken
    }

    /// Everything that decides, as it is without what was taken.
    fn freeze(&mut self) -> anyhow::Result<(Packed, SnapshotFacts)> {
        self.snapshot.clear();
        let facts = self.windows.snapshot(&mut self.snapshot);
        let trails = self.scorer.trails(|| self.windows.series_in_state(), self.windows.names());
        let state = state::encode(&Layout {
            content: self.content.as_deref(),
            windows: &self.snapshot,
            late: &self.late,
            quarantine: &self.quarantine,
            runs: &self.runs,
            in_files: self.in_files,
            trails: &trails,
        })?;
        Ok((Packed::new(&state), facts))
    }

    fn done(&mut self, source: &mut dyn Source, committed: Committed) {
        let Some(in_flight) = self.in_flight.take() else { return };
        trace::committed(&in_flight.span, &committed);
        self.has_committed |= in_flight.kind == RecordKind::Data;
        self.vitals.durable(committed.seq, self.job.clock.wall());
        source.acknowledge(&self.partition, committed.next, in_flight.offset.as_deref());
        self.count(&Counts {
            commits: 1,
            files: u64::from(committed.files),
            file_bytes: committed.bytes,
            durable_rows: committed.rows,
            ..Counts::default()
        });
        if let Some(since) = in_flight.emitting_since {
            metrics::durable(self.job.clock.now().duration_since(since));
        }
        let mut run = committed.run;
        run.fold_seconds = Some(in_flight.fold.as_secs_f64());
        run.score_seconds = Some(in_flight.score.as_secs_f64());
        run.encode_seconds = Some(in_flight.encode.as_secs_f64());
        self.runs.rows.push(run);
        let trusted = in_flight.kind == RecordKind::Data && self.careful.as_mut().is_some_and(Careful::committed);
        if trusted && self.held.is_empty() {
            tracing::info!(partition = %self.partition, "no crash for long: commits are as usual again");
            self.careful = None;
        }
    }

    // === The last commit ===

    /// Closes what the end of the input closes, and begins to make everything closed durable.
    pub(in crate::pipeline) fn begin_last(&mut self, close: Option<Close>) -> anyhow::Result<()> {
        match close {
            Some(close) => self.windows.end(close),
            None => self.windows.settle(),
        }
        let (before, now) = (self.tally_before, self.windows.tally());
        self.progress.settle(Account {
            before: before.open,
            in_windows: now.counted - before.counted,
            open: now.open,
            open_windows: self.windows.open_windows() as u64,
        });
        self.note_waiting();
        if self.in_flight.is_some() { Ok(()) } else { self.begin_release() }
    }

    /// What waits, and the mark of an owner that left in good order.
    fn begin_release(&mut self) -> anyhow::Result<()> {
        let kind = self.forced.unwrap_or(RecordKind::Release);
        self.begin(kind, Emit::Rows, self.job.clock.now())
    }

    /// Waits until everything is durable, or for the deadline: what is not committed by then will be read again.
    pub(in crate::pipeline) fn finish_last(
        &mut self,
        source: &mut dyn Source,
        deadline: &mut dyn FnMut() -> Option<Instant>,
    ) -> anyhow::Result<()> {
        loop {
            let left = deadline().map_or(WAIT_STEP, |deadline| deadline.saturating_duration_since(Instant::now()));
            if self.last_step(source, left.min(WAIT_STEP))? {
                return Ok(());
            }
            if left.is_zero() {
                warn!(partition = %self.partition, "the last commit did not finish in time: its records will be read again");
                return Ok(());
            }
        }
    }

    /// Hears from the last commits, waiting for at most so long. True once there is nothing more to come.
    pub(in crate::pipeline) fn last_step(&mut self, source: &mut dyn Source, wait: Duration) -> anyhow::Result<bool> {
        let Some(kind) = self.in_flight.as_ref().map(|in_flight| in_flight.kind) else { return Ok(true) };
        match self.sink.wait(wait) {
            Outcome::Idle | Outcome::Pending | Outcome::Claimed(_) => {}
            Outcome::Done(committed) => {
                self.done(source, committed);
                if kind != RecordKind::Release || self.waiting_rows() > 0 {
                    self.begin_release()?;
                }
            }
            Outcome::Fenced => {
                self.in_flight = None;
                // A service leaves the rest to whoever has it now; a job has not done what it was to do.
                if self.job.ending != Ending::Never {
                    bail!(
                        "another owner has taken the partition over before the last commit\n\
                         run the job again when nobody else reads for this pipeline: it goes on where the other one ended"
                    );
                }
                warn!(partition = %self.partition, "another owner has taken the partition over");
            }
            Outcome::Failed(error) => return Err(error).context("commit"),
        }
        Ok(self.in_flight.is_none())
    }
}

/// How many of the items, from the first on, have at most this many dates.
fn first_dates(times: &[types::Micros], dates_max: usize) -> usize {
    let mut dates: Vec<i64> = Vec::new();
    for (count, time) in times.iter().enumerate() {
        let date = date_of(*time);
        if dates.last() != Some(&date) && !dates.contains(&date) {
            if dates.len() == dates_max {
                return count;
            }
            dates.push(date);
        }
    }
    times.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_taken_up_to_a_number_of_dates() {
        const DAY: i64 = 86_400_000_000;
        let times = [0, DAY, 1, 2 * DAY, DAY + 5, 3 * DAY];
        assert_eq!(first_dates(&times, 2), 3);
        assert_eq!(first_dates(&times, 3), 5);
        assert_eq!(first_dates(&times, 4), 6);
        assert_eq!(first_dates(&[], 1), 0);
    }
}

//! Where a task begins: with the state that was claimed, checked against what the source holds, or with nothing.

use std::collections::VecDeque;
use std::time::Duration;

use aggregate::Windows;
use anyhow::{Context, bail};
use ingest::decode::Decoder;
use ingest::{Held, OnGap, Source, Start};
use score::{Scorer, Trail};
use sink::record::{RecordKind, Resume};
use sink::{Claimed, Resumed, RunRow, RunRows, Sink};
use tracing::{error, info, warn};
use types::{LateReadings, PartitionId, Position, Quarantine};

use super::careful::Careful;
use super::journal::{Journal, anchor_of};
use super::skew::Skew;
use super::vitals::Vitals;
use super::{InFiles, Since, Task, stagger};
use crate::pipeline::{Counts, Ending, Job, Keeper, Progress, metrics, state};

/// What a task needs whether or not there was one before it.
pub(in crate::pipeline) struct Opening<'a> {
    pub(in crate::pipeline) worker: usize,
    pub(in crate::pipeline) job: &'a Job,
    pub(in crate::pipeline) keeper: &'a dyn Keeper,
    pub(in crate::pipeline) progress: &'a Progress,
    pub(in crate::pipeline) partition: PartitionId,
    pub(in crate::pipeline) sink: Box<dyn Sink>,
}

/// What is known at the beginning.
struct Beginning {
    next: Position,
    windows: Windows,
    late: LateReadings,
    quarantine: Quarantine,
    runs: RunRows,
    in_files: InFiles,
    journal: Journal,
    careful: Option<Careful>,
    forced: Option<RecordKind>,
    trails: Vec<Trail>,
    vitals: Vitals,
}

impl<'a> Opening<'a> {
    /// Goes on where the claim says. Asks the source, so it blocks for a moment.
    pub(in crate::pipeline) fn open(self, claimed: Claimed, source: &mut dyn Source) -> anyhow::Result<Task<'a>> {
        source.claimed(&self.partition, claim_of(&claimed));
        let content = source.content(&self.partition).context("look at the input")?;
        let beginning = match claimed {
            Claimed::Vacant { is_new_partition } => self.anew(source, is_new_partition)?,
            Claimed::Resumed(resumed) => self.resumed(source, *resumed, content.as_deref())?,
        };
        self.task(beginning, content)
    }

    fn anew(&self, source: &mut dyn Source, is_new_partition: bool) -> anyhow::Result<Beginning> {
        let job = self.job;
        let mut windows = Windows::new(job.windows);
        let next = match &job.predecessor {
            Some(pipeline) => {
                let handed = self.keeper.handed_over(pipeline, &self.partition).context("ask for the predecessor")?;
                let Some(handed) = handed else {
                    return Err(NotHandedOver { partition: self.partition.clone(), pipeline: pipeline.clone() }.into());
                };
                windows.set_not_before(handed.until).context("begin where the predecessor hands over")?;
                handed.from
            }
            None => {
                let start = if is_new_partition { Start::Earliest } else { job.start };
                source.resolve(&self.partition, start).context("find the start position")?
            }
        };
        if is_new_partition {
            warn!(
                partition = %self.partition,
                "the topic has grown: this partition is read from its beginning. Devices may have moved: a window of theirs \
                 can then have a row in each of two partitions"
            );
        }
        info!(partition = %self.partition, position = %next, "partition begun");
        Ok(Beginning {
            next,
            windows,
            late: LateReadings::default(),
            quarantine: Quarantine::default(),
            runs: RunRows::default(),
            in_files: InFiles::default(),
            journal: Journal::default(),
            careful: None,
            forced: Some(RecordKind::Genesis),
            trails: Vec::new(),
            vitals: Vitals::default(),
        })
    }

    fn resumed(&self, source: &mut dyn Source, resumed: Resumed, content: Option<&str>) -> anyhow::Result<Beginning> {
        let restored = state::decode(&resumed.state)?;
        let header = &resumed.header;
        let mut next = header.resume.next;
        // Of an input that failed before its first commit nothing was kept, and it may be mended.
        if next > Position::default() {
            check_content(restored.content.as_deref(), content)?;
        }
        let windows =
            Windows::restore(self.job.windows, &restored.windows).context("restore the partition's windows")?;
        let mut journal = Journal::resumed(&header.resume);
        let mut forced = None;
        if let Some(low) = self.gap(source, next)? {
            journal.gap = Some((next, low));
            journal.anchor = None;
            journal.offset = None;
            forced = Some(RecordKind::Gap);
            next = low;
        }
        self.check_anchor(source, &journal)?;
        let careful = Careful::of(&resumed);
        if let Some(careful) = &careful {
            error!(
                partition = %self.partition, position = %next, claims = header.claims, records = careful.batch(),
                "owners of this partition died again and again: it is committed every few records"
            );
        }
        let mut runs = restored.runs;
        // Those who made these commits may have died before they could tell how long they took.
        runs.rows.extend(resumed.before.iter().chain([header]).map(|header| RunRow::of(header, 0)));
        if next > Position::default() {
            self.progress.add(&Counts { resumed: 1, ..Counts::default() });
        }
        info!(
            partition = %self.partition, position = %next, commit = header.seq, open_windows = windows.open_windows(),
            "partition resumed"
        );
        let (late, quarantine, in_files) = (restored.late, restored.quarantine, restored.in_files);
        let trails = restored.trails;
        let last_commit_at = resumed.before.last().map(|before| before.written_at);
        let vitals = Vitals::resumed(header.seq, last_commit_at);
        Ok(Beginning { next, windows, late, quarantine, runs, in_files, journal, careful, forced, trails, vitals })
    }

    /// Where reading can go on if records expired before they were read, and that is to be accepted.
    fn gap(&self, source: &mut dyn Source, next: Position) -> anyhow::Result<Option<Position>> {
        let Some(extent) = source.extent(&self.partition).context("ask what the source holds")? else {
            return Ok(None);
        };
        if next >= extent.low || self.job.on_gap == OnGap::Halt {
            // Starting there says what is wrong, if anything is.
            return Ok(None);
        }
        error!(
            partition = %self.partition, from = %next, to = %extent.low,
            "records expired before they were read: going on behind the gap (`ingest.on_gap`)"
        );
        Ok(Some(extent.low))
    }

    /// The topic is the one that was read if the last record read is still the same.
    fn check_anchor(&self, source: &mut dyn Source, journal: &Journal) -> anyhow::Result<()> {
        let Some(anchor) = journal.anchor else { return Ok(()) };
        let anchor = anchor_of(anchor);
        let position = anchor.position;
        let held = source.record_at(&self.partition, Position(position)).context("look at the last record read")?;
        match held {
            Held::Record(found) if held.contradicts(&anchor) && self.job.guards.anchor => {
                let partition = self.partition.clone();
                Err(ingest::Error::Rewritten { partition, read: anchor, found }.into())
            }
            Held::Record(_) | Held::Unknown => Ok(()),
            Held::Nothing => {
                warn!(partition = %self.partition, position, "the last record read is not held any more: the topic is taken on trust");
                Ok(())
            }
        }
    }

    fn task(self, beginning: Beginning, content: Option<String>) -> anyhow::Result<Task<'a>> {
        let Opening { worker, job, keeper, progress, partition, sink } = self;
        let Beginning { next, windows, late, quarantine, runs, in_files, journal, careful, forced, trails, vitals } =
            beginning;
        let mut scorer = Scorer::new(job.models.current(), &job.score);
        scorer.resume(trails, || windows.series_in_state());
        let now = job.clock.now();
        let waits = !windows.closed().is_empty() || !late.is_empty() || !quarantine.is_empty();
        Ok(Task {
            worker,
            job,
            keeper,
            progress,
            content,
            decoder: Decoder::new(&job.decode).context("read `ingest.decode`")?,
            tally_before: windows.tally(),
            windows,
            scorer,
            late,
            quarantine,
            runs,
            in_files,
            journal,
            careful,
            skew: Skew::new(job.ending == Ending::Never),
            held: VecDeque::new(),
            sink,
            next,
            begun: next,
            in_flight: None,
            links: Default::default(),
            forced,
            is_started: false,
            opened_at: now,
            has_committed: false,
            was_caught_up: false,
            commit_cost: Duration::ZERO,
            paused: false,
            waiting_since: waits.then_some(now),
            committed_at: stagger(&partition, now, job.cadence.commit_interval),
            settled_at: now,
            looked_for_drain_at: None,
            since: Since { from: next, ..Since::default() },
            refused: Vec::new(),
            kinds: metrics::Kinds::default(),
            snapshot: Vec::new(),
            vitals,
            partition,
        })
    }
}

/// What a source may know of a claim.
fn claim_of(claimed: &Claimed) -> ingest::Claim<'_> {
    match claimed {
        Claimed::Vacant { .. } => ingest::Claim { number: 0, next: Position::default(), offset: None },
        Claimed::Resumed(resumed) => {
            let Resume { next, offset, .. } = &resumed.header.resume;
            ingest::Claim { number: resumed.header.seq, next: *next, offset: offset.as_deref() }
        }
    }
}

/// A successor waits for its predecessor.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{pipeline}` has not begun to drain in partition `{partition}`\nask it to, with its own configuration: `atalaia state drain -c FILE --until TIME --apply`, and let it run"
)]
pub(in crate::pipeline) struct NotHandedOver {
    partition: PartitionId,
    pipeline: String,
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

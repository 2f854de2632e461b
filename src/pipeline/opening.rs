//! Partitions on their way to having a task: claimed one after the other without waiting, so that polling goes on; and
//! those that cannot go on until somebody acts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest::Source;
use sink::{Claim, Claimed, Outcome, Sink};
use types::PartitionId;

use super::{Job, Keeper};

/// A partition whose broker or store did not answer, or that another owner fenced, is claimed again after this, if it is
/// still ours; each a little later than the one before it.
const RECLAIM_AFTER: Duration = Duration::from_secs(2);
const RECLAIM_SPREAD: Duration = Duration::from_millis(700);
/// A partition that needs somebody to act is looked at again after this.
const HALTED_FOR: Duration = Duration::from_secs(300);

/// Partitions of ours without a task.
#[derive(Default)]
pub(super) struct Openings {
    partitions: BTreeMap<PartitionId, Opening>,
    fenced: u32,
}

struct Opening {
    /// Not before this.
    due: Instant,
    /// The claim under way.
    sink: Option<Box<dyn Sink>>,
    is_halted: bool,
}

/// What became of a claim.
pub(super) enum Step {
    Claimed(PartitionId, Box<dyn Sink>, Claimed),
    Failed(PartitionId, anyhow::Error),
}

impl Openings {
    pub(super) fn add(&mut self, partition: PartitionId, now: Instant) {
        self.partitions.insert(partition, Opening { due: now, sink: None, is_halted: false });
    }

    /// Claims it again later: waiting may help.
    pub(super) fn add_later(&mut self, partition: PartitionId, now: Instant) {
        self.fenced = (self.fenced + 1) % 16;
        let due = now + RECLAIM_AFTER + RECLAIM_SPREAD * self.fenced;
        self.partitions.insert(partition, Opening { due, sink: None, is_halted: false });
    }

    /// Looks at it again much later: somebody has to act.
    pub(super) fn halt(&mut self, partition: PartitionId, now: Instant) {
        self.partitions.insert(partition, Opening { due: now + HALTED_FOR, sink: None, is_halted: true });
    }

    /// Somebody has mended something: what was halted is looked at again.
    pub(super) fn wake(&mut self, now: Instant) {
        self.partitions.values_mut().filter(|opening| opening.is_halted).for_each(|opening| opening.due = now);
    }

    pub(super) fn remove(&mut self, partition: &PartitionId) {
        self.partitions.remove(partition);
    }

    /// Whether there is something to do now: then the source is not waited for.
    pub(super) fn are_busy(&self, now: Instant) -> bool {
        self.partitions.values().any(|opening| opening.sink.is_some() || opening.due <= now)
    }

    /// Begins at most one claim and hears of at most one that has ended.
    pub(super) fn step(
        &mut self,
        job: &Job,
        keeper: &dyn Keeper,
        source: &mut dyn Source,
        now: Instant,
    ) -> Option<Step> {
        if let Some(step) = self.heard(now) {
            return Some(step);
        }
        let mut waiting = self.partitions.iter_mut().filter(|(_, opening)| opening.sink.is_none());
        let (partition, opening) = waiting.find(|(_, opening)| opening.due <= now)?;
        match facts(job, source, partition, opening.is_halted) {
            Ok(claim) => {
                let mut sink = keeper.sink(partition);
                sink.claim(claim);
                opening.sink = Some(sink);
                None
            }
            Err(error) => {
                let partition = partition.clone();
                self.partitions.remove(&partition);
                Some(Step::Failed(partition, error.into()))
            }
        }
    }

    fn heard(&mut self, now: Instant) -> Option<Step> {
        let mut fenced = None;
        let mut ended = None;
        for (partition, opening) in &mut self.partitions {
            match opening.sink.as_mut().map_or(Outcome::Idle, |sink| sink.poll()) {
                Outcome::Idle | Outcome::Pending => continue,
                Outcome::Fenced => fenced = Some(partition.clone()),
                Outcome::Claimed(claimed) => ended = Some((partition.clone(), Ok(claimed))),
                Outcome::Failed(error) => ended = Some((partition.clone(), Err(error))),
                // Nothing was committed here.
                Outcome::Done(_) => continue,
            }
            break;
        }
        if let Some(partition) = fenced {
            self.add_later(partition, now);
            return None;
        }
        let (partition, claimed) = ended?;
        let sink = self.partitions.remove(&partition)?.sink?;
        Some(match claimed {
            Ok(claimed) => Step::Claimed(partition, sink, claimed),
            Err(error) => Step::Failed(partition, anyhow::Error::new(error).context("take the partition's log over")),
        })
    }
}

/// What a claim is to know. Whether there are records to read is not looked at where nobody could read them.
fn facts(job: &Job, source: &mut dyn Source, partition: &PartitionId, is_halted: bool) -> Result<Claim, ingest::Error> {
    let extent = if is_halted { None } else { source.extent(partition)? };
    Ok(Claim {
        high: extent.map(|extent| extent.high),
        partitions: source.partitions()?,
        commit_interval: job.cadence.commit_interval,
        now: job.clock.wall(),
    })
}

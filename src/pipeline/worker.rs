//! One thread: polls its source, feeds the tasks of its partitions, gives each a turn, and leaves in good order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::{Polled, Source};
use tracing::{debug, info, warn};
use types::PartitionId;

use super::task::{Task, Turn};
use super::{Counts, Finish, Job, OpenSink, Progress};
use crate::report;
use crate::shutdown::Shutdown;

/// How long a poll may wait: bounds how late a timer of a task can be.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How often tasks get a turn while records keep coming.
const TURN_INTERVAL: Duration = Duration::from_millis(10);
/// A partition whose broker or store did not answer, or that another owner fenced, is claimed again after this, if it is
/// still ours.
const RECLAIM_AFTER: Duration = Duration::from_secs(5);

pub(super) struct Worker<'a> {
    number: usize,
    job: &'a Job,
    source: Box<dyn Source>,
    open_sink: OpenSink<'a>,
    progress: &'a Progress,
    finish: &'a Finish,
    /// Our partitions that are not taken over yet, and when to try (again).
    claims: BTreeMap<PartitionId, Instant>,
    tasks: BTreeMap<PartitionId, Task<'a>>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        number: usize,
        job: &'a Job,
        source: Box<dyn Source>,
        open_sink: OpenSink<'a>,
        progress: &'a Progress,
        finish: &'a Finish,
    ) -> Self {
        let (claims, tasks) = Default::default();
        Worker { number, job, source, open_sink, progress, finish, claims, tasks }
    }

    pub(super) fn work(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let worked = self.poll_until_over(shutdown);
        let left = match &worked {
            Ok(()) => self.commit_the_rest(shutdown),
            Err(_) => Ok(()),
        };
        self.source.leave();
        worked.and(left)
    }

    fn poll_until_over(&mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let mut next_turn = Instant::now();
        while !shutdown.requested() && !self.finish.decided() {
            let polled = self.source.poll(POLL_WAIT).context("read from the source")?;
            let idle = matches!(polled, Polled::Idle);
            self.take(polled);
            let now = Instant::now();
            self.claim_next(now)?;
            if idle || now >= next_turn {
                self.give_turns(now)?;
                next_turn = now + TURN_INTERVAL;
            }
        }
        Ok(())
    }

    fn take(&mut self, polled: Polled) {
        match polled {
            Polled::Idle => {}
            Polled::Gained(partitions) => {
                info!(worker = self.number, partitions = partitions.len(), "partitions gained");
                self.finish.gained(self.number, &partitions);
                self.progress.add(&Counts { joined: 1, gained: partitions.len() as u64, ..Counts::default() });
                let now = Instant::now();
                self.claims.extend(partitions.into_iter().map(|partition| (partition, now)));
            }
            Polled::Lost(partitions) => {
                info!(worker = self.number, partitions = partitions.len(), "partitions lost");
                self.finish.lost(self.number, &partitions);
                self.progress.add(&Counts { lost: partitions.len() as u64, ..Counts::default() });
                for partition in partitions {
                    self.claims.remove(&partition);
                    self.drop_task(&partition);
                }
            }
            Polled::Records(records) => {
                if let Some(task) = self.tasks.get_mut(records.partition()) {
                    task.fold(&records);
                }
            }
            Polled::CaughtUp { partition, position } => {
                if let Some(task) = self.tasks.get_mut(&partition)
                    && task.caught_up(position, Instant::now())
                {
                    self.finish.read(self.number, &partition);
                }
            }
            Polled::Ended { partition, position } => {
                debug!(%partition, %position, "read to its end");
                if let Some(task) = self.tasks.get_mut(&partition) {
                    task.ended(position);
                    self.finish.read(self.number, &partition);
                }
            }
        }
    }

    // === Taking partitions over: one at a time, so that polling goes on in between ===

    fn claim_next(&mut self, now: Instant) -> anyhow::Result<()> {
        let Some(partition) = self.claims.iter().find(|(_, due)| **due <= now).map(|(partition, _)| partition.clone())
        else {
            return Ok(());
        };
        match self.claim(&partition) {
            Ok(()) => {
                self.claims.remove(&partition);
                Ok(())
            }
            Err(error) if may_heal(&error) => {
                warn!(%partition, error = report::chain(&error), "the partition cannot be taken over yet, retrying");
                self.claims.insert(partition, Instant::now() + RECLAIM_AFTER);
                Ok(())
            }
            Err(error) => Err(error).with_context(|| format!("take over partition `{partition}`")),
        }
    }

    /// Recovers the partition's position and state. Reading starts there at once, or, for a partition without state, when
    /// the position where it begins is durable.
    fn claim(&mut self, partition: &PartitionId) -> anyhow::Result<()> {
        let sink = (self.open_sink)(partition);
        let mut task = Task::recover(self.job, partition.clone(), self.source.as_mut(), sink, self.progress)?;
        if task.is_new() {
            task.begin_first()?;
        } else {
            start(self.source.as_mut(), &mut task)?;
        }
        self.progress.add(&Counts { started: 1, ..Counts::default() });
        self.tasks.insert(partition.clone(), task);
        Ok(())
    }

    fn drop_task(&mut self, partition: &PartitionId) {
        if self.tasks.remove(partition).is_some() {
            self.progress.add(&Counts { stopped: 1, ..Counts::default() });
            super::metrics::forget(partition);
        }
    }

    // === Turns ===

    fn give_turns(&mut self, now: Instant) -> anyhow::Result<()> {
        let mut again = Vec::new();
        let share = self.job.pending_bytes_max / self.tasks.len().max(1);
        for (partition, task) in &mut self.tasks {
            match task.turn(self.source.as_mut(), now, share).with_context(|| format!("partition `{partition}`"))? {
                Turn::Going => {}
                Turn::Fenced => {
                    warn!(%partition, "another owner has taken the partition over: its state here is dropped");
                    again.push(partition.clone());
                }
                Turn::Ready => match start(self.source.as_mut(), task) {
                    Ok(()) => {}
                    Err(error) if may_heal(&error) => {
                        warn!(%partition, error = report::chain(&error), "the partition cannot be read yet, retrying");
                        again.push(partition.clone());
                    }
                    Err(error) => return Err(error).with_context(|| format!("start reading partition `{partition}`")),
                },
            }
        }
        for partition in again {
            self.source.stop(&partition);
            self.drop_task(&partition);
            self.claims.insert(partition, now + RECLAIM_AFTER);
        }
        Ok(())
    }

    /// The end of a run and a clean stop alike: everything that is closed becomes durable, within the grace period.
    fn commit_the_rest(&mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let close = self.finish.decided().then(|| self.finish.close()).flatten();
        for task in self.tasks.values_mut() {
            task.begin_last(close)?;
        }
        let mut deadline = None;
        for (partition, task) in &mut self.tasks {
            // A run that ends by itself has all the time its store needs; a stop on request has not, and leaving the group
            // takes its share of it.
            let mut patience = || {
                if deadline.is_none() && shutdown.requested() {
                    deadline = Some(Instant::now() + self.job.grace / 2);
                }
                deadline
            };
            task.finish_last(self.source.as_mut(), &mut patience)
                .with_context(|| format!("partition `{partition}`"))?;
        }
        Ok(())
    }
}

/// Starts reading where the task goes on. That the partition was lost meanwhile is told by the next poll.
fn start(source: &mut dyn Source, task: &mut Task<'_>) -> anyhow::Result<()> {
    match source.start(task.partition(), task.next()) {
        Ok(()) | Err(ingest::Error::NotAssigned { .. }) => {
            task.started();
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether waiting may help: a broker or a store that does not answer just now.
fn may_heal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<ingest::Error>().is_some_and(|error| error.kind() == ingest::Kind::Retry)
            || cause.downcast_ref::<sink::Error>().is_some_and(|error| error.kind() == sink::Kind::Retry)
    })
}

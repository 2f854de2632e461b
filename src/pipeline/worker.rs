//! One thread: polls its source, feeds the tasks of its partitions, gives each a turn, and leaves in good order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::{Polled, Source};
use tracing::{debug, info, warn};
use types::PartitionId;

use super::task::{Task, Turn};
use super::{Finish, Job, OpenSink, Progress};
use crate::shutdown::Shutdown;

/// How long a poll may wait: bounds how late a timer of a task can be.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How often tasks get a turn while records keep coming.
const TURN_INTERVAL: Duration = Duration::from_millis(10);
/// A fenced partition is claimed again after this, if the broker still says that it is ours.
const RECLAIM_AFTER: Duration = Duration::from_secs(5);

pub(super) struct Worker<'a> {
    number: usize,
    job: &'a Job,
    source: Box<dyn Source>,
    open_sink: OpenSink<'a>,
    progress: &'a Progress,
    finish: &'a Finish,
    tasks: BTreeMap<PartitionId, Task<'a>>,
    fenced: BTreeMap<PartitionId, Instant>,
    assigned_before: bool,
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
        let (tasks, fenced) = Default::default();
        Worker { number, job, source, open_sink, progress, finish, tasks, fenced, assigned_before: false }
    }

    pub(super) fn work(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let worked = self.poll_until_over(shutdown);
        let left = match &worked {
            Ok(()) => self.commit_the_rest(),
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
            self.take(polled)?;
            let now = Instant::now();
            if idle || now >= next_turn {
                self.give_turns(now)?;
                next_turn = now + TURN_INTERVAL;
            }
        }
        Ok(())
    }

    fn take(&mut self, polled: Polled) -> anyhow::Result<()> {
        match polled {
            Polled::Idle => {}
            Polled::Gained(partitions) => {
                let first = !std::mem::replace(&mut self.assigned_before, true);
                self.finish.gained(&partitions, first);
                info!(worker = self.number, partitions = partitions.len(), "partitions gained");
                for partition in partitions {
                    self.claim(partition)?;
                }
            }
            Polled::Lost(partitions) => {
                info!(worker = self.number, partitions = partitions.len(), "partitions lost");
                self.finish.lost(&partitions);
                for partition in partitions {
                    self.fenced.remove(&partition);
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
                    self.finish.read(&partition);
                }
            }
            Polled::Ended { partition, position } => {
                debug!(%partition, %position, "read to its end");
                if let Some(task) = self.tasks.get_mut(&partition) {
                    task.ended(position);
                    self.finish.read(&partition);
                }
            }
        }
        Ok(())
    }

    /// Recovers the partition's position and state, and starts reading there.
    fn claim(&mut self, partition: PartitionId) -> anyhow::Result<()> {
        let sink = (self.open_sink)(&partition);
        let task = Task::recover(self.job, partition.clone(), self.source.as_mut(), sink, self.progress)
            .with_context(|| format!("take over partition `{partition}`"))?;
        match self.source.start(&partition, task.next()) {
            Ok(()) => {}
            Err(ingest::Error::NotAssigned { .. }) => {
                info!(%partition, "lost while it was being recovered");
                return Ok(());
            }
            Err(error) => return Err(error).with_context(|| format!("start reading partition `{partition}`")),
        }
        self.progress.add(&super::Counts { gained: 1, started: 1, ..Default::default() });
        self.tasks.insert(partition, task);
        Ok(())
    }

    fn drop_task(&mut self, partition: &PartitionId) {
        if self.tasks.remove(partition).is_some() {
            self.progress.add(&super::Counts { lost: 1, ..Default::default() });
            super::metrics::forget(partition);
        }
    }

    fn give_turns(&mut self, now: Instant) -> anyhow::Result<()> {
        let mut fenced = Vec::new();
        let share = self.job.pending_bytes_max / self.tasks.len().max(1);
        for (partition, task) in &mut self.tasks {
            match task.turn(self.source.as_mut(), now, share).with_context(|| format!("partition `{partition}`"))? {
                Turn::Going => {}
                Turn::Fenced => fenced.push(partition.clone()),
            }
        }
        for partition in fenced {
            warn!(%partition, "another owner has taken the partition over: its state here is dropped");
            self.source.pause(&partition);
            self.drop_task(&partition);
            self.fenced.insert(partition, now + RECLAIM_AFTER);
        }
        let due: Vec<_> =
            self.fenced.iter().filter(|(_, at)| **at <= now).map(|(partition, _)| partition.clone()).collect();
        for partition in due {
            self.fenced.remove(&partition);
            self.claim(partition.clone())?;
            self.source.resume(&partition);
        }
        Ok(())
    }

    /// The end of a run and a clean stop alike: everything that is closed becomes durable, within the grace period.
    fn commit_the_rest(&mut self) -> anyhow::Result<()> {
        let close = self.finish.decided().then(|| self.finish.close()).flatten();
        // A run that ends by itself has all the time its store needs; a stop on request has not, and leaving the group
        // takes its share.
        let deadline = close.is_none().then(|| Instant::now() + self.job.grace / 2);
        for task in self.tasks.values_mut() {
            task.begin_last(close)?;
        }
        for (partition, task) in &mut self.tasks {
            task.finish_last(self.source.as_mut(), deadline).with_context(|| format!("partition `{partition}`"))?;
        }
        Ok(())
    }
}

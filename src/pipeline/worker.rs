//! One thread: polls its source, feeds the tasks of its partitions, gives each a turn, and leaves in good order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use ingest::{Polled, Source};
use sink::{Claimed, Sink};
use tracing::{debug, error, info, warn};
use types::PartitionId;

use super::board::POST_EVERY;
use super::opening::{Openings, Step};
use super::task::{NotHandedOver, Opening, Task, Turn};
use super::{Counts, Ending, Finish, Job, Keeper, PartitionStatus, Progress};
use crate::failure;
use crate::shutdown::Shutdown;

/// How long a poll may wait: bounds how late a timer of a task can be.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// The same while partitions are being taken over.
const OPENING_WAIT: Duration = Duration::from_millis(2);
/// After so long without partitions it is said why that may be.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often tasks get a turn while records keep coming.
const TURN_INTERVAL: Duration = Duration::from_millis(10);

pub struct Worker<'a> {
    number: usize,
    job: &'a Job,
    source: Box<dyn Source>,
    keeper: &'a dyn Keeper,
    progress: &'a Progress,
    finish: &'a Finish,
    openings: Openings,
    tasks: BTreeMap<PartitionId, Task<'a>>,
    next_turn: Instant,
    /// When the board is written again.
    next_post: Instant,
    /// The last note of a mended partition that was seen.
    attention: u64,
    /// When it is said that nothing was heard of partitions yet.
    tells_of_waiting: Option<Instant>,
}

impl<'a> Worker<'a> {
    #[must_use]
    pub fn new(
        number: usize,
        job: &'a Job,
        source: Box<dyn Source>,
        keeper: &'a dyn Keeper,
        progress: &'a Progress,
        finish: &'a Finish,
    ) -> Self {
        let (openings, tasks) = Default::default();
        let (now, attention) = (job.clock.now(), keeper.attention());
        progress.board.turned(number, job.clock.as_ref());
        // One worker speaks for all.
        let tells_of_waiting = (number == 0).then_some(now + PATIENCE);
        Worker {
            number,
            job,
            source,
            keeper,
            progress,
            finish,
            openings,
            tasks,
            next_turn: now,
            next_post: now,
            attention,
            tells_of_waiting,
        }
    }

    pub(super) fn work(mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let worked = self.step_until_over(shutdown);
        let left = match &worked {
            Ok(()) => self.commit_the_rest(shutdown),
            Err(_) => Ok(()),
        };
        self.progress.board.left(self.number);
        self.source.leave();
        worked.and(left)
    }

    fn step_until_over(&mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        while !shutdown.requested() && !self.finish.decided(self.job.clock.now()) {
            self.step(POLL_WAIT)?;
        }
        Ok(())
    }

    /// Polls once, and does what is due.
    ///
    /// # Errors
    /// What stops the worker: in a service not what concerns one partition.
    pub fn step(&mut self, wait: Duration) -> anyhow::Result<()> {
        let busy = self.openings.are_busy(self.job.clock.now());
        let wait = if busy { wait.min(OPENING_WAIT) } else { wait };
        let polled = match self.source.poll(wait) {
            Ok(polled) => polled,
            Err(error) => {
                let misplaced = error.misplaced().cloned();
                let error = anyhow::Error::new(error).context("read from the source");
                let Some(partition) = misplaced else { return Err(error) };
                self.drop_task(&partition);
                self.failed(partition, error)?;
                Polled::Idle
            }
        };
        let idle = matches!(polled, Polled::Idle);
        self.take(polled);
        let now = self.job.clock.now();
        if std::mem::replace(&mut self.attention, self.keeper.attention()) != self.attention {
            self.openings.wake(now);
            self.tasks.values_mut().for_each(Task::prove_ownership);
        }
        match self.openings.step(self.job, self.keeper, self.source.as_mut(), now) {
            None => {}
            Some(Step::Claimed(partition, sink, claimed)) => self.open(partition, sink, claimed)?,
            Some(Step::Failed(partition, error)) => self.failed(partition, error)?,
        }
        if idle || now >= self.next_turn {
            self.give_turns(now)?;
            self.next_turn = now + TURN_INTERVAL;
        }
        if self.finish.asks(now) {
            let sharing =
                self.source.sharing().inspect_err(|error| warn!(%error, "the end has to wait for this answer"));
            self.finish.told(sharing.ok().as_ref(), self.job.clock.now());
        }
        // Of brokers that are away another line tells.
        let has_none = self.progress.counts().gained == 0 && self.source.trouble().is_none();
        if self.tells_of_waiting.take_if(|at| now >= *at).is_some() && has_none {
            info!(
                "waiting for partitions: others may have them, or a process that was killed, whose partitions are given \
                 away when its session is over (see docs/troubleshooting.md)"
            );
        }
        if now >= self.next_post {
            self.post();
            self.next_post = now + POST_EVERY;
        }
        Ok(())
    }

    /// Writes down what its partitions are doing.
    fn post(&self) {
        let of =
            |(partition, task): (&'_ PartitionId, &Task<'_>)| (partition.clone(), task.status(self.source.as_ref()));
        let statuses: Vec<(PartitionId, PartitionStatus)> = self.tasks.iter().map(of).collect();
        self.progress.board.post(self.number, self.job.clock.as_ref(), self.source.trouble(), statuses);
    }

    fn take(&mut self, polled: Polled) {
        match polled {
            Polled::Idle => {}
            Polled::Gained(partitions) => {
                self.tells_of_waiting = None;
                info!(worker = self.number, partitions = partitions.len(), "partitions gained");
                self.finish.gained(self.number, &partitions, self.job.clock.now());
                self.progress.add(&Counts { joined: 1, gained: partitions.len() as u64, ..Counts::default() });
                let now = self.job.clock.now();
                for partition in partitions {
                    self.progress.board.claiming(self.number, &partition, None);
                    self.openings.add(partition, now);
                }
            }
            Polled::Lost(partitions) => {
                info!(worker = self.number, partitions = partitions.len(), "partitions lost");
                self.finish.lost(self.number, &partitions, self.job.clock.now());
                self.progress.add(&Counts { lost: partitions.len() as u64, ..Counts::default() });
                for partition in partitions {
                    self.openings.remove(&partition);
                    self.progress.board.healed(self.number, &partition);
                    self.drop_task(&partition);
                }
            }
            Polled::Records(records) => {
                if let Some(task) = self.tasks.get_mut(records.partition()) {
                    task.fold(records);
                }
            }
            Polled::CaughtUp { partition, position } => {
                if let Some(task) = self.tasks.get_mut(&partition)
                    && task.caught_up(position)
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

    /// Begins to make durable what is closed by now: the end of a run and a clean stop alike.
    ///
    /// # Errors
    /// If a commit cannot be encoded.
    pub fn begin_last(&mut self) -> anyhow::Result<()> {
        let close = self.finish.decided(self.job.clock.now()).then(|| self.finish.close()).flatten();
        self.tasks.values_mut().try_for_each(|task| task.begin_last(close))
    }

    /// For those who cannot wait: hears from the last commits. True once all are durable.
    ///
    /// # Errors
    /// If one failed for good.
    pub fn last_step(&mut self) -> anyhow::Result<bool> {
        let mut over = true;
        for (partition, task) in &mut self.tasks {
            over &= task
                .last_step(self.source.as_mut(), Duration::ZERO)
                .with_context(|| format!("partition `{partition}`"))?;
        }
        Ok(over)
    }

    // === Taking partitions over ===

    /// Reading starts at once, or, where something has to be durable first, when it is.
    fn open(&mut self, partition: PartitionId, sink: Box<dyn Sink>, claimed: Claimed) -> anyhow::Result<()> {
        let Worker { number, job, keeper, progress, .. } = *self;
        let opening = Opening { worker: number, job, keeper, progress, partition: partition.clone(), sink };
        let opened = opening.open(claimed, self.source.as_mut()).and_then(|mut task| {
            if !task.waits_for_commit() {
                start(self.source.as_mut(), &mut task)?;
            }
            Ok(task)
        });
        match opened {
            Ok(task) => {
                self.progress.board.healed(self.number, &partition);
                self.progress.add(&Counts { started: 1, ..Counts::default() });
                self.tasks.insert(partition, task);
                Ok(())
            }
            Err(error) => self.failed(partition, error),
        }
    }

    /// Waits where waiting may help. Else a job ends, and a service goes on with its other partitions.
    fn failed(&mut self, partition: PartitionId, error: anyhow::Error) -> anyhow::Result<()> {
        let now = self.job.clock.now();
        if may_heal(&error) {
            let why = failure::chain(&error);
            warn!(%partition, error = why, "the partition cannot be taken over yet, retrying");
            self.progress.board.claiming(self.number, &partition, Some(why));
            self.openings.add_later(partition, now);
            return Ok(());
        }
        if self.job.ending != Ending::Never {
            return Err(error).with_context(|| format!("partition `{partition}`"));
        }
        let hint = failure::hints(&error).join("; ");
        self.progress.board.claiming(self.number, &partition, None);
        error!(%partition, hint, "the partition is halted: {}", failure::chain(&error));
        self.progress.board.halted(self.number, &partition, &format!("{}; {hint}", failure::chain(&error)));
        self.openings.halt(partition, now);
        Ok(())
    }

    fn drop_task(&mut self, partition: &PartitionId) {
        if self.tasks.remove(partition).is_some() {
            self.progress.add(&Counts { stopped: 1, ..Counts::default() });
        }
        // Unless another worker has it by now, and shows it.
        if self.progress.board.given_up(self.number, partition) {
            super::metrics::forget(partition);
        }
    }

    // === Turns ===

    /// Of the partitions under suspicion, the one that may get on: one after the other, so that the death of the process tells
    /// which of them it was.
    fn next_suspected(&self) -> Option<PartitionId> {
        let mut suspected = self.tasks.iter().filter_map(|(partition, task)| Some((partition, task.is_suspected()?)));
        let (first, is_backwards) = suspected.next()?;
        let last = suspected.next_back().map_or(first, |(last, _)| last);
        Some(if is_backwards { last } else { first }.clone())
    }

    fn give_turns(&mut self, now: Instant) -> anyhow::Result<()> {
        let mut again = Vec::new();
        let mut failed = Vec::new();
        let share = self.job.pending_bytes_max / self.tasks.len().max(1);
        let suspected = self.next_suspected();
        let mut seen = now;
        for (partition, task) in &mut self.tasks {
            // Each may take its time, as for a large commit.
            let begun = self.job.clock.now();
            if begun.saturating_duration_since(seen) >= POST_EVERY {
                self.progress.board.turned(self.number, self.job.clock.as_ref());
                seen = begun;
            }
            let is_its_turn = suspected.as_ref().is_none_or(|suspected| suspected == partition);
            let turn = task.turn(self.source.as_mut(), now, share, is_its_turn);
            let result = match turn {
                Ok(Turn::Going) => Ok(()),
                Ok(Turn::Drained) => {
                    self.finish.drained(self.number, partition, now);
                    Ok(())
                }
                Ok(Turn::Fenced) => {
                    warn!(%partition, "another owner has taken the partition over: its state here is dropped");
                    again.push(partition.clone());
                    Ok(())
                }
                Ok(Turn::Ready) => start(self.source.as_mut(), task),
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                failed.push((partition.clone(), error));
            }
        }
        for partition in again {
            // What was read here has to be read again.
            self.finish.gained(self.number, std::slice::from_ref(&partition), now);
            self.source.stop(&partition);
            self.drop_task(&partition);
            self.progress.board.claiming(self.number, &partition, Some("another owner had taken it over".into()));
            self.openings.add_later(partition, now);
        }
        for (partition, error) in failed {
            self.source.stop(&partition);
            self.drop_task(&partition);
            self.failed(partition, error)?;
        }
        Ok(())
    }

    /// The end of a run and a clean stop alike: everything that is closed becomes durable, within the grace period.
    fn commit_the_rest(&mut self, shutdown: &Shutdown) -> anyhow::Result<()> {
        self.begin_last()?;
        let (mut deadline, mut first_error) = (None, None);
        let (number, job, progress) = (self.number, self.job, self.progress);
        for (partition, task) in &mut self.tasks {
            // A run that ends by itself has all the time its store needs; a stop on request has not, and leaving the group
            // takes its share of it.
            let mut patience = || {
                progress.board.turned(number, job.clock.as_ref());
                if deadline.is_none() && shutdown.requested() {
                    deadline = Some(Instant::now() + self.job.grace / 2);
                }
                deadline
            };
            let finished = task.finish_last(self.source.as_mut(), &mut patience);
            // The last commits of the others are waited for all the same.
            if let Err(error) = finished.with_context(|| format!("partition `{partition}`")) {
                first_error.get_or_insert(error);
            }
        }
        first_error.map_or(Ok(()), Err)
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
            || cause.is::<NotHandedOver>()
    })
}

#[cfg(test)]
mod tests;

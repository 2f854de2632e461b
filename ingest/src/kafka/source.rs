//! Kafka behind the source seam: one consumer, one member of the group, any number of partitions.
//!
//! Membership comes through the consumer's queue and is served first; records come through the fetch queue. Partitions
//! are assigned one by one with the position that the pipeline recovered: never at the broker's memory of it, never by
//! assigning first and seeking after.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{debug, warn};
use types::{PartitionId, Position};

use super::check::{self, TopicInfo};
use super::context::{Change, Context};
use super::errors::Verdict;
use super::fetch::{FetchQueue, Fetched, broker_time};
use super::inquirer::Inquirer;
use super::partition::{Partition, Phase};
use super::watch::Absence;
use super::watermarks::{Answer, AtEnd, Question, Watermarks};
use super::{Config, context, errors, metrics, settings};
use crate::{Bound, Error, Extent, Held, Polled, RawRecord, Source, Start};

/// How long records are waited for before membership is looked at again.
const SLICE: Duration = Duration::from_millis(25);
/// How often what may wait is done: informational commits, renewing the forwarding.
const TICK: Duration = Duration::from_secs(1);
/// How long leaving the group may take before it is left to a thread nobody waits for.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// One member of the consumer group.
pub struct KafkaSource {
    config: Config,
    topic: Arc<str>,
    worker: usize,
    bound: Bound,
    batch_records: usize,
    consumer: Arc<BaseConsumer<Context>>,
    fetch: FetchQueue,
    inquirer: Inquirer,
    watermarks: Option<Watermarks>,
    /// Ours, in the order gained.
    partitions: Vec<Partition>,
    /// Whose turn it is: partitions with records waiting take turns.
    turn: usize,
    /// Gained, lost, caught up: told before any more records.
    news: VecDeque<Polled>,
    /// Ends bounded reads found when they were resolved, until they start.
    bounds: BTreeMap<i32, i64>,
    /// Positions to tell the broker at the next tick.
    acknowledged: BTreeMap<i32, i64>,
    ever_paused: BTreeSet<i32>,
    /// Of the fetch queue, to be judged one by one.
    failures: VecDeque<(i32, RDKafkaErrorCode)>,
    absence: Absence,
    /// Whether the last question to be considered was about ends.
    asks_ends: bool,
    generation: u64,
    ticked: Instant,
}

impl KafkaSource {
    /// Joins the group; partitions are gained while polling. Brokers that are away are told of in the log and waited for.
    ///
    /// `batch_records`: records per batch at most.
    ///
    /// # Errors
    /// If a setting is refused.
    pub fn new(config: &Config, worker: usize, bound: Bound, batch_records: usize) -> Result<KafkaSource, Error> {
        let failed = |error: KafkaError| errors::of_action(config, "start a consumer", &error);
        let consumer: BaseConsumer<Context> =
            settings::consumer(config, worker)?.create_with_context(Context::default()).map_err(failed)?;
        let consumer = Arc::new(consumer);
        consumer.subscribe(&[&config.topic]).map_err(failed)?;
        let watermarks = Watermarks::spawn(Arc::clone(&consumer), config.clone(), worker)
            .map_err(|error| Error::Kafka { action: "start a thread", reason: error.to_string() })?;
        Ok(KafkaSource {
            topic: config.topic.as_str().into(),
            config: config.clone(),
            worker,
            bound,
            batch_records: batch_records.max(1),
            fetch: FetchQueue::new(Arc::clone(&consumer)),
            consumer,
            inquirer: Inquirer::new(config.clone()),
            watermarks: Some(watermarks),
            partitions: Vec::new(),
            turn: 0,
            news: VecDeque::new(),
            bounds: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            ever_paused: BTreeSet::new(),
            failures: VecDeque::new(),
            absence: Absence::default(),
            asks_ends: false,
            generation: 0,
            ticked: Instant::now(),
        })
    }

    /// Asks for the topic with the configuration's own credentials: for checks, and for jobs that must not wait.
    ///
    /// # Errors
    /// Unreachable, wrong credentials, untrusted certificate, no such topic, no permission: each its own.
    pub fn check(config: &Config, timeout: Duration) -> Result<TopicInfo, Error> {
        check::check(config, timeout)
    }

    /// What is ready now, membership first.
    fn ready(&mut self) -> Option<Polled> {
        while let Some(news) = self.news.pop_front() {
            match news {
                // Paused after it was confirmed: no longer true.
                Polled::CaughtUp { ref partition, .. } if self.find(partition).is_none_or(|found| found.is_paused) => {}
                news => return Some(news),
            }
        }
        let count = self.partitions.len();
        for step in 0..count {
            let turn = (self.turn + step) % count;
            let partition = &mut self.partitions[turn];
            if let Some(records) = partition.hand_over() {
                self.turn = turn + 1;
                return Some(Polled::Records(records));
            }
            if let Some(bound) = partition.end() {
                let (index, id) = (partition.index(), partition.id.clone());
                self.pause_native(index);
                return Some(Polled::Ended { partition: id, position: Position(bound) });
            }
        }
        None
    }

    /// Serves the consumer's queue: rebalances, errors, the log.
    fn serve(&mut self) -> Result<(), Error> {
        let consumer = Arc::clone(&self.consumer);
        for _ in 0..self.batch_records {
            let served = consumer.context().served();
            match consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => self.take_stray(&message),
                // It says no offset, so it proves nothing; the end is reported anew after the next record.
                Some(Err(KafkaError::PartitionEOF(index))) => self.fetch.forward(&self.topic, index),
                Some(Err(error)) => self.judge(&error)?,
                None if consumer.context().served() != served => {}
                None => break,
            }
        }
        for change in consumer.context().take_changes() {
            self.apply(change);
        }
        Ok(())
    }

    /// A record that came through the consumer's queue, since librdkafka had not heard of the forwarding yet. It is older
    /// than all that will come through the fetch queue, which is read after this one.
    fn take_stray(&mut self, message: &impl Message) {
        self.fetch.forward(&self.topic, message.partition());
        let record = RawRecord {
            position: message.offset(),
            broker_time: message.timestamp().to_millis().and_then(broker_time),
            key: message.key().unwrap_or_default(),
            payload: message.payload(),
        };
        if let Some(partition) = self.partitions.iter_mut().find(|found| found.index() == message.partition()) {
            partition.take(record, 1);
        }
    }

    fn judge(&self, error: &KafkaError) -> Result<(), Error> {
        let context = self.consumer.context();
        let reason = context.last_reason().unwrap_or_else(|| error.to_string());
        let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let Some(code) = error.rdkafka_error_code() else {
            context.transient("Other", &reason);
            return Ok(());
        };
        match errors::judge(&self.config, code, &reason, is_fatal, context.joined()) {
            Verdict::Transient => {
                context.transient(&errors::name(code), &reason);
                Ok(())
            }
            Verdict::Final(error) => Err(error),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Gained(indices) => {
                let mut gained = Vec::with_capacity(indices.len());
                for index in indices {
                    if self.partitions.iter().any(|partition| partition.index() == index) {
                        continue;
                    }
                    let id = PartitionId { topic: Arc::clone(&self.topic), index: index.cast_unsigned() };
                    self.partitions.push(Partition::new(id.clone()));
                    gained.push(id);
                }
                // Every rebalance ends here, with what is new; one that leaves us nothing has to be told as well.
                if !gained.is_empty() || self.partitions.is_empty() {
                    self.news.push_back(Polled::Gained(gained));
                }
            }
            Change::Lost(indices) => {
                let mut lost = Vec::with_capacity(indices.len());
                self.partitions.retain(|partition| {
                    let stays = !indices.contains(&partition.index());
                    if !stays {
                        metrics::stray(partition.strays);
                        lost.push(partition.id.clone());
                    }
                    stays
                });
                self.failures.retain(|(failed, _)| !indices.contains(failed));
                for index in &indices {
                    self.bounds.remove(index);
                    self.acknowledged.remove(index);
                }
                self.withdraw_news(&mut lost);
                if !lost.is_empty() {
                    self.news.push_back(Polled::Lost(lost));
                }
            }
        }
        metrics::assigned(self.worker, self.partitions.len());
    }

    /// What was not told yet of lost partitions is not told any more; one whose gain was not told is not told as lost.
    fn withdraw_news(&mut self, lost: &mut Vec<PartitionId>) {
        self.news.retain_mut(|news| match news {
            Polled::Gained(gained) if !gained.is_empty() => {
                gained.retain(|partition| {
                    let stays = !lost.contains(partition);
                    lost.retain(|found| stays || found != partition);
                    stays
                });
                !gained.is_empty()
            }
            Polled::CaughtUp { partition, .. } => !lost.contains(partition),
            _ => true,
        });
    }

    /// Takes what the fetch queue holds, up to a batch; waits for the first message.
    fn fetch(&mut self, wait: Duration) -> Result<(), Error> {
        let mut failures: Vec<(i32, RDKafkaErrorCode)> = Vec::new();
        let partitions = &mut self.partitions;
        let capacity = self.batch_records.div_ceil(partitions.len().max(1));
        // Messages come in runs of one partition, so the last one found is mostly the next one sought.
        let mut last = (-1, 0);
        let mut visit = |index: i32, fetched: Fetched<'_>| {
            if last.0 != index {
                let Some(found) = partitions.iter().position(|partition| partition.index() == index) else {
                    return;
                };
                last = (index, found);
            }
            let partition = &mut partitions[last.1];
            match fetched {
                Fetched::Record(record) => partition.take(record, capacity),
                Fetched::End(position) => partition.reach_end(position),
                Fetched::Failed(code) => failures.push((index, code)),
            }
        };
        self.fetch.drain(self.batch_records, wait, &mut visit);
        self.failures.extend(failures);
        Ok(())
    }

    /// One failure a poll: each names a partition of its own.
    fn judge_failures(&mut self) -> Result<(), Error> {
        while let Some((index, code)) = self.failures.pop_front() {
            self.fetch_failed(index, code).map_err(|error| self.set_aside(error))?;
        }
        Ok(())
    }

    /// A partition whose positions mean nothing any more waits for a new start.
    fn set_aside(&mut self, error: Error) -> Error {
        if let Some(partition) = error.misplaced() {
            self.stop(&partition.clone());
        }
        error
    }

    fn fetch_failed(&mut self, index: i32, code: RDKafkaErrorCode) -> Result<(), Error> {
        let Some(partition) = self.partitions.iter().find(|partition| partition.index() == index) else {
            return Ok(());
        };
        if matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) {
            let position = Position(partition.next());
            let (low, high) = self.inquirer.watermarks(index)?;
            check_range(&partition.id, position, low, high)?;
            return Err(Error::Kafka {
                action: "go on reading",
                reason: format!("the broker calls position {position} of `{}` out of range", partition.id),
            });
        }
        self.judge(&KafkaError::MessageConsumption(code))
    }

    /// Tells of ends that were confirmed, and of a topic that is not the one that was read.
    fn hear_answers(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        while let Some(answer) = self.watermarks.as_mut().and_then(Watermarks::answer) {
            match answer {
                Answer::Confirmed(ends) => ends.iter().for_each(|end| self.confirm(end, now)),
                Answer::Past(past, difference) => {
                    let Some(partition) = self.partitions.iter_mut().find(|found| found.is_of(&past)) else { continue };
                    let Some(difference) = difference else {
                        partition.looked(&past, now);
                        continue;
                    };
                    let error = difference.error(partition.id.clone(), past.read);
                    return Err(self.set_aside(error));
                }
                Answer::Topic { is_missing } => {
                    let is_missing = is_missing && self.consumer.context().joined();
                    if self.absence.answered(is_missing, now) {
                        let (topic, brokers) = (self.config.topic.clone(), self.config.brokers.clone());
                        return Err(Error::TopicGone { topic, brokers });
                    }
                }
                Answer::Unusable(_) if self.consumer.context().joined() => {}
                Answer::Unusable(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn confirm(&mut self, end: &AtEnd, now: Instant) {
        let found = self.partitions.iter_mut().find(|found| found.index() == end.partition);
        if let Some(partition) = found
            && partition.confirm(end, now)
        {
            let (partition, position) = (partition.id.clone(), Position(end.end));
            self.news.push_back(Polled::CaughtUp { partition, position });
        }
    }

    /// Puts the next question, if the last one is answered: about ends and about the rest by turns.
    fn ask(&mut self) {
        let Some(watermarks) = self.watermarks.as_mut().filter(|watermarks| !watermarks.is_busy()) else { return };
        let now = Instant::now();
        self.asks_ends = !self.asks_ends;
        if self.asks_ends {
            let ends: Vec<_> = self.partitions.iter().filter_map(|partition| partition.question(now)).collect();
            if !ends.is_empty() {
                watermarks.ask(Question::Ends(ends));
            }
        } else if self.absence.is_due(now) {
            self.absence.asked(now);
            watermarks.ask(Question::Topic);
        } else if let Some(past) = self.partitions.iter_mut().find_map(|partition| partition.past(now)) {
            watermarks.ask(Question::Past(past));
        }
    }

    fn tick(&mut self) {
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.inquirer.serve();
        self.commit();
        for partition in &mut self.partitions {
            if partition.phase == Phase::Started {
                self.fetch.forward(&self.topic, partition.index());
            }
            metrics::stray(std::mem::take(&mut partition.strays));
        }
    }

    fn commit(&mut self) {
        let mut positions = TopicPartitionList::with_capacity(self.acknowledged.len());
        for (index, position) in std::mem::take(&mut self.acknowledged) {
            if let Err(error) = positions.add_partition_offset(&self.topic, index, Offset::Offset(position)) {
                debug!(%error, "position is not committed");
            }
        }
        if positions.count() > 0
            && let Err(error) = self.consumer.commit(&positions, CommitMode::Async)
        {
            metrics::broker_error("Commit");
            debug!(%error, "committing positions for lag displays failed");
        }
    }

    fn find(&self, id: &PartitionId) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.id == *id)
    }

    fn find_mut(&mut self, id: &PartitionId) -> Result<&mut Partition, Error> {
        self.partitions
            .iter_mut()
            .find(|partition| partition.id == *id)
            .ok_or_else(|| Error::NotAssigned { partition: id.clone() })
    }

    /// The bound of a bounded read: where the partition ended when it was first asked for.
    fn bound_at(&mut self, index: i32, high: i64) -> Option<i64> {
        (self.bound == Bound::PresentEnd).then(|| *self.bounds.entry(index).or_insert(high))
    }

    /// Assigns one more partition at its position.
    fn assign(&self, index: i32, position: i64) -> KafkaResult<()> {
        self.fetch.forward(&self.topic, index);
        if !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager) {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&self.topic, index, Offset::Offset(position))?;
            return self.consumer.incremental_assign(&list);
        }
        self.assign_started()
    }

    /// The eager protocol knows only whole assignments: names all, each where it stands.
    fn assign_started(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions.iter().filter(|partition| partition.phase == Phase::Started) {
            list.add_partition_offset(&self.topic, partition.index(), Offset::Offset(partition.next()))?;
        }
        self.consumer.assign(&list)
    }

    /// Takes a partition that is not started any more out of the assignment. What the client holds of it is out of date
    /// when this returns, and never comes out of a queue.
    fn unassign(&self, index: i32) -> KafkaResult<()> {
        if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager) {
            return self.assign_started();
        }
        context::unassign(&self.consumer, &[index])
    }

    fn one(&self, index: i32) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition(&self.topic, index);
        list
    }

    fn pause_native(&mut self, index: i32) {
        self.ever_paused.insert(index);
        if let Err(error) = self.consumer.pause(&self.one(index)) {
            debug!(%error, index, "pausing failed");
        }
    }

    fn resume_native(&self, index: i32) {
        if let Err(error) = self.consumer.resume(&self.one(index)) {
            debug!(%error, index, "resuming failed");
        }
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        let deadline = Instant::now() + wait;
        let mut slice = Duration::ZERO;
        loop {
            if let Some(ready) = self.ready() {
                return Ok(ready);
            }
            self.serve()?;
            self.tick();
            if self.news.is_empty() {
                self.fetch(slice)?;
                self.judge_failures()?;
                self.hear_answers()?;
                self.ask();
            }
            if let Some(ready) = self.ready() {
                return Ok(ready);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Polled::Idle);
            }
            slice = left.min(SLICE);
        }
    }

    fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        let index = self.find_mut(partition)?.index();
        let (low, high) = self.inquirer.watermarks(index)?;
        self.bound_at(index, high);
        Ok(Position(match start {
            Start::Earliest => low,
            Start::Latest => high,
            Start::Time(micros) => self.inquirer.position_at(index, micros)?.unwrap_or(high),
        }))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let index = self.find_mut(partition)?.index();
        let (low, high) = self.inquirer.watermarks(index)?;
        check_range(partition, position, low, high)?;
        let bound = self.bound_at(index, high);
        self.generation += 1;
        let generation = self.generation;
        let found = self.find_mut(partition)?;
        if found.phase != Phase::Waiting {
            return Err(Error::Kafka {
                action: "start a partition twice",
                reason: format!("`{partition}` is started"),
            });
        }
        found.bound = bound;
        found.start(generation, position.0);
        if bound.is_some_and(|bound| position.0 >= bound) {
            // Nothing to fetch: the next poll says that it ended.
            return Ok(());
        }
        if let Err(error) = self.assign(index, position.0) {
            self.find_mut(partition)?.withdraw();
            return Err(errors::of_action(&self.config, "assign a partition", &error));
        }
        // Whether a partition is paused outlives its assignment in the client.
        if self.find_mut(partition)?.is_paused {
            self.pause_native(index);
        } else if self.ever_paused.remove(&index) {
            self.resume_native(index);
        }
        Ok(())
    }

    fn stop(&mut self, partition: &PartitionId) {
        let Ok(found) = self.find_mut(partition) else { return };
        if found.phase == Phase::Waiting {
            return;
        }
        found.stop();
        let index = found.index();
        self.failures.retain(|(failed, _)| *failed != index);
        self.news.retain(|news| !matches!(news, Polled::CaughtUp { partition: told, .. } if told == partition));
        if let Err(error) = self.unassign(index) {
            self.consumer.context().transient("Unassign", &error.to_string());
        }
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        self.inquirer.partitions().map(Some)
    }

    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        let (low, high) = self.inquirer.watermarks(partition.index.cast_signed())?;
        Ok(Some(Extent { low: Position(low), high: Position(high) }))
    }

    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        self.inquirer.record_at(partition.index.cast_signed(), position.0)
    }

    fn pause(&mut self, partition: &PartitionId) {
        if let Ok(found) = self.find_mut(partition)
            && !found.is_paused
        {
            found.pause(true);
            let (index, phase) = (found.index(), found.phase);
            if phase == Phase::Started {
                self.pause_native(index);
            }
        }
    }

    fn resume(&mut self, partition: &PartitionId) {
        if let Ok(found) = self.find_mut(partition)
            && found.is_paused
        {
            found.pause(false);
            let (index, phase) = (found.index(), found.phase);
            if phase == Phase::Started {
                self.ever_paused.remove(&index);
                self.resume_native(index);
            }
        }
    }

    fn acknowledge(&mut self, partition: &PartitionId, position: Position) {
        if let Ok(found) = self.find_mut(partition) {
            let index = found.index();
            self.acknowledged.insert(index, position.0);
        }
    }

    fn leave(&mut self) {
        let Some(watermarks) = self.watermarks.take() else { return };
        self.commit();
        self.partitions.clear();
        self.failures.clear();
        self.news.clear();
        metrics::assigned(self.worker, 0);
        self.consumer.context().forget_all();
        // A member with a name of its own says no goodbye, so that it finds its partitions when it comes back. Closing
        // keeps to that; unsubscribing does not.
        let is_unsubscribed = self.config.instance_id.is_none();
        if is_unsubscribed {
            self.consumer.unsubscribe();
        }
        // The consumer itself closes when its last owner is gone, which this thread is not: closing waits for brokers.
        let consumer = Arc::clone(&self.consumer);
        let (done, left) = sync_channel::<()>(1);
        let closing = thread::Builder::new().name(format!("leave-{}", self.worker)).spawn(move || {
            watermarks.join();
            let deadline = Instant::now() + LEAVE_TIMEOUT;
            // Serves the revocation that unsubscribing asks for.
            while is_unsubscribed
                && Instant::now() < deadline
                && consumer.assignment().is_ok_and(|current| current.count() > 0)
            {
                consumer.poll(SLICE);
            }
            let _ = consumer.close_queue();
            while Instant::now() < deadline && !consumer.closed() {
                consumer.poll(SLICE);
            }
            let _ = done.send(());
        });
        if closing.is_err() || left.recv_timeout(LEAVE_TIMEOUT).is_err() {
            warn!(worker = self.worker, "leaving the group takes long: the session timeout will do it");
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Positions lie between the first record held and the end; nothing is ever moved silently.
fn check_range(partition: &PartitionId, position: Position, low: i64, high: i64) -> Result<(), Error> {
    let partition = partition.clone();
    if position.0 < low {
        return Err(Error::PositionExpired { partition, position, low: Position(low) });
    }
    if position.0 > high {
        return Err(Error::PositionAhead { partition, position, high: Position(high) });
    }
    Ok(())
}

//! Kafka behind the source seam: one consumer, any number of partitions, which the group gives it or whoever opens it.
//!
//! Membership comes through the consumer's queue and is served first; records come through the fetch queue. Partitions
//! are assigned one by one with the position that the pipeline recovered: never at the broker's memory of it, never by
//! assigning first and seeking after.

mod fetching;
mod membership;
mod proofs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;
use types::{PartitionId, Position};

use crate::kafka::check::{self, TopicInfo};
use crate::kafka::context::Context;
use crate::kafka::fetch::FetchQueue;
use crate::kafka::header::Names;
use crate::kafka::inquirer::Inquirer;
use crate::kafka::partition::{Partition, Phase};
use crate::kafka::watch::Absence;
use crate::kafka::watermarks::Watermarks;
use crate::kafka::{Config, errors, metrics, settings};
use crate::news::News;
use crate::{Bound, Error, Extent, Held, Polled, Sharing, Source, Start, Trouble, Wanted};

/// How long records are waited for before membership is looked at again.
const SLICE: Duration = Duration::from_millis(25);
/// How often what may wait is done: informational commits, renewing the forwarding.
const TICK: Duration = Duration::from_secs(1);

/// One member of the consumer group, or a reader of partitions that were named to it.
pub struct KafkaSource {
    config: Config,
    topic: Arc<str>,
    worker: usize,
    bound: Bound,
    batch_records: usize,
    consumer: Arc<BaseConsumer<Context>>,
    /// Whether the group says which partitions are ours.
    is_member: bool,
    /// Whether the group has heard of us.
    has_joined: bool,
    fetch: FetchQueue,
    /// The headers to read; none: they are not looked at.
    names: Option<Names>,
    /// Whether the traces are looked at that records belong to.
    traces: bool,
    inquirer: Inquirer,
    watermarks: Option<Watermarks>,
    /// Ours, in the order gained.
    partitions: Vec<Partition>,
    /// Whose turn it is: partitions with records waiting take turns.
    turn: usize,
    /// Gained, lost, caught up: told before any more records.
    news: News,
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
    /// Joins the group with the first poll: who fails before it has begun to read would leave a member behind that the next start
    /// waits for. Partitions are gained while polling. Brokers that are away are told of in the log and waited for.
    ///
    /// `batch_records`: records per batch at most.
    ///
    /// # Errors
    /// If a setting is refused.
    pub fn new(config: &Config, worker: usize, bound: Bound, batch_records: usize) -> Result<KafkaSource, Error> {
        let mut source = Self::apart(config, worker, bound, batch_records)?;
        source.is_member = true;
        Ok(source)
    }

    /// Reads these partitions, whatever the members of the group read. The group only keeps the positions for lag displays.
    ///
    /// # Errors
    /// If a setting is refused.
    pub fn of_partitions(
        config: &Config,
        worker: usize,
        partitions: Vec<i32>,
        bound: Bound,
        batch_records: usize,
    ) -> Result<KafkaSource, Error> {
        let config = Config { instance_id: None, ..config.clone() };
        let source = Self::apart(&config, worker, bound, batch_records)?;
        source.consumer.context().give(partitions);
        Ok(source)
    }

    fn apart(config: &Config, worker: usize, bound: Bound, batch_records: usize) -> Result<KafkaSource, Error> {
        let failed = |error: KafkaError| errors::of_action(config, "start a consumer", &error);
        let client = settings::consumer(config, worker)?;
        let length_max = settings::queue_length_max(&client);
        let consumer: BaseConsumer<Context> = client.create_with_context(Context::new(config)).map_err(failed)?;
        let consumer = Arc::new(consumer);
        let watermarks = Watermarks::spawn(Arc::clone(&consumer), config.clone(), worker)
            .map_err(|error| Error::Kafka { action: "start a thread", reason: error.to_string() })?;
        Ok(KafkaSource {
            topic: config.topic.as_str().into(),
            config: config.clone(),
            worker,
            bound,
            batch_records: batch_records.max(1),
            fetch: FetchQueue::new(Arc::clone(&consumer), length_max),
            consumer,
            is_member: false,
            has_joined: false,
            names: None,
            traces: false,
            inquirer: Inquirer::new(config.clone()),
            watermarks: Some(watermarks),
            partitions: Vec::new(),
            turn: 0,
            news: News::default(),
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

    /// Hands these headers over with each record. To be called before anything is read.
    ///
    /// # Errors
    /// If no header can have such a name.
    pub fn with_headers(mut self, wanted: &Wanted) -> Result<KafkaSource, Error> {
        self.names = Names::of(wanted)?;
        self.traces = wanted.trace;
        Ok(self)
    }

    /// Asks for the topic with the configuration's own credentials: for checks, and for jobs that must not wait.
    ///
    /// # Errors
    /// Unreachable, wrong credentials, untrusted certificate, no such topic, no permission: each its own.
    pub fn check(config: &Config, timeout: Duration) -> Result<TopicInfo, Error> {
        check::check(config, timeout)
    }

    fn join(&mut self) -> Result<(), Error> {
        let subscribed = self.consumer.subscribe(&[&self.config.topic]);
        subscribed.map_err(|error| errors::of_action(&self.config, "join the group", &error))?;
        self.has_joined = true;
        Ok(())
    }

    /// What is ready now, membership first.
    fn ready(&mut self) -> Option<Polled> {
        while let Some(news) = self.news.queue.pop_front() {
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
        if self.is_member && !self.has_joined {
            self.join()?;
        }
        loop {
            if let Some(ready) = self.ready() {
                return Ok(ready);
            }
            self.serve()?;
            self.tick();
            if self.news.queue.is_empty() {
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
        let extent = self.inquirer.extent(index)?;
        self.bound_at(index, extent.high.0);
        self.inquirer.resolve(index, start, extent)
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let index = self.find_mut(partition)?.index();
        let extent = self.inquirer.extent(index)?;
        extent.check(partition, position)?;
        let bound = self.bound_at(index, extent.high.0);
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
        self.news.queue.retain(|news| !matches!(news, Polled::CaughtUp { partition: told, .. } if told == partition));
        if let Err(error) = self.unassign(index) {
            self.consumer.context().transient("Unassign", &error.to_string());
        }
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        self.inquirer.partitions().map(Some)
    }

    fn sharing(&mut self) -> Result<Sharing, Error> {
        if self.is_member { self.inquirer.sharing() } else { Ok(Sharing::Unknown) }
    }

    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        self.inquirer.extent(partition.index.cast_signed()).map(Some)
    }

    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        self.inquirer.record_at(partition.index.cast_signed(), position.0)
    }

    fn trouble(&self) -> Option<Trouble> {
        self.consumer.context().trouble()
    }

    fn lag(&self, partition: &PartitionId) -> Option<u64> {
        let lag = self.consumer.context().lag(partition.index.cast_signed())?;
        u64::try_from(lag).ok()
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

    fn acknowledge(&mut self, partition: &PartitionId, position: Position, _: Option<&str>) {
        if let Ok(found) = self.find_mut(partition) {
            let index = found.index();
            self.acknowledged.insert(index, position.0);
        }
    }

    fn leave(&mut self) {
        self.leave_group();
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.leave();
    }
}

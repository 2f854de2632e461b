//! Event Hubs behind the source seam, over AMQP: one connection, and a task for each started partition.
//!
//! The thread that polls and the tasks meet in the `exchange`; which partitions are ours is the `membership`'s word. Reading begins
//! at an explicit position and under the number of the claim as epoch, so that the service itself cuts off a reader that was
//! fenced.

mod happened;
mod prover;
mod watcher;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use types::{PartitionId, Position};

use super::asking::{Asker, TIMEOUT};
use super::client::{Client, Purpose};
use super::exchange::{Exchange, Lane};
use super::failure::{Class, Failure};
use super::questions::{HubInfo, Questions};
use super::reader::{Look, Reader};
use super::{metrics, probe};
use crate::event_hubs::config::Config;
use crate::event_hubs::membership::Membership;
use crate::news::News;
use crate::{Bound, Claim, Error, Extent, Held, Polled, Source, Start, Trouble, Wanted};

/// How long events are waited for before the membership is looked at again.
const SLICE: Duration = Duration::from_millis(100);
/// Of the connection, when leaving.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// One member of the consumer group.
pub struct EventHubsSource {
    client: Arc<Client>,
    exchange: Arc<Exchange>,
    runtime: Handle,
    membership: Box<dyn Membership>,
    topic: Arc<str>,
    worker: usize,
    bound: Bound,
    prefetch: usize,
    /// Ours.
    partitions: BTreeMap<u32, Mine>,
    /// Gained and lost: told before any more records.
    news: News,
    generation: u64,
    background: Vec<AbortHandle>,
    has_left: bool,
}

#[derive(Default)]
struct Mine {
    claim: Option<Claimed>,
    /// Where a bounded read ends: found once in a stay.
    bound: Option<i64>,
    started: Option<Started>,
}

/// The claim that was told last.
struct Claimed {
    number: u64,
    next: Position,
    offset: Option<String>,
}

struct Started {
    generation: u64,
    task: AbortHandle,
    looks: mpsc::Sender<Look>,
}

impl Drop for Started {
    fn drop(&mut self) {
        // Its link is detached with it.
        self.task.abort();
    }
}

impl EventHubsSource {
    /// Connects in the background; partitions are gained while polling. A service that is away is told of in the log and waited for.
    ///
    /// `worker` of `workers`: which member of this process it is; `batch_records`: records per batch at most; `wanted`: what is handed
    /// over besides payloads. The runtime must be driven by threads of its own: methods wait for it.
    ///
    /// # Errors
    /// If a setting is refused.
    pub fn new(
        config: &Config,
        worker: usize,
        bound: Bound,
        batch_records: usize,
        wanted: Wanted,
        mut membership: Box<dyn Membership>,
        runtime: Handle,
    ) -> Result<Self, Error> {
        let client = Arc::new(Client::new(config, Purpose::Listen)?);
        let exchange = Arc::new(Exchange::new(batch_records, wanted));
        let woken = Arc::downgrade(&exchange);
        membership.begin(Arc::new(move || {
            if let Some(exchange) = woken.upgrade() {
                exchange.wake();
            }
        }));
        let background = vec![
            runtime.spawn(watcher::watch(Arc::clone(&client), Arc::clone(&exchange))).abort_handle(),
            runtime.spawn(prover::prove(Arc::clone(&client), Arc::clone(&exchange))).abort_handle(),
        ];
        Ok(EventHubsSource {
            topic: client.way.place.hub.as_str().into(),
            client,
            exchange,
            runtime,
            membership,
            worker,
            bound,
            prefetch: config.prefetch as usize,
            partitions: BTreeMap::new(),
            news: News::default(),
            generation: 0,
            background,
            has_left: false,
        })
    }

    /// Is the hub there, and may we read it? For `validate --online`, and for jobs that must not wait.
    ///
    /// # Errors
    /// As [`Questions::check`].
    pub fn check(config: &Config, timeout: Duration) -> Result<HubInfo, Error> {
        Questions::check(config, timeout)
    }

    fn asker(&self) -> Asker<'_> {
        Asker { client: &self.client, runtime: &self.runtime, timeout: TIMEOUT }
    }

    fn id(&self, index: u32) -> PartitionId {
        PartitionId { topic: Arc::clone(&self.topic), index }
    }

    fn of_hub(&self, partition: &PartitionId) -> Result<u32, Error> {
        if partition.topic == self.topic {
            Ok(partition.index)
        } else {
            Err(Error::NoPartition { partition: partition.clone() })
        }
    }

    fn mine(&mut self, partition: &PartitionId) -> Option<&mut Mine> {
        (partition.topic == self.topic).then(|| self.partitions.get_mut(&partition.index)).flatten()
    }

    /// The number of the claim. Whoever makes none only looks, and cuts off nobody.
    fn epoch(&self, index: u32) -> Option<u64> {
        self.partitions.get(&index)?.claim.as_ref().map(|claim| claim.number)
    }

    fn start_at(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        let index = partition.index;
        let client = Arc::clone(&self.client);
        let extent = self
            .asker()
            .ask_of(partition, "find a partition's events", || async { Ok(client.partition(index).await?.extent()) })?;
        extent.check(partition, position)?;
        self.generation += 1;
        let (generation, prefetch) = (self.generation, self.prefetch);
        let epoch = self.epoch(index);
        let is_bounded = self.bound == Bound::PresentEnd;
        let id = self.id(index);
        let Some(mine) = self.partitions.get_mut(&index) else { return Err(not_assigned(partition)) };
        let claim = mine.claim.as_ref().filter(|claim| claim.next == position);
        let offset = claim.and_then(|claim| claim.offset.clone());
        let bound = is_bounded.then(|| *mine.bound.get_or_insert(extent.high.0));

        let mut lane = Lane::new(id.clone(), generation, epoch, prefetch);
        lane.start(position.0, offset, extent, bound);
        let (looks, to_look) = mpsc::channel(1);
        let reader = Reader {
            client,
            exchange: Arc::clone(&self.exchange),
            id,
            generation,
            bell: Arc::clone(&lane.bell),
            looks: to_look,
        };
        self.exchange.lock().lanes.insert(index, lane);
        let task = self.runtime.spawn(reader.run()).abort_handle();
        mine.started = Some(Started { generation, task, looks });
        self.exchange.idle.notify_one();
        Ok(())
    }

    /// Asks the task that reads the partition to look at a record in its place.
    fn look(&self, partition: &PartitionId, position: i64, looks: mpsc::Sender<Look>) -> Result<Held, Error> {
        let over = || Failure::new(Class::Detached, "over", "the partition is not read any more");
        self.asker().ask_of(partition, "look at a record", || async {
            let (answer, answered) = oneshot::channel();
            looks.send(Look { position, answer }).await.map_err(|_| over())?;
            answered.await.map_err(|_| over())?
        })
    }
}

impl Source for EventHubsSource {
    fn poll(&mut self, wait: Duration) -> Result<Polled, Error> {
        let deadline = Instant::now() + wait;
        loop {
            self.serve()?;
            if let Some(news) = self.news.queue.pop_front() {
                return Ok(news);
            }
            if let Some(polled) = self.take()? {
                return Ok(polled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Polled::Idle);
            }
            self.exchange.wait(left.min(SLICE));
        }
    }

    fn claimed(&mut self, partition: &PartitionId, claim: Claim<'_>) {
        let Some(mine) = self.mine(partition) else { return };
        let Claim { number, next, offset } = claim;
        mine.claim = Some(Claimed { number, next, offset: offset.map(str::to_owned) });
    }

    fn resolve(&mut self, partition: &PartitionId, start: Start) -> Result<Position, Error> {
        let index = self.of_hub(partition)?;
        let epoch = self.epoch(index);
        let client = Arc::clone(&self.client);
        self.asker().ask_of(partition, "find where to start", || probe::resolve(&client, index, start, epoch))
    }

    fn start(&mut self, partition: &PartitionId, position: Position) -> Result<(), Error> {
        // Of a stay that was not told of yet nothing may be read.
        let is_news =
            |news: &Polled| matches!(news, Polled::Gained(told) | Polled::Lost(told) if told.contains(partition));
        if self.mine(partition).is_none() || self.news.queue.iter().any(is_news) {
            return Err(not_assigned(partition));
        }
        self.stop(partition);
        self.start_at(partition, position)
    }

    fn stop(&mut self, partition: &PartitionId) {
        if let Some(mine) = self.mine(partition) {
            mine.started = None;
            self.exchange.lock().lanes.remove(&partition.index);
        }
    }

    fn partitions(&mut self) -> Result<Option<u32>, Error> {
        let client = Arc::clone(&self.client);
        let facts = self.asker().ask("read the event hub", || client.hub())?;
        Ok(Some(facts.partitions()?))
    }

    fn extent(&mut self, partition: &PartitionId) -> Result<Option<Extent>, Error> {
        let index = self.of_hub(partition)?;
        let client = Arc::clone(&self.client);
        let facts = self.asker().ask_of(partition, "find a partition's events", || client.partition(index))?;
        Ok(Some(facts.extent()))
    }

    fn record_at(&mut self, partition: &PartitionId, position: Position) -> Result<Held, Error> {
        let index = self.of_hub(partition)?;
        let started = self.partitions.get(&index).and_then(|mine| mine.started.as_ref());
        if let Some(looks) = started.map(|started| started.looks.clone()) {
            return self.look(partition, position.0, looks);
        }
        let epoch = self.epoch(index);
        let client = Arc::clone(&self.client);
        self.asker().ask_of(partition, "look at a record", || async {
            probe::unless_refused(probe::record_at(&client, index, position.0, epoch).await)
        })
    }

    fn trouble(&self) -> Option<Trouble> {
        self.client.trouble()
    }

    fn lag(&self, partition: &PartitionId) -> Option<u64> {
        self.exchange.lock().lanes.get(&partition.index)?.lag
    }

    fn pause(&mut self, partition: &PartitionId) {
        if let Some(lane) = self.exchange.lock().lanes.get_mut(&partition.index) {
            lane.pause(true);
        }
    }

    fn resume(&mut self, partition: &PartitionId) {
        if let Some(lane) = self.exchange.lock().lanes.get_mut(&partition.index) {
            lane.pause(false);
        }
        self.exchange.idle.notify_one();
    }

    fn acknowledge(&mut self, partition: &PartitionId, position: Position, offset: Option<&str>) {
        if position.0 > 0 && self.mine(partition).is_some() {
            self.membership.acknowledge(partition.index, position.0 - 1, offset);
        }
    }

    fn leave(&mut self) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        self.partitions.clear();
        self.exchange.lock().lanes.clear();
        self.news.queue.clear();
        for task in &self.background {
            task.abort();
        }
        metrics::assigned(self.worker, 0);
        self.membership.leave();
        let client = Arc::clone(&self.client);
        let _ = self.runtime.block_on(async move { tokio::time::timeout(CLOSE_TIMEOUT, client.close()).await });
    }
}

impl Drop for EventHubsSource {
    fn drop(&mut self) {
        for task in &self.background {
            task.abort();
        }
    }
}

fn not_assigned(partition: &PartitionId) -> Error {
    Error::NotAssigned { partition: partition.clone() }
}

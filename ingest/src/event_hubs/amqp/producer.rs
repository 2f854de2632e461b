//! Writes records to a hub: for simulations, tests and benchmarks. Nothing is lost silently: what could not be delivered is
//! counted, and `flush` says so; what may have been delivered is sent again, so records can come twice.
//!
//! Records of one partition go together in batches, as Microsoft's clients write them, straight to the partition that the service
//! itself would choose for their key.

mod encode;
mod partition_key;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fe2o3_amqp::Sender;
use fe2o3_amqp::link::delivery::Sendable;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp_types::messaging::{Batch, Body, Data, Message, Outcome};
use serde_amqp::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use self::encode::SECTION_BYTES;
use super::asking::Asker;
use super::client::{Client, Purpose};
use super::error;
use super::failure::{Class, Failure, of_rejection};
use super::rpc::within;
use crate::Error;
use crate::event_hubs::config::Config;
use crate::event_hubs::jitter;

/// What marks a message as a batch of events to the service.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// Without a word of the service: what it takes in its smallest tier.
const BATCH_BYTES: usize = 256 * 1024;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// What a batch has around its events.
const FRAME_BYTES: usize = 1024;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long a batch is tried for, unless `flush` says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends records to the configuration's hub, in order within a partition.
pub struct Producer {
    client: Arc<Client>,
    runtime: Runtime,
    /// Empty until the first record asks how many there are.
    lanes: Vec<Option<Lane>>,
    /// Partitions that records without a key go to in turn.
    turn: usize,
    sent: u64,
    failed: u64,
    reason: Option<String>,
}

/// One record to send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'a> {
    /// Without one, the key decides.
    pub partition: Option<u32>,
    /// Text, as the service wants it.
    pub key: Option<&'a [u8]>,
    /// None for a tombstone.
    pub payload: Option<&'a [u8]>,
}

/// What waits for a partition.
struct Lane {
    index: usize,
    link: Option<Link>,
    events: Vec<Data>,
    bytes: usize,
    bytes_max: usize,
}

struct Link {
    sender: Sender,
    _session: SessionHandle<()>,
    connection: u64,
}

impl Producer {
    /// # Errors
    /// If a setting is refused. The service is contacted later.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let client = Arc::new(Client::new(config, Purpose::Send)?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("event-hubs-out")
            .enable_all()
            .build()
            .map_err(|error| failed("start a thread", error.to_string()))?;
        Ok(Producer { client, runtime, lanes: Vec::new(), turn: 0, sent: 0, failed: 0, reason: None })
    }

    /// How many partitions the hub has.
    ///
    /// # Errors
    /// If the service does not answer within `timeout`, or refuses.
    pub fn partitions(&mut self, timeout: Duration) -> Result<usize, Error> {
        if self.lanes.is_empty() {
            let asker = Asker { client: &self.client, runtime: self.runtime.handle(), timeout };
            let facts = asker.ask("read the event hub", || self.client.hub())?;
            self.lanes.extend((0..facts.partition_ids.len()).map(|index| Some(Lane::new(index))));
        }
        Ok(self.lanes.len())
    }

    /// Sends one record, or keeps it until there are enough for a batch; waits while a batch is on its way.
    ///
    /// # Errors
    /// If the record cannot be sent at all: its key is no text, it is too large, or there is no such partition.
    pub fn send(&mut self, record: Outgoing<'_>) -> Result<(), Error> {
        let partitions = self.partitions(PATIENCE)?;
        let key = record.key.map(std::str::from_utf8).transpose();
        let key = key.map_err(|_| failed("send a record", "its key is no text".into()))?;
        let index = match (record.partition, key) {
            (Some(index), _) => index as usize,
            (None, Some(key)) => partition_key::partition(key, partitions),
            (None, None) => {
                self.turn = (self.turn + 1) % partitions;
                self.turn
            }
        };
        self.keep(index, encode::event(key, record.payload))
    }

    /// Sends a message that somebody else encoded, with whatever properties and body.
    ///
    /// # Errors
    /// As `send`.
    pub fn send_encoded(&mut self, partition: u32, message: &[u8]) -> Result<(), Error> {
        self.partitions(PATIENCE)?;
        self.keep(partition as usize, message.to_vec())
    }

    fn keep(&mut self, index: usize, event: Vec<u8>) -> Result<(), Error> {
        let bytes = event.len() + SECTION_BYTES;
        let Some(Some(lane)) = self.lanes.get_mut(index) else {
            return Err(failed("send a record", format!("there is no partition {index}")));
        };
        if lane.bytes > 0 && lane.bytes + bytes > lane.bytes_max {
            self.deliver(&[index], PATIENCE);
        }
        let Some(Some(lane)) = self.lanes.get_mut(index) else { return Ok(()) };
        lane.events.push(Data(event.into()));
        lane.bytes += bytes;
        self.sent += 1;
        Ok(())
    }

    /// Waits until every record sent so far is in the hub. Returns how many were sent since the last flush.
    ///
    /// # Errors
    /// [`Error::Undelivered`] if some are not; they are forgotten then.
    pub fn flush(&mut self, timeout: Duration) -> Result<u64, Error> {
        let waiting = self.lanes.iter().flatten().filter(|lane| !lane.events.is_empty());
        let waiting: Vec<usize> = waiting.map(|lane| lane.index).collect();
        self.deliver(&waiting, timeout);
        let (sent, failed) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.failed));
        if failed > 0 {
            let reason = self.reason.take().unwrap_or_default();
            return Err(Error::Undelivered { failed, sent, reason });
        }
        Ok(sent)
    }

    /// All at once; in order within each.
    fn deliver(&mut self, indices: &[usize], timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let lanes: Vec<Lane> =
            indices.iter().filter_map(|index| self.lanes.get_mut(*index).and_then(Option::take)).collect();
        let client = &self.client;
        let delivered = self.runtime.block_on(async {
            let mut delivering = JoinSet::new();
            for lane in lanes {
                delivering.spawn(lane.deliver(Arc::clone(client), deadline));
            }
            delivering.join_all().await
        });
        for (lane, outcome) in delivered {
            if let Err((failed, reason)) = outcome {
                self.failed += failed;
                self.reason.get_or_insert(reason);
            }
            let index = lane.index;
            if let Some(place) = self.lanes.get_mut(index) {
                *place = Some(lane);
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        let client = Arc::clone(&self.client);
        self.runtime.block_on(async move { client.close().await });
    }
}

// === impl Lane ===

impl Lane {
    fn new(index: usize) -> Self {
        Lane { index, link: None, events: Vec::new(), bytes: 0, bytes_max: BATCH_BYTES - FRAME_BYTES }
    }

    /// Sends what waits, again and again until the service took it or the time is over: then says how many, and why.
    async fn deliver(mut self, client: Arc<Client>, deadline: Instant) -> (Self, Result<(), (u64, String)>) {
        let events = std::mem::take(&mut self.events);
        self.bytes = 0;
        let count = events.len() as u64;
        let body: Body<Value> = Body::Data(Batch::new(events));
        let message = Message::builder().body(body).build();
        let batch = Sendable { message, message_format: BATCH_FORMAT, settled: Some(false) };
        let timeout = client.way.patience.request;
        for attempt in 0.. {
            let sent = tokio::time::timeout_at(deadline.into(), self.send(&client, &batch, timeout)).await;
            let late = || Failure::new(Class::Detached, "late", "not sent in time");
            let Err(failure) = sent.unwrap_or_else(|_| Err(late())) else { break };
            if let Some(link) = self.link.take()
                && failure.breaks_connection()
            {
                client.abandon(link.connection, &failure).await;
            }
            let wait = jitter::back_off(attempt, RETRY_FIRST, RETRY_MAX);
            let verdict = client.verdict("send", &failure);
            if verdict.is_some() || Instant::now() + wait >= deadline {
                let reason = verdict.map_or(failure.reason, |error| error.to_string());
                return (self, Err((count, reason)));
            }
            tokio::time::sleep(wait).await;
        }
        (self, Ok(()))
    }

    async fn send(&mut self, client: &Client, batch: &Sendable<Body<Value>>, timeout: Duration) -> Result<(), Failure> {
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                let link = Link::attach(client, self.index).await?;
                // None is what 0 says.
                if let Some(limit) = link.sender.max_message_size().filter(|limit| *limit > 0) {
                    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(BATCH_BYTES_MAX);
                    self.bytes_max = limit.saturating_sub(FRAME_BYTES);
                }
                self.link.insert(link)
            }
        };
        match within(timeout, "send", async { Ok(link.sender.send_ref(batch).await?) }).await? {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(of_rejection(rejected.error.as_ref())),
            _ => Err(of_rejection(None)),
        }
    }
}

impl Link {
    async fn attach(client: &Client, index: usize) -> Result<Self, Failure> {
        let mut session = client.session().await?;
        let name = client.link_name(&format!("out-{index}"));
        let target = format!("{}/Partitions/{index}", client.way.place.hub);
        let attaching = async { Ok(Sender::builder().name(name).target(target).attach(&mut session.handle).await?) };
        let sender = client.attach(session.connection, attaching).await?;
        Ok(Link { sender, _session: session.handle, connection: session.connection })
    }
}

fn failed(action: &'static str, reason: String) -> Error {
    error::Error::Failed { action, reason }.into()
}

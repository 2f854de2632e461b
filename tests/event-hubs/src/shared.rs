//! What all connections share, and what commands do to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::connection::{Handle, Order};
use crate::faults::{Command, Faults};
use crate::frames::Refusal;
use crate::hub::{Hub, Hubs, Partition, Reader, lock};
use crate::message;
use crate::options::Options;

/// Events that `fill` appends at once.
const FILL_BATCH: usize = 1000;

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) hubs: Hubs,
    pub(crate) faults: Faults,
    connections: Mutex<BTreeMap<u64, Arc<Handle>>>,
    next_connection: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: Options, hubs: Hubs) -> Self {
        let (faults, connections) = (Faults::default(), Mutex::default());
        Self { options, hubs, faults, connections, next_connection: AtomicU64::new(1) }
    }

    pub(crate) fn connected(&self) -> Arc<Handle> {
        let handle = Arc::new(Handle::new(self.next_connection.fetch_add(1, Ordering::Relaxed)));
        lock(&self.connections).insert(handle.id(), Arc::clone(&handle));
        handle
    }

    pub(crate) fn disconnected(&self, handle: &Handle) {
        lock(&self.connections).remove(&handle.id());
    }

    /// Does what a command says; gives what it has to tell.
    pub(crate) fn apply(&self, command: Command) -> Result<Value, String> {
        match command {
            Command::Statistics => return Ok(self.statistics()),
            Command::Drop { connection } => return Ok(self.order(connection, || Order::Drop)),
            Command::HalfOpen { connection } => return Ok(self.order(connection, || Order::HalfOpen)),
            Command::Close { connection, condition, description } => {
                let why = fault(&condition, description);
                return Ok(self.order(connection, || Order::Close(why.clone())));
            }
            Command::End { connection, condition } => {
                let why = condition.map(|condition| fault(&condition, None));
                return Ok(self.order(connection, || Order::End(why.clone())));
            }
            Command::Detach { hub, partition, links, condition, description } => {
                let why = fault(&condition, description);
                let detach = || Order::Detach { hub: hub.clone(), partition, links, why: why.clone() };
                return Ok(self.order(None, detach));
            }
            Command::ExpireTokens => return Ok(self.order(None, || Order::ExpireTokens)),
            Command::Steal { hub, partition, group, epoch, seconds } => {
                return self.steal(&hub, partition, &group, epoch, seconds);
            }
            Command::Throttle { seconds } => self.faults.throttle(seconds),
            Command::RefuseTokens { seconds } => self.faults.refuse_tokens(seconds),
            Command::RefuseRights { seconds, but_management } => self.faults.refuse_rights(seconds, but_management),
            Command::Delay { milliseconds } => self.faults.set_delay(Duration::from_millis(milliseconds)),
            Command::Expire { hub, partition, before } => {
                let (_, partition) = self.partition(&hub, partition)?;
                partition.log().expire(before).map_err(|error| error.to_string())?;
            }
            Command::AddPartitions { hub, count } => {
                let hub = self.hubs.get(&hub).map_err(|refusal| refusal.description)?;
                hub.add_partitions(count).map_err(|error| error.to_string())?;
            }
            Command::Fill { hub, partition, count, bytes } => {
                let (_, partition) = self.partition(&hub, partition)?;
                fill(&partition, count, bytes)?;
            }
        }
        Ok(json!({}))
    }

    fn statistics(&self) -> Value {
        let connections: Vec<u64> = lock(&self.connections).keys().copied().collect();
        let hub = |hub: &Arc<Hub>| {
            let partitions: Vec<_> = hub.partitions().iter().map(|partition| partition.statistics()).collect();
            (hub.name.clone(), json!({ "partitions": partitions }))
        };
        let hubs: serde_json::Map<String, Value> = self.hubs.all().map(hub).collect();
        json!({ "connections": connections, "hubs": hubs })
    }

    /// To one connection or to all; tells how many got it.
    fn order(&self, connection: Option<u64>, order: impl Fn() -> Order) -> Value {
        let all = lock(&self.connections);
        let chosen = all.values().filter(|handle| connection.is_none_or(|id| handle.id() == id));
        json!({ "connections": chosen.map(|handle| handle.order(order())).count() })
    }

    fn partition(&self, hub: &str, partition: usize) -> Result<(Arc<Hub>, Arc<Partition>), String> {
        let found = self.hubs.get(hub).and_then(|hub| Ok((Arc::clone(&hub), hub.partition(&partition.to_string())?)));
        found.map_err(|refusal| refusal.description)
    }

    fn steal(
        &self,
        hub: &str,
        partition: usize,
        group: &str,
        epoch: Option<i64>,
        seconds: f64,
    ) -> Result<Value, String> {
        let (hub, partition) = self.partition(hub, partition)?;
        let group = hub.group(group).map_err(|refusal| refusal.description)?;
        let mut readers = partition.readers();
        let epoch =
            epoch.unwrap_or_else(|| readers.highest_epoch(&group).map_or(0, |highest| highest.saturating_add(1)));
        let thief = Arc::new(Reader {
            group,
            name: "thief".to_owned(),
            epoch: Some(epoch),
            connection: None,
            stolen: AtomicBool::new(false),
        });
        readers.admit(Arc::clone(&thief)).map_err(|refusal| refusal.description)?;
        drop(readers);
        let hold = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        if hold.is_zero() {
            partition.readers().leave(&thief);
        } else {
            tokio::spawn(async move {
                tokio::time::sleep(hold).await;
                partition.readers().leave(&thief);
            });
        }
        Ok(json!({ "epoch": epoch }))
    }
}

fn fault(condition: &str, description: Option<String>) -> Refusal {
    Refusal::new(condition, description.unwrap_or_else(|| "A fault that was asked for.".to_owned()))
}

fn fill(partition: &Partition, count: usize, bytes: usize) -> Result<(), String> {
    let event = message::plain_event(&vec![b'x'; bytes]);
    let mut left = count;
    while left > 0 {
        let batch = left.min(FILL_BATCH);
        let drafts: Result<Vec<_>, _> = (0..batch).map(|_| message::drafts(0, &event)).collect();
        let drafts: Vec<_> = drafts.map_err(|error| error.to_string())?.into_iter().flatten().collect();
        partition.append(&drafts).map_err(|error| error.to_string())?;
        left -= batch;
    }
    Ok(())
}

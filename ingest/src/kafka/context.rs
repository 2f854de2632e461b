//! What librdkafka tells us outside the stream of records: changes of the assignment, errors, its log, commit results.
//!
//! A rebalance is answered at once with *no* new partitions, so that the group never waits for our recovery and the
//! partitions that stay keep flowing; a gained partition is assigned later, with its position, when the pipeline starts
//! it. All callbacks run on the thread that polls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use serde::Deserialize;
use tracing::{debug, error, info, warn};

use super::quiet::Quiet;
use super::{Config, Tokens, errors, metrics};
use crate::Trouble;

/// Each worker has a consumer, and the brokers tell all of them the same.
static QUIET: LazyLock<Quiet> = LazyLock::new(Quiet::default);

/// A change of the assignment, in the order it came.
#[derive(Debug)]
pub(super) enum Change {
    Gained(Vec<i32>),
    Lost(Vec<i32>),
}

#[derive(Debug, Default)]
pub(super) struct Context {
    changes: Mutex<Vec<Change>>,
    /// The last reason that came with an error: the code alone says little.
    reason: Mutex<Option<String>>,
    /// Events that `poll` served without returning anything.
    served: AtomicU64,
    joined: AtomicBool,
    /// Since when no broker is connected.
    cut_off: Mutex<Option<Instant>>,
    /// What the group gave us, with its lag where that is known: others' lag is not ours to tell.
    ours: Mutex<BTreeMap<i32, Option<i64>>>,
    tokens: Tokens,
}

impl Context {
    pub(super) fn new(config: &Config) -> Self {
        Context { tokens: config.tokens.clone(), ..Context::default() }
    }

    pub(super) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut lock(&self.changes))
    }

    pub(super) fn last_reason(&self) -> Option<String> {
        lock(&self.reason).clone()
    }

    /// How many events were served so far: while it grows, there may be more.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether there ever was an assignment.
    pub(super) fn joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    /// These are ours without a group. Who names partitions has asked the brokers for the topic.
    pub(super) fn give(&self, partitions: Vec<i32>) {
        self.joined.store(true, Ordering::Relaxed);
        self.record(Change::Gained(partitions));
    }

    /// Counts an error that is retried, and logs it unless its kind was logged just now.
    pub(super) fn transient(&self, kind: &str, reason: &str) {
        metrics::broker_error(kind);
        if let Some(suppressed) = QUIET.admit(kind, Instant::now()) {
            warn!(kind, reason, suppressed, "broker error, retrying");
        }
    }

    // === Whether anybody is there ===

    /// No broker answers. How long that has been so is for others to judge.
    fn nobody_answers(&self, now: Instant) {
        lock(&self.cut_off).get_or_insert(now);
    }

    /// Some broker has answered.
    pub(super) fn somebody_answers(&self) {
        *lock(&self.cut_off) = None;
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        let since = (*lock(&self.cut_off))?;
        let reason = self.last_reason().unwrap_or_else(|| "no broker is connected".into());
        Some(Trouble { since, reason })
    }

    /// How many records of a partition of ours were not handed over, by the last statistics.
    pub(super) fn lag(&self, partition: i32) -> Option<i64> {
        lock(&self.ours).get(&partition).copied().flatten()
    }

    /// Partitions that are not ours any more have no lag here.
    pub(super) fn forget_all(&self) {
        std::mem::take(&mut *lock(&self.ours)).into_keys().for_each(metrics::forget);
    }

    fn record(&self, change: Change) {
        let mut ours = lock(&self.ours);
        match &change {
            Change::Gained(gained) => ours.extend(gained.iter().map(|partition| (*partition, None))),
            Change::Lost(lost) => {
                lost.iter().filter(|partition| ours.remove(partition).is_some()).for_each(metrics::forget);
            }
        }
        drop(ours);
        lock(&self.changes).push(change);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        // The group's own memory of positions serves lag displays only: losing a note of it in a rebalance is nothing to act on.
        // That a connection failed is an error too, and told as that.
        if matches!(level, RDKafkaLogLevel::Debug) || matches!(facility, "COMMITFAIL" | "FAIL") {
            debug!(target: "librdkafka", facility, "{message}");
            return;
        }
        let Some(suppressed) = QUIET.admit(facility, Instant::now()) else { return };
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, suppressed, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", facility, suppressed, "{message}");
            }
            _ => info!(target: "librdkafka", facility, suppressed, "{message}"),
        }
    }

    /// `poll` returns the error too, and there it is judged; only here it has its reason.
    fn error(&self, error: KafkaError, reason: &str) {
        // That all are down says less than why the last one is.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.nobody_answers(Instant::now());
        } else {
            *lock(&self.reason) = Some(reason.to_owned());
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.served.fetch_add(1, Ordering::Relaxed);
        self.tokens.token()
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.served.fetch_add(1, Ordering::Relaxed);
        if let Ok(statistics) = serde_json::from_slice::<Statistics>(statistics) {
            if statistics.is_connected() {
                self.somebody_answers();
            } else {
                self.nobody_answers(Instant::now());
            }
            let mut ours = lock(&self.ours);
            for (partition, records) in statistics.lags() {
                if let Some(lag) = ours.get_mut(&partition) {
                    *lag = Some(records);
                    metrics::lag(partition, records);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let indices: Vec<i32> = partitions.elements().iter().map(|element| element.partition()).collect();
        let is_eager = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Eager);
        let answered = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.joined.store(true, Ordering::Relaxed);
            metrics::rebalanced("gained");
            info!(partitions = ?indices, "partitions gained");
            let nothing = TopicPartitionList::new();
            let answered = if is_eager { consumer.assign(&nothing) } else { consumer.incremental_assign(&nothing) };
            self.record(Change::Gained(indices));
            answered
        } else {
            let kind = if consumer.assignment_lost() { "lost" } else { "revoked" };
            metrics::rebalanced(kind);
            info!(partitions = ?indices, kind, "partitions lost");
            let answered = if is_eager { consumer.unassign() } else { unassign(consumer, &indices) };
            self.record(Change::Lost(indices));
            answered
        };
        if let Err(error) = answered {
            self.transient("Rebalance", &error.to_string());
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.served.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = result {
            // Informational, so neither retried nor worth a warning; rebalances make some fail.
            let kind = error.rdkafka_error_code().map_or("Commit".into(), errors::name);
            metrics::broker_error(&kind);
            debug!(%error, "committing positions for lag displays failed");
        }
    }
}

/// Unassigns those of the partitions that are assigned: librdkafka refuses the list if it holds any other.
pub(super) fn unassign(consumer: &BaseConsumer<Context>, partitions: &[i32]) -> KafkaResult<()> {
    let partitions: BTreeSet<i32> = partitions.iter().copied().collect();
    let current = consumer.assignment()?;
    let mut leaving = TopicPartitionList::new();
    for element in current.elements().iter().filter(|element| partitions.contains(&element.partition())) {
        leaving.add_partition(element.topic(), element.partition());
    }
    consumer.incremental_unassign(&leaving)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Statistics ===

/// What we look at in librdkafka's statistics.
#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    brokers: BTreeMap<String, BrokerStatistics>,
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    state: String,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: BTreeMap<String, PartitionStatistics>,
}

/// Offsets are negative while they are not known.
#[derive(Deserialize)]
struct PartitionStatistics {
    partition: i32,
    /// The next one to be handed over.
    app_offset: i64,
    hi_offset: i64,
}

impl Statistics {
    /// Whether there is a connection to any broker that is good for requests.
    fn is_connected(&self) -> bool {
        self.brokers.values().any(|broker| matches!(broker.state.as_str(), "UP" | "UPDATE" | "REAUTH"))
    }

    /// The lag of all partitions, where it is known.
    fn lags(&self) -> impl Iterator<Item = (i32, i64)> {
        let partitions = self.topics.values().flat_map(|topic| topic.partitions.values());
        partitions
            .filter(|partition| partition.app_offset >= 0 && partition.hi_offset >= 0)
            .map(|partition| (partition.partition, (partition.hi_offset - partition.app_offset).max(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_there_from_the_first_sign_on_until_a_broker_is_connected() {
        let context = Context::default();
        let show = |state: &str| {
            let brokers = format!(r#"{{"h:1/1":{{"state":"{state}"}},"GroupCoordinator":{{"state":"DOWN"}}}}"#);
            context.stats_raw(format!(r#"{{"brokers":{brokers},"topics":{{}}}}"#).as_bytes());
            context.trouble()
        };
        assert_eq!(show("UP"), None);
        context.error(KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "connection refused");
        assert_eq!(context.trouble(), None, "of one broker");
        context.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        let trouble = context.trouble().unwrap();
        assert_eq!(trouble.reason, "connection refused");
        assert_eq!(show("TRY_CONNECT"), Some(trouble), "since then");
        assert_eq!(show("UP"), None);
        assert!(show("CONNECT").is_some());
        context.somebody_answers();
        assert_eq!(context.trouble(), None);
    }

    #[test]
    fn only_partitions_of_ours_have_a_lag() {
        let text = r#"{"topics":{"t":{"partitions":{
            "0":{"partition":0,"app_offset":5,"hi_offset":12},
            "1":{"partition":1,"app_offset":5,"hi_offset":9},
            "2":{"partition":2,"app_offset":-1001,"hi_offset":9},
            "3":{"partition":3,"app_offset":9,"hi_offset":8},
            "-1":{"partition":-1,"app_offset":-1001,"hi_offset":-1001}}}}}"#;
        let context = Context::default();
        let lags = || {
            context.stats_raw(text.as_bytes());
            [0, 1, 2, 3].map(|partition| context.lag(partition))
        };
        assert_eq!(lags(), [None; 4]);
        context.record(Change::Gained(vec![0, 1, 2, 3]));
        assert_eq!(lags(), [Some(7), Some(4), None, Some(0)]);
        context.record(Change::Lost(vec![1, 7]));
        assert_eq!(lags(), [Some(7), None, None, Some(0)]);
        context.forget_all();
        assert_eq!(lags(), [None; 4]);
    }
}

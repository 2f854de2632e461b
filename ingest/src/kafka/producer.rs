//! Writes records to a topic: for simulations, tests and benchmarks. Nothing is lost silently: what could not be
//! delivered is counted, and `flush` says so.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use tracing::{debug, warn};
use types::Micros;

use super::quiet::Quiet;
use super::{Config, Tokens, errors, settings};
use crate::Error;

/// What a partition of a topic made here holds at most.
const RETENTION_BYTES: &str = "1073741824";

/// Sends records to the configuration's topic, in order within a partition.
pub struct Producer {
    config: Config,
    producer: BaseProducer<Deliveries>,
    sent: u64,
}

impl Producer {
    /// # Errors
    /// If a setting is refused. Brokers are contacted later.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let producer = settings::producer(config)?
            .create_with_context(Deliveries { tokens: config.tokens.clone(), ..Deliveries::default() })
            .map_err(|error| errors::of_action(config, "start a producer", &error))?;
        Ok(Producer { config: config.clone(), producer, sent: 0 })
    }

    /// Creates the topic with a replication of one, its size bounded and not its age: brokers go by the records' own times,
    /// and would delete a simulated past within minutes. Returns whether it is new: one that exists is left as it is.
    ///
    /// # Errors
    /// If the brokers cannot be reached within `timeout`, or refuse.
    pub fn create_topic(&self, partitions: usize, timeout: Duration) -> Result<bool, Error> {
        let bounded_by_size = [("retention.ms", "-1"), ("retention.bytes", RETENTION_BYTES)];
        self.create_topic_with(partitions, &bounded_by_size, timeout)
    }

    /// The same with these settings of the topic and no others, such as `retention.ms`.
    ///
    /// # Errors
    /// As [`Producer::create_topic`].
    pub fn create_topic_with(
        &self,
        partitions: usize,
        settings_of_topic: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<bool, Error> {
        const ACTION: &str = "create the topic";
        let failed = |error: &KafkaError| self.failed(ACTION, error);
        let admin: AdminClient<Quieted> = settings::producer(&self.config)?
            .create_with_context(Quieted::default())
            .map_err(|error| failed(&error))?;
        let count = i32::try_from(partitions)
            .map_err(|_| Error::Setting { setting: "partitions".into(), reason: format!("cannot be {partitions}") })?;
        let mut topic = NewTopic::new(&self.config.topic, count, TopicReplication::Fixed(1));
        for (key, value) in settings_of_topic {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
        let outcomes =
            block_on(admin.create_topics([&topic], &options)).map_err(|error| match error.rdkafka_error_code() {
                // Of the client, not of a broker: there was none to ask.
                Some(RDKafkaErrorCode::OperationTimedOut) => {
                    failed(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown))
                }
                _ => failed(&error),
            })?;
        let is_new = match outcomes.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => false,
            Some(Err((_, code))) => return Err(failed(&KafkaError::Global(code))),
            Some(Ok(_)) | None => true,
        };
        self.wait_for_topic(partitions, timeout)?;
        Ok(is_new)
    }

    /// A topic is made before every broker knows of it: wait until it can be written to.
    fn wait_for_topic(&self, partitions: usize, timeout: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + timeout;
        loop {
            let found = super::check::topic_info(self.producer.client(), &self.config, Duration::from_millis(500));
            match found {
                Ok(info) if info.partitions >= partitions || Instant::now() >= deadline => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                // Serves the log and waits a moment.
                _ => {
                    self.producer.poll(Duration::from_millis(50));
                }
            }
        }
    }

    /// Sends one record; waits while the client's buffer is full. Without a partition the key decides (as Java's client
    /// does), without a time the client's clock; without a payload it is a tombstone.
    ///
    /// # Errors
    /// If the client refuses the record, or its buffer stays full for `message.timeout.ms`.
    pub fn send(&mut self, record: Outgoing<'_>) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(300);
        let deadline = Instant::now() + PATIENCE;
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.config.topic);
        message.key = record.key;
        message.payload = record.payload;
        message.partition = record.partition;
        message.timestamp = record.time.map(|time| time.div_euclid(1000));
        loop {
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    message = back;
                    self.producer.poll(Duration::from_millis(50));
                }
                Err((error, _)) => {
                    return Err(self.failed("send a record", &error));
                }
            }
        }
        self.sent += 1;
        // Delivery reports take room until they are served.
        if self.sent.is_multiple_of(1024) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until every record sent so far is in the topic. Returns how many were sent since the last flush.
    ///
    /// # Errors
    /// [`Error::Undelivered`] if some are not; they are forgotten then.
    pub fn flush(&mut self, timeout: Duration) -> Result<u64, Error> {
        let flushed = self.producer.flush(timeout);
        let deliveries = self.producer.context();
        let failed = deliveries.failed.swap(0, Ordering::Relaxed);
        let left = u64::try_from(self.producer.in_flight_count()).unwrap_or(0);
        let sent = std::mem::take(&mut self.sent);
        if failed + left > 0 || flushed.is_err() {
            let reason = self.last_reason().or(flushed.err().map(|error| error.to_string())).unwrap_or_default();
            return Err(Error::Undelivered { failed: failed + left, sent, reason });
        }
        Ok(sent)
    }

    fn failed(&self, action: &'static str, error: &KafkaError) -> Error {
        errors::with_reason(errors::of_action(&self.config, action, error), self.last_reason())
    }

    fn last_reason(&self) -> Option<String> {
        self.producer.context().quieted.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits for a future that a thread of librdkafka completes: an executor would be a dependency for ten lines.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut task::Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// One record to send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'a> {
    pub partition: Option<i32>,
    pub key: Option<&'a [u8]>,
    pub payload: Option<&'a [u8]>,
    pub time: Option<Micros>,
}

#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
    quieted: Quieted,
    tokens: Tokens,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.tokens.token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.quieted.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.quieted.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.quieted.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
        }
    }
}

/// Errors and the log of a client that is not a consumer.
#[derive(Default, Clone)]
struct Quieted {
    quiet: Arc<Quiet>,
    reason: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Quieted {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice) {
            debug!(target: "librdkafka", facility, "{message}");
        } else if let Some(suppressed) = self.quiet.admit(facility, Instant::now()) {
            warn!(target: "librdkafka", facility, suppressed, "{message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
        debug!(%error, reason, "producer error, retrying");
    }
}

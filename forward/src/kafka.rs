//! Events to a topic: keyed by device, acknowledged by all replicas in sync, in order within a partition.

mod settings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer};
use tracing::debug;

use crate::config::Kafka as Config;
use crate::event::CONTENT_TYPE;
use crate::{Error, Event, Failure, Receiver, Refusal};

const NAME: &str = "kafka";
/// Events on their way at once.
const BATCH: usize = 500;

/// The way to a topic.
pub struct Kafka {
    config: Config,
    is_local: bool,
    topic: String,
    /// What the client said last of its connections: a delivery that runs out of time does not say why.
    reason: Arc<Mutex<Option<String>>>,
    producer: Option<FutureProducer<Client>>,
}

#[derive(Clone)]
struct Client {
    reason: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Client {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
        debug!(%error, reason, "producer error, retrying");
    }
}

impl Kafka {
    /// # Errors
    /// If a setting is refused. Brokers are contacted later.
    pub fn new(config: &Config, is_local: bool) -> Result<Kafka, Error> {
        let topic = config.topic.clone().unwrap_or_default();
        let mut kafka = Kafka { config: config.clone(), is_local, topic, reason: Arc::default(), producer: None };
        kafka.producer = Some(kafka.start()?);
        Ok(kafka)
    }

    fn start(&self) -> Result<FutureProducer<Client>, Error> {
        let settings = settings::producer(&self.config, self.is_local)?;
        settings
            .create_with_context(Client { reason: Arc::clone(&self.reason) })
            .map_err(|error| self.unusable(error.to_string()))
    }

    /// Asks for the topic. Blocks for up to `timeout`.
    ///
    /// # Errors
    /// If the brokers do not answer, or do not have it.
    pub fn check(&self, timeout: Duration) -> Result<String, Error> {
        let producer = self.start()?;
        let metadata = producer.client().fetch_metadata(Some(&self.topic), timeout);
        let metadata = metadata.map_err(|error| self.unusable(self.explained(&error)))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        match topic.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty()) {
            Some(topic) => Ok(format!(
                "topic `{}` on `{}`, partitions: {}",
                self.topic,
                self.config.brokers,
                topic.partitions().len()
            )),
            None => Err(self.unusable(format!("topic `{}` does not exist on `{}`", self.topic, self.config.brokers))),
        }
    }

    /// Begun one after the other, and so in order; then waited for together.
    async fn deliver(&self, producer: &FutureProducer<Client>, events: &[Event]) -> Vec<Result<(), KafkaError>> {
        let mut begun = Vec::with_capacity(events.len());
        for event in events {
            let headers = OwnedHeaders::new().insert(Header { key: "content-type", value: Some(CONTENT_TYPE) });
            let record = FutureRecord::to(&self.topic).key(&event.device).payload(&event.body[..]).headers(headers);
            begun.push(producer.send_result(record).map_err(|(error, _)| error));
        }
        let outcome = |begun: Result<DeliveryFuture, KafkaError>| async move {
            match begun?.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err((error, _))) => Err(error),
                Err(_) => Err(KafkaError::Canceled),
            }
        };
        join_all(begun.into_iter().map(outcome)).await
    }

    fn unusable(&self, reason: String) -> Error {
        let hint = "check `forward.kafka.topic` and `forward.kafka.brokers`, that the brokers speak TLS or `forward.kafka.allow_plaintext` is \
                    set, and that credentials in `forward.kafka.properties` and `forward.kafka.secrets` may write to the topic";
        Error::Receiver { receiver: NAME, reason, hint: hint.to_owned() }
    }

    fn explained(&self, error: &KafkaError) -> String {
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("topic `{}` on `{}`: {error}{reason}", self.topic, self.config.brokers)
    }
}

impl Receiver for Kafka {
    fn name(&self) -> &'static str {
        NAME
    }

    fn batch(&self) -> usize {
        BATCH
    }

    async fn send(&mut self, events: &[Event]) -> Result<Vec<Refusal>, Failure> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.start().map_err(|error| Failure::stuck(error.to_string()))?,
        };
        let mut outcomes = self.deliver(&producer, events).await;
        for (outcome, event) in outcomes.iter_mut().zip(events) {
            // Of several in one request one may have been too large for all.
            if events.len() > 1 && outcome.as_ref().is_err_and(is_too_large) {
                *outcome = self.deliver(&producer, std::slice::from_ref(event)).await.remove(0);
            }
        }
        let (mut refusals, mut failed) = (Vec::new(), None);
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(()) => {}
                Err(error) if is_too_large(&error) => refusals.push(Refusal { index, reason: error.to_string() }),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        let is_dead = producer.client().fatal_error().is_some();
        let failure = failed.map(|error| Failure {
            reason: self.explained(&error),
            is_stuck: needs_somebody(&error),
            wait: None,
        });
        // After such an error a producer does nothing more: the next one is new.
        self.producer = Some(producer).filter(|_| !is_dead);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(refusals),
        }
    }
}

/// These bytes will never be taken.
fn is_too_large(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{InvalidMessageSize, InvalidRecord, MessageSizeTooLarge};
    matches!(error.rdkafka_error_code(), Some(MessageSizeTooLarge | InvalidMessageSize | InvalidRecord))
}

fn needs_somebody(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, SaslAuthenticationFailed, TopicAuthorizationFailed, UnknownTopic,
        UnknownTopicOrPartition,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            ClusterAuthorizationFailed
                | SaslAuthenticationFailed
                | TopicAuthorizationFailed
                | UnknownTopic
                | UnknownTopicOrPartition
        )
    )
}

//! Is the topic there, and may we read it? For `validate --online`, for jobs that must not wait, and at start.

use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::Context;
use super::{Config, errors, settings};
use crate::{Error, Kind};

/// What the brokers say of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    pub partitions: usize,
    pub brokers: usize,
}

/// Asks for the topic with the configuration's own credentials.
///
/// # Errors
/// Unreachable, wrong credentials, untrusted certificate, no such topic, no permission: each its own.
pub(super) fn check(config: &Config, timeout: Duration) -> Result<TopicInfo, Error> {
    let consumer: BaseConsumer<Context> = settings::inquirer(config)?
        .create_with_context(Context::new(config))
        .map_err(|error| errors::of_action(config, "start", &error))?;
    let deadline = Instant::now() + timeout;
    loop {
        // Errors of the connection come through `poll`, and say more than the question's own timeout.
        let slice = Duration::from_millis(500).min(timeout);
        let result = topic_info(consumer.client(), config, slice);
        while let Some(event) = consumer.poll(Duration::ZERO) {
            if let Err(error) = event {
                let failure = errors::of_action(config, "connect", &error);
                let failure = errors::explained(config, failure, consumer.context().last_reason());
                // Not what heals, such as an identity's endpoint that is away.
                if failure.kind() == Kind::Input {
                    return Err(failure);
                }
            }
        }
        match result {
            Err(Error::Unreachable { .. } | Error::Kafka { .. }) if Instant::now() < deadline => {}
            result => {
                return result.map_err(|error| errors::explained(config, error, consumer.context().last_reason()));
            }
        }
    }
}

pub(super) fn topic_info<C: ClientContext>(
    client: &Client<C>,
    config: &Config,
    timeout: Duration,
) -> Result<TopicInfo, Error> {
    let metadata = client
        .fetch_metadata(Some(&config.topic), timeout)
        .map_err(|error| errors::of_action(config, "read the topic's metadata", &error))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    let failure = match topic {
        Some(topic) => topic.error().map(RDKafkaErrorCode::from),
        None => Some(RDKafkaErrorCode::UnknownTopicOrPartition),
    };
    match (failure, topic) {
        (None, Some(topic)) if !topic.partitions().is_empty() => {
            Ok(TopicInfo { partitions: topic.partitions().len(), brokers: metadata.brokers().len() })
        }
        (failure, _) => {
            let error = KafkaError::MetadataFetch(failure.unwrap_or(RDKafkaErrorCode::UnknownTopicOrPartition));
            Err(errors::of_action(config, "read the topic's metadata", &error))
        }
    }
}

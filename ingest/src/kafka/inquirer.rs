//! Questions that the pipeline waits for, over connections of their own.
//!
//! On the consumer's connections an answer comes behind the fetches, which brokers hold back while they have nothing: to
//! take over many partitions would last as many fetches. Partitions are ours when they are asked about, so the group
//! let us in: whatever is refused now may be granted again, and is to be tried again. The client that looks at single
//! records names the group, since librdkafka assigns nothing without one; it never joins, and commits nothing.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;
use types::Position;

use super::context::Context;
use super::fetch::broker_time;
use super::{Config, check, errors, settings, sharing};
use crate::{Anchor, Error, Extent, Held, RawRecord, Sharing, Start};

/// What looking at a record is called in errors.
const LOOK: &str = "look at one record";
/// How long a question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the first try may take; each further one takes twice as long. Between them the client is served, which some
/// ways of authentication need.
const FIRST_TRY: Duration = Duration::from_millis(500);
/// The pause after a try, as a part of what the try may take: some failures come at once.
const PAUSE: u32 = 5;

/// A client without group and queues, made when it is first needed.
pub(super) struct Inquirer {
    config: Config,
    client: Option<BaseConsumer<Context>>,
    /// The one that looks at records.
    reader: Option<BaseConsumer<Context>>,
}

impl Inquirer {
    pub(super) fn new(config: Config) -> Self {
        Inquirer { config, client: None, reader: None }
    }

    /// The first position held and the one after the last, as the broker has them now.
    pub(super) fn extent(&mut self, index: i32) -> Result<Extent, Error> {
        let (low, high) = self.ask("ask where the partition ends", |client, topic, timeout| {
            client.fetch_watermarks(topic, index, timeout)
        })?;
        Ok(Extent { low: Position(low), high: Position(high) })
    }

    /// Turns a policy into a number, by what the partition holds.
    pub(super) fn resolve(&mut self, index: i32, start: Start, extent: Extent) -> Result<Position, Error> {
        Ok(match start {
            Start::Earliest => extent.low,
            Start::Latest => extent.high,
            Start::Time(micros) => self.position_at(index, micros)?.map_or(extent.high, Position),
        })
    }

    /// The first position whose record is not older than a time, if there is one.
    fn position_at(&mut self, index: i32, micros: i64) -> Result<Option<i64>, Error> {
        // The broker counts in milliseconds: the first one not before the time.
        let millis = micros.div_euclid(1000) + i64::from(micros.rem_euclid(1000) > 0);
        self.ask("look up a position by its time", |client, topic, timeout| {
            let mut times = TopicPartitionList::new();
            times.add_partition_offset(topic, index, Offset::Offset(millis.max(0)))?;
            let found = client.offsets_for_times(times, timeout)?;
            let Some(element) = found.find_partition(topic, index) else { return Ok(None) };
            element.error()?;
            Ok(match element.offset() {
                Offset::Offset(position) => Some(position),
                // No record is that young.
                _ => None,
            })
        })
    }

    /// How many partitions the topic has now.
    pub(super) fn partitions(&mut self) -> Result<u32, Error> {
        self.ask("ask how many partitions the topic has", |client, topic, timeout| {
            let metadata = client.fetch_metadata(Some(topic), timeout)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            match found.map(|found| (found.error(), found.partitions().len())) {
                Some((None, partitions)) if partitions > 0 => Ok(u32::try_from(partitions).unwrap_or(u32::MAX)),
                Some((Some(failure), _)) => Err(KafkaError::MetadataFetch(failure.into())),
                _ => Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition)),
            }
        })
    }

    /// How the group shares the topic at this moment.
    pub(super) fn sharing(&mut self) -> Result<Sharing, Error> {
        let group = self.config.group.clone();
        self.ask("ask how the group shares the topic", |client, topic, timeout| {
            Ok(sharing::of(&client.fetch_group_list(Some(&group), timeout)?, &group, topic))
        })
    }

    /// Whether the brokers say that there is no such topic. One that nobody answers for is not missing.
    pub(super) fn is_topic_missing(&mut self) -> bool {
        self.serve();
        let config = self.config.clone();
        let Ok(client) = self.client() else { return false };
        let answer = check::topic_info(client.client(), &config, FIRST_TRY * 4);
        matches!(answer, Err(Error::TopicMissing { .. }))
    }

    /// The record at exactly this position. Aborted, uncommitted and control records are none to a reader.
    pub(super) fn record_at(&mut self, index: i32, position: i64) -> Result<Held, Error> {
        // Negative numbers are names to the client: the beginning, the end.
        if position < 0 {
            return Ok(Held::Nothing);
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(connect(&self.config, settings::reader(&self.config)?)?),
        };
        let failed = |failure: &KafkaError| errors::of_question(&self.config, LOOK, failure);
        let mut one = TopicPartitionList::new();
        one.add_partition_offset(&self.config.topic, index, Offset::Offset(position))
            .map_err(|error| failed(&error))?;
        // What an earlier question left in the queues is out of date with this.
        reader.assign(&one).map_err(|error| failed(&error))?;
        let found = look(reader, index, position).map_err(|error| failed(&error));
        reader.unassign().map_err(|error| failed(&error))?;
        found
    }

    /// What the clients have to say is dropped: the consumer says the same of the same brokers.
    pub(super) fn serve(&self) {
        for client in self.client.iter().chain(&self.reader) {
            while client.poll(Duration::ZERO).is_some() {}
        }
    }

    fn client(&mut self) -> Result<&BaseConsumer<Context>, Error> {
        match &mut self.client {
            Some(client) => Ok(client),
            none => Ok(none.insert(connect(&self.config, settings::inquirer(&self.config)?)?)),
        }
    }

    fn ask<T>(
        &mut self,
        action: &'static str,
        question: impl Fn(&BaseConsumer<Context>, &str, Duration) -> KafkaResult<T>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + TIMEOUT;
        let mut timeout = FIRST_TRY;
        loop {
            self.serve();
            let topic = self.config.topic.clone();
            let failure = match question(self.client()?, &topic, timeout) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = timeout / PAUSE;
            timeout *= 2;
            if Instant::now() + timeout > deadline {
                return Err(errors::of_question(&self.config, action, &failure));
            }
            debug!(%failure, "{action}: trying again");
            thread::park_timeout(pause);
        }
    }
}

fn connect(config: &Config, mut settings: ClientConfig) -> Result<BaseConsumer<Context>, Error> {
    settings.set_log_level(RDKafkaLogLevel::Critical);
    let client = settings.create_with_context(Context::new(config));
    client.map_err(|error| errors::of_action(config, "start a client", &error))
}

/// Waits for the first thing that the partition has at the position or after it: there is nothing between.
fn look(reader: &BaseConsumer<Context>, index: i32, position: i64) -> KafkaResult<Held> {
    let deadline = Instant::now() + TIMEOUT;
    let mut failure = KafkaError::MessageConsumption(Code::OperationTimedOut);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(failure);
        }
        match reader.poll(left.min(FIRST_TRY)) {
            Some(Ok(message)) if message.partition() == index && message.offset() >= position => {
                let is_it = message.offset() == position;
                return Ok(if is_it { Held::Record(anchor(&message)) } else { Held::Nothing });
            }
            Some(Ok(_)) | None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(Held::Nothing),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => return Ok(Held::Nothing),
                Some(Code::UnknownPartition | Code::UnknownTopic | Code::UnknownTopicOrPartition) => return Err(error),
                // Brokers that are away for a moment: the client goes on by itself.
                _ => failure = error,
            },
        }
    }
}

fn anchor(message: &BorrowedMessage<'_>) -> Anchor {
    Anchor::of(&RawRecord {
        position: message.offset(),
        broker_time: message.timestamp().to_millis().and_then(broker_time),
        key: message.key().unwrap_or_default(),
        payload: message.payload(),
    })
}

//! Questions that the pipeline waits for, over connections of their own.
//!
//! On the consumer's connections an answer comes behind the fetches, which brokers hold back while they have nothing: to
//! take over many partitions would last as many fetches. Partitions are ours when they are asked about, so the group
//! let us in: whatever is refused now may be granted again, and is to be tried again.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::debug;

use super::context::Context;
use super::{Config, errors, settings};
use crate::Error;

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
}

impl Inquirer {
    pub(super) fn new(config: Config) -> Self {
        Inquirer { config, client: None }
    }

    /// The first position held and the one after the last, as the broker has them now.
    pub(super) fn watermarks(&mut self, index: i32) -> Result<(i64, i64), Error> {
        self.ask("ask where the partition ends", |client, topic, timeout| {
            client.fetch_watermarks(topic, index, timeout)
        })
    }

    /// The first position whose record is not older than a time, if there is one.
    pub(super) fn position_at(&mut self, index: i32, micros: i64) -> Result<Option<i64>, Error> {
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

    /// What the client has to say is dropped: the consumer says the same of the same brokers.
    pub(super) fn serve(&self) {
        if let Some(client) = &self.client {
            while client.poll(Duration::ZERO).is_some() {}
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
            let client = match &mut self.client {
                Some(client) => client,
                none => none.insert(connect(&self.config)?),
            };
            let failure = match question(client, &self.config.topic, timeout) {
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

fn connect(config: &Config) -> Result<BaseConsumer<Context>, Error> {
    let mut settings = settings::inquirer(config)?;
    settings.set_log_level(RDKafkaLogLevel::Critical);
    let client = settings.create_with_context(Context::default());
    client.map_err(|error| errors::of_action(config, "start a client", &error))
}

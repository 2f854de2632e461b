//! Asks brokers, on a thread of its own, where partitions end now and whether the topic is still the one that was read: a
//! thread that polls must not wait for an answer.
//!
//! The thread's first act is to look for the topic, so that a wrong address or name is told within seconds.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::{error, info};

use super::context::Context;
use super::inquirer::Inquirer;
use super::watch::{Difference, Past};
use super::{Config, check, errors};
use crate::Error;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A partition that seems to be at its end: everything before `end` was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtEnd {
    pub partition: i32,
    pub generation: u64,
    pub end: i64,
}

/// What is asked.
pub(super) enum Question {
    Ends(Vec<AtEnd>),
    Past(Past),
    Topic,
}

/// What came back.
pub(super) enum Answer {
    /// Those whose end was confirmed by a broker asked after the question was put.
    Confirmed(Vec<AtEnd>),
    /// What contradicts what was read, if anything does.
    Past(Past, Option<Difference>),
    Topic {
        is_missing: bool,
    },
    /// The topic cannot be read; waiting does not help. The only answer without a question.
    Unusable(Error),
}

/// The thread and the one question it may be busy with.
pub(super) struct Watermarks {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
    is_busy: bool,
    thread: JoinHandle<()>,
}

impl Watermarks {
    pub(super) fn spawn(consumer: Arc<BaseConsumer<Context>>, config: Config, worker: usize) -> std::io::Result<Self> {
        let (questions, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(2);
        let thread = thread::Builder::new().name(format!("watermarks-{worker}")).spawn(move || {
            if let Some(error) = look_for_topic(&consumer, &config) {
                let _ = answer.try_send(Answer::Unusable(error));
            }
            let mut inquirer = Inquirer::new(config.clone());
            for question in asked {
                let found = match question {
                    Question::Ends(ends) => Answer::Confirmed(confirm(&consumer, &config.topic, ends)),
                    Question::Past(past) => Answer::Past(past, past.contradiction(&mut inquirer)),
                    Question::Topic => Answer::Topic { is_missing: inquirer.is_topic_missing() },
                };
                if answer.send(found).is_err() {
                    break;
                }
            }
        })?;
        Ok(Watermarks { questions, answers, is_busy: false, thread })
    }

    /// Whether the last question is still open.
    pub(super) fn is_busy(&self) -> bool {
        self.is_busy
    }

    pub(super) fn ask(&mut self, question: Question) {
        self.is_busy = self.questions.try_send(question).is_ok();
    }

    pub(super) fn answer(&mut self) -> Option<Answer> {
        match self.answers.try_recv() {
            Ok(answer) => {
                if !matches!(answer, Answer::Unusable(_)) {
                    self.is_busy = false;
                }
                Some(answer)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// Ends the thread, waiting for a question under way.
    pub(super) fn join(self) {
        drop(self.questions);
        drop(self.answers);
        let _ = self.thread.join();
    }
}

/// Logs what is wrong; only what waiting cannot heal comes back.
fn look_for_topic(consumer: &BaseConsumer<Context>, config: &Config) -> Option<Error> {
    let found = check::topic_info(consumer.client(), config, TIMEOUT);
    match found.map_err(|error| errors::with_reason(error, consumer.context().last_reason())) {
        Ok(topic) => {
            info!(topic = config.topic, partitions = topic.partitions, "topic found");
            None
        }
        Err(failure @ Error::Unreachable { .. }) => {
            error!(hint = failure.hint(), "{failure}; retrying");
            None
        }
        Err(failure @ Error::Kafka { .. }) => {
            consumer.context().transient("Metadata", &failure.to_string());
            None
        }
        Err(failure) => Some(failure),
    }
}

fn confirm(consumer: &BaseConsumer<Context>, topic: &str, question: Vec<AtEnd>) -> Vec<AtEnd> {
    let mut ends = TopicPartitionList::with_capacity(question.len());
    for partition in &question {
        // The protocol's "latest" in place of a time; one request serves all partitions of a broker, and honours the
        // isolation level.
        if ends.add_partition_offset(topic, partition.partition, Offset::End).is_err() {
            return Vec::new();
        }
    }
    match consumer.offsets_for_times(ends, TIMEOUT) {
        Ok(ends) => question
            .into_iter()
            .filter(|asked| {
                ends.find_partition(topic, asked.partition)
                    .is_some_and(|found| found.error().is_ok() && found.offset() == Offset::Offset(asked.end))
            })
            .collect(),
        Err(error) => {
            consumer.context().transient("Watermarks", &error.to_string());
            Vec::new()
        }
    }
}

//! What is asked of the broker besides records: whether an end is the end, and whether the topic is still the one that was read.

use std::time::Instant;

use rdkafka::consumer::Consumer;
use types::Position;

use super::KafkaSource;
use crate::kafka::watermarks::{Answer, AtEnd, Question, Watermarks};
use crate::{Error, Polled};

impl KafkaSource {
    /// Tells of ends that were confirmed, and of a topic that is not the one that was read.
    pub(super) fn hear_answers(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        while let Some(answer) = self.watermarks.as_mut().and_then(Watermarks::answer) {
            match answer {
                Answer::Confirmed(ends) => {
                    if !ends.is_empty() {
                        self.consumer.context().somebody_answers();
                    }
                    ends.iter().for_each(|end| self.confirm(end, now));
                }
                Answer::Past(past, difference) => {
                    let Some(partition) = self.partitions.iter_mut().find(|found| found.is_of(&past)) else { continue };
                    let Some(difference) = difference else {
                        partition.looked(&past, now);
                        continue;
                    };
                    let error = difference.error(partition.id.clone(), past.read);
                    return Err(self.set_aside(error));
                }
                Answer::Topic { is_missing } => {
                    let is_missing = is_missing && self.consumer.context().joined();
                    if self.absence.answered(is_missing, now) {
                        let (topic, brokers) = (self.config.topic.clone(), self.config.brokers.clone());
                        return Err(Error::TopicGone { topic, brokers });
                    }
                }
                Answer::Unusable(_) if self.consumer.context().joined() => {}
                Answer::Unusable(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn confirm(&mut self, end: &AtEnd, now: Instant) {
        let found = self.partitions.iter_mut().find(|found| found.index() == end.partition);
        if let Some(partition) = found
            && partition.confirm(end, now)
        {
            let (partition, position) = (partition.id.clone(), Position(end.end));
            self.news.queue.push_back(Polled::CaughtUp { partition, position });
        }
    }

    /// Puts the next question, if the last one is answered: about ends and about the rest by turns.
    pub(super) fn ask(&mut self) {
        let Some(watermarks) = self.watermarks.as_mut().filter(|watermarks| !watermarks.is_busy()) else { return };
        let now = Instant::now();
        self.asks_ends = !self.asks_ends;
        if self.asks_ends {
            let ends: Vec<_> = self.partitions.iter().filter_map(|partition| partition.question(now)).collect();
            if !ends.is_empty() {
                watermarks.ask(Question::Ends(ends));
            }
        } else if self.absence.is_due(now) {
            self.absence.asked(now);
            watermarks.ask(Question::Topic);
        } else if let Some(past) = self.partitions.iter_mut().find_map(|partition| partition.past(now)) {
            watermarks.ask(Question::Past(past));
        }
    }
}

//! The fetch queue: records into the batches of their partitions, failures to be judged one by one; and the assignment, of
//! which partitions they come.

use std::time::Duration;

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use types::{PartitionId, Position};

use super::KafkaSource;
use crate::kafka::fetch::Fetched;
use crate::kafka::partition::Phase;
use crate::kafka::{context, header};
use crate::{Error, Kind, Source, TraceContext};

/// A batch that is damaged, or of a kind that the client does not know. It is passed over by the client, silently but for this, and may
/// be whole when it is fetched again.
fn is_unreadable(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::NotImplemented)
}

fn interrupted(partition: PartitionId, reason: String) -> Error {
    Error::Interrupted { partition, reason }
}

impl KafkaSource {
    /// Takes what the fetch queue holds, up to a batch; waits for the first message.
    pub(super) fn fetch(&mut self, wait: Duration) -> Result<(), Error> {
        let mut failures: Vec<(i32, RDKafkaErrorCode)> = Vec::new();
        let (partitions, names, traces) = (&mut self.partitions, self.names.as_ref(), self.traces);
        let capacity = self.batch_records.div_ceil(partitions.len().max(1));
        // Messages come in runs of one partition, so the last one found is mostly the next one sought.
        let mut last = (-1, 0);
        let mut visit = |index: i32, fetched: Fetched<'_>| {
            if last.0 != index {
                let Some(found) = partitions.iter().position(|partition| partition.index() == index) else {
                    return;
                };
                last = (index, found);
            }
            let partition = &mut partitions[last.1];
            match fetched {
                Fetched::Record(record, headers) => {
                    match names {
                        None => partition.take(record, None, capacity),
                        Some(names) => names
                            .read(|name| headers.first(name), |given| partition.take(record, Some(given), capacity)),
                    }
                    if traces && partition.wants_trace() {
                        partition.note_trace(TraceContext::find(|name| header::text(headers.first(name)?)));
                    }
                }
                Fetched::End(position) => partition.reach_end(position),
                Fetched::Failed(code) => {
                    if is_unreadable(code) {
                        partition.interrupt();
                    }
                    failures.push((index, code));
                }
            }
        };
        self.fetch.drain(self.batch_records, wait, &mut visit);
        self.failures.extend(failures);
        Ok(())
    }

    /// One failure a poll: each names a partition of its own.
    pub(super) fn judge_failures(&mut self) -> Result<(), Error> {
        while let Some((index, code)) = self.failures.pop_front() {
            self.fetch_failed(index, code).map_err(|error| self.set_aside(error))?;
        }
        Ok(())
    }

    /// A partition whose positions mean nothing any more waits for a new start.
    pub(super) fn set_aside(&mut self, error: Error) -> Error {
        if let Some(partition) = error.misplaced() {
            self.stop(&partition.clone());
        }
        error
    }

    fn fetch_failed(&mut self, index: i32, code: RDKafkaErrorCode) -> Result<(), Error> {
        let Some(partition) = self.partitions.iter().find(|partition| partition.index() == index) else {
            return Ok(());
        };
        if matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) {
            let (id, position) = (partition.id.clone(), Position(partition.next()));
            // A leader that has no answer now is asked by the next start.
            let extent = match self.inquirer.extent(index) {
                Err(error) if error.kind() == Kind::Retry => return Err(interrupted(id, error.to_string())),
                extent => extent?,
            };
            extent.check(&id, position)?;
            return Err(interrupted(id, format!("the broker calls position {position} out of range")));
        }
        if is_unreadable(code) && partition.phase == Phase::Started {
            let reason = format!("what comes after position {} cannot be read: {code}", partition.next());
            return Err(interrupted(partition.id.clone(), reason));
        }
        self.judge(&KafkaError::MessageConsumption(code))
    }

    // === Assignment ===

    /// Assigns one more partition at its position.
    pub(super) fn assign(&self, index: i32, position: i64) -> KafkaResult<()> {
        self.fetch.forward(&self.topic, index);
        if !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager) {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&self.topic, index, Offset::Offset(position))?;
            return self.consumer.incremental_assign(&list);
        }
        self.assign_started()
    }

    /// The eager protocol knows only whole assignments: names all, each where it stands.
    fn assign_started(&self) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for partition in self.partitions.iter().filter(|partition| partition.phase == Phase::Started) {
            list.add_partition_offset(&self.topic, partition.index(), Offset::Offset(partition.next()))?;
        }
        self.consumer.assign(&list)
    }

    /// Takes a partition that is not started any more out of the assignment. What the client holds of it is out of date
    /// when this returns, and never comes out of a queue.
    pub(super) fn unassign(&self, index: i32) -> KafkaResult<()> {
        if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Eager) {
            return self.assign_started();
        }
        context::unassign(&self.consumer, &[index])
    }
}

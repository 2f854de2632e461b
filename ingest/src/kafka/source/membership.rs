//! The consumer's own queue: rebalances, errors, the log; and leaving the group.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use tracing::warn;
use types::PartitionId;

use super::{KafkaSource, SLICE};
use crate::kafka::context::Change;
use crate::kafka::errors::{self, Verdict};
use crate::kafka::fetch::broker_time;
use crate::kafka::metrics;
use crate::kafka::partition::Partition;
use crate::{Error, RawRecord};

/// How long leaving the group may take before it is left to a thread nobody waits for.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(3500);

impl KafkaSource {
    /// Serves the consumer's queue: rebalances, errors, the log.
    pub(super) fn serve(&mut self) -> Result<(), Error> {
        let consumer = Arc::clone(&self.consumer);
        for _ in 0..self.batch_records {
            let served = consumer.context().served();
            match consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => self.take_stray(&message),
                // It says no offset, so it proves nothing; the end is reported anew after the next record.
                Some(Err(KafkaError::PartitionEOF(index))) => self.fetch.forward(&self.topic, index),
                Some(Err(error)) => self.judge(&error)?,
                None if consumer.context().served() != served => {}
                None => break,
            }
        }
        for change in consumer.context().take_changes() {
            self.apply(change);
        }
        Ok(())
    }

    /// A record that came through the consumer's queue, since librdkafka had not heard of the forwarding yet. It is older
    /// than all that will come through the fetch queue, which is read after this one.
    fn take_stray(&mut self, message: &impl Message) {
        self.fetch.forward(&self.topic, message.partition());
        let record = RawRecord {
            position: message.offset(),
            broker_time: message.timestamp().to_millis().and_then(broker_time),
            key: message.key().unwrap_or_default(),
            payload: message.payload(),
        };
        if let Some(partition) = self.partitions.iter_mut().find(|found| found.index() == message.partition()) {
            match &self.names {
                None => partition.take(record, None, 1),
                Some(names) => {
                    let first = |name: &CStr| {
                        let found = message.headers()?.iter().find(|header| header.key.as_bytes() == name.to_bytes());
                        found.and_then(|header| header.value)
                    };
                    names.read(first, |given| partition.take(record, Some(given), 1));
                }
            }
        }
    }

    pub(super) fn judge(&self, error: &KafkaError) -> Result<(), Error> {
        let context = self.consumer.context();
        let reason = context.last_reason().unwrap_or_else(|| error.to_string());
        let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let Some(code) = error.rdkafka_error_code() else {
            context.transient("Other", &reason);
            return Ok(());
        };
        match errors::judge(&self.config, code, &reason, is_fatal, context.joined()) {
            Verdict::Transient => {
                context.transient(&errors::name(code), &reason);
                Ok(())
            }
            Verdict::Final(error) => Err(error),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Gained(indices) => {
                let mut gained = Vec::with_capacity(indices.len());
                for index in indices {
                    if self.partitions.iter().any(|partition| partition.index() == index) {
                        continue;
                    }
                    let id = PartitionId { topic: Arc::clone(&self.topic), index: index.cast_unsigned() };
                    self.partitions.push(Partition::new(id.clone()));
                    gained.push(id);
                }
                // Every rebalance ends here, with what is new.
                self.news.gained(gained, self.partitions.is_empty());
            }
            Change::Lost(indices) => {
                let mut lost = Vec::with_capacity(indices.len());
                self.partitions.retain(|partition| {
                    let stays = !indices.contains(&partition.index());
                    if !stays {
                        metrics::stray(partition.strays);
                        lost.push(partition.id.clone());
                    }
                    stays
                });
                self.failures.retain(|(failed, _)| !indices.contains(failed));
                for index in &indices {
                    self.bounds.remove(index);
                    self.acknowledged.remove(index);
                }
                self.news.lost(lost);
            }
        }
        metrics::assigned(self.worker, self.partitions.len());
    }

    /// Leaves in the background, within a bound.
    pub(super) fn leave_group(&mut self) {
        let Some(watermarks) = self.watermarks.take() else { return };
        self.commit();
        self.partitions.clear();
        self.failures.clear();
        self.news.queue.clear();
        metrics::assigned(self.worker, 0);
        self.consumer.context().forget_all();
        // Closing says goodbye, unless the member has a name of its own and finds its partitions when it comes back. To
        // unsubscribe first would be worse than needless: of a consumer that is closed while it gives partitions up, librdkafka
        // 2.12 forgets the goodbye (`rd_kafka_cgrp_incr_unassign_done`), and the group misses it for a session timeout.
        // The consumer itself closes when its last owner is gone, which this thread is not: closing waits for brokers.
        let consumer = Arc::clone(&self.consumer);
        let (done, left) = sync_channel::<()>(1);
        let closing = thread::Builder::new().name(format!("leave-{}", self.worker)).spawn(move || {
            watermarks.join();
            let deadline = Instant::now() + LEAVE_TIMEOUT;
            let _ = consumer.close_queue();
            // Serves the revocation that closing asks for.
            while Instant::now() < deadline && !consumer.closed() {
                consumer.poll(SLICE);
            }
            let _ = done.send(());
        });
        if closing.is_err() || left.recv_timeout(LEAVE_TIMEOUT).is_err() {
            warn!(worker = self.worker, "leaving the group takes long: the session timeout will do it");
        }
    }
}

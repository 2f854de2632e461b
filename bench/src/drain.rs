//! The baseline: librdkafka's batch interface with the product's client settings, every record thrown away.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::bindings as sys;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PARTITIONS: i32 = 8;
const BATCH: usize = 4096;
/// A broker that is silent for so long has no more records.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn drain(brokers: &str, topic: &str, events: u64) -> anyhow::Result<()> {
    let mut client = ClientConfig::new();
    // As the product's source sets them.
    for (key, value) in [
        ("bootstrap.servers", brokers),
        ("group.id", "bare-drain"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("check.crcs", "true"),
        ("queued.max.messages.kbytes", "24576"),
        ("queued.min.messages", "200000"),
        ("fetch.max.bytes", "8388608"),
        ("max.partition.fetch.bytes", "1048576"),
        ("fetch.min.bytes", "65536"),
        ("fetch.wait.max.ms", "100"),
    ] {
        client.set(key, value);
    }
    let consumer: BaseConsumer = client.create().context("start a consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).context("choose the partitions")?;
    }
    consumer.assign(&list).context("take the partitions")?;

    let mut messages = vec![std::ptr::null_mut::<sys::rd_kafka_message_t>(); BATCH];
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let mut last = Instant::now();
    // SAFETY: the queue is a reference of our own, given back below; the consumer outlives it.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    while count < events && last.elapsed() < PATIENCE {
        // SAFETY: the queue is alive and the buffer holds `BATCH` pointers.
        let filled = unsafe { sys::rd_kafka_consume_batch_queue(queue, 1000, messages.as_mut_ptr(), BATCH) };
        for message in messages.iter().take(usize::try_from(filled).unwrap_or(0)) {
            // SAFETY: librdkafka filled this slot; the message is ours until destroyed, which happens once.
            unsafe {
                if RDKafkaErrorCode::from((**message).err) == RDKafkaErrorCode::NoError {
                    count += 1;
                    bytes += (**message).len as u64;
                }
                sys::rd_kafka_message_destroy(*message);
            }
            last = Instant::now();
        }
    }
    // SAFETY: the reference taken above, once.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    if count < events {
        bail!("{count} records of {events} came");
    }
    println!("{count} records, {bytes} bytes");
    Ok(())
}

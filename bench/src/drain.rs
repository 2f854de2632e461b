//! The baselines: librdkafka's batch interface, every record thrown away, or parsed by a general library and then thrown away.
#![allow(unsafe_code)]

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rdkafka::bindings as sys;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::steady::Steady;

const PARTITIONS: i32 = 8;
const BATCH: usize = 4096;
/// A broker that is silent for so long has no more records.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// With the product's settings of the client.
    Bare,
    /// Without checksums, with large queues: what others measure.
    Loose,
    /// Bare, and each record is parsed by `serde_json` into borrowed fields.
    Parse,
}

/// What the loose drain sets in place of the product's suggestions.
const LOOSE: [(&str, &str); 6] = [
    ("check.crcs", "false"),
    ("queued.max.messages.kbytes", "262144"),
    ("queued.min.messages", "1000000"),
    ("fetch.message.max.bytes", "4194304"),
    ("fetch.min.bytes", "100000"),
    ("fetch.queue.backoff.ms", "10"),
];

#[derive(Deserialize)]
struct Reading<'a> {
    device: &'a str,
    sensor: &'a str,
    ts: &'a str,
    value: f64,
}

/// Reads so many records, and says in a last line how fast.
pub(crate) fn drain(brokers: &str, topic: &str, events: u64, kind: Kind) -> anyhow::Result<()> {
    let consumer = consumer(brokers, topic, kind)?;
    let mut messages = vec![std::ptr::null_mut::<sys::rd_kafka_message_t>(); BATCH];
    let (mut count, mut bytes, mut readings, mut sum) = (0_u64, 0_u64, 0_u64, 0.0);
    let begun = Instant::now();
    let (mut last, mut steady) = (begun, Steady::new(events));
    // SAFETY: the queue is a reference of our own, given back below; the consumer outlives it.
    let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    while count < events && last.elapsed() < PATIENCE {
        // SAFETY: the queue is alive and the buffer holds `BATCH` pointers.
        let filled = unsafe { sys::rd_kafka_consume_batch_queue(queue, 1000, messages.as_mut_ptr(), BATCH) };
        for message in messages.iter().take(usize::try_from(filled).unwrap_or(0)) {
            // SAFETY: librdkafka filled this slot; the message is ours until destroyed, which happens once, after the last
            // use of its payload. A payload is `len` bytes, or null with none.
            unsafe {
                if RDKafkaErrorCode::from((**message).err) == RDKafkaErrorCode::NoError {
                    count += 1;
                    bytes += (**message).len as u64;
                    if kind == Kind::Parse && !(**message).payload.is_null() {
                        let payload = std::slice::from_raw_parts((**message).payload.cast::<u8>(), (**message).len);
                        if let Ok(reading) = serde_json::from_slice::<Reading<'_>>(payload) {
                            readings += 1;
                            sum +=
                                reading.value + (reading.device.len() + reading.sensor.len() + reading.ts.len()) as f64;
                        }
                    }
                }
                sys::rd_kafka_message_destroy(*message);
            }
            last = Instant::now();
        }
        steady.saw(count, begun.elapsed());
    }
    // SAFETY: the reference taken above, once.
    unsafe { sys::rd_kafka_queue_destroy(queue) };
    if count < events {
        bail!("{count} records of {events} came");
    }
    let steady = steady.rate();
    let said = serde_json::json!({
        "records": count, "bytes": bytes, "readings": readings, "sum": sum, "steady_events_per_s": steady,
    });
    println!("{said}");
    Ok(())
}

fn consumer(brokers: &str, topic: &str, kind: Kind) -> anyhow::Result<BaseConsumer> {
    let mut client = ClientConfig::new();
    for (key, value) in [
        ("bootstrap.servers", brokers),
        ("group.id", "bare-drain"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("fetch.wait.max.ms", "100"),
        ("check.crcs", "true"),
    ] {
        client.set(key, value);
    }
    let settings = if kind == Kind::Loose { &LOOSE[..] } else { &ingest::kafka::SUGGESTED[..] };
    settings.iter().for_each(|(key, value)| _ = client.set(*key, *value));
    let consumer: BaseConsumer = client.create().context("start a consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).context("choose the partitions")?;
    }
    consumer.assign(&list).context("take the partitions")?;
    Ok(consumer)
}

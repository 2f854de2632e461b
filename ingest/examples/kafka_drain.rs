//! How fast is the Kafka source? Fills a topic once, then drains it: through the source, and through librdkafka's
//! `BaseConsumer::poll` with the same settings, in turns.
//!
//! `cargo run --release -p atalaia-ingest --example kafka_drain -- HOST:PORT [RECORDS] [BATCH]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest::kafka::{Config, KafkaSource, Outgoing, Producer};
use ingest::{Bound, Polled, Source, Start};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PARTITIONS: i32 = 8;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().expect("the broker's address");
    let records: u64 = arguments.next().map_or(3_000_000, |text| text.parse().expect("a number of records"));
    let batch: usize = arguments.next().map_or(4096, |text| text.parse().expect("a number of records"));
    let config = Config {
        brokers,
        topic: format!("drain-{records}"),
        group: format!("drain-{}", std::process::id()),
        ..Config::default()
    };
    fill(&config, records);
    for _ in 0..3 {
        report("source", records, || through_source(&config, batch));
        report("poll, same settings", records, || through_poll(&config, &[]));
        report("poll, queues unbounded", records, || {
            through_poll(&config, &[("queued.min.messages", "1000000"), ("queued.max.messages.kbytes", "262144")])
        });
    }
}

fn fill(config: &Config, records: u64) {
    let mut producer = Producer::new(config).unwrap();
    if !producer.create_topic(PARTITIONS as usize, Duration::from_secs(20)).unwrap() {
        return;
    }
    let started = Instant::now();
    for number in 0..records {
        let device = number % 10_000;
        let payload = format!(
            r#"{{"device":"device-{device:05}","sensor":"temperature","time":{},"value":{}.25}}"#,
            1_700_000_000_000 + number,
            number % 97
        );
        let key = device.to_le_bytes();
        let record = Outgoing { key: Some(&key), payload: Some(payload.as_bytes()), ..Outgoing::default() };
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(60)).unwrap();
    println!("filled: {:.0} records/s", records as f64 / started.elapsed().as_secs_f64());
}

/// Records and polls that brought some.
fn through_source(config: &Config, batch: usize) -> (u64, u64) {
    let mut source = KafkaSource::new(config, 0, Bound::PresentEnd, batch).unwrap();
    let (mut records, mut batches, mut ended) = (0, 0, 0);
    while ended < PARTITIONS {
        match source.poll(Duration::from_millis(100)).unwrap() {
            Polled::Gained(gained) => {
                for partition in gained {
                    let first = source.resolve(&partition, Start::Earliest).unwrap();
                    source.start(&partition, first).unwrap();
                }
            }
            Polled::Records(more) => {
                records += more.len() as u64;
                batches += 1;
            }
            Polled::Ended { .. } => ended += 1,
            _ => {}
        }
    }
    (records, batches)
}

fn through_poll(config: &Config, settings: &[(&str, &str)]) -> (u64, u64) {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.brokers).set("group.id", &config.group).set("check.crcs", "true");
    client.set("queued.min.messages", "200000").set("queued.max.messages.kbytes", "24576");
    client.set("fetch.min.bytes", "65536").set("fetch.wait.max.ms", "100").set("fetch.max.bytes", "8388608");
    client.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
    for (key, value) in settings {
        client.set(*key, *value);
    }
    let consumer: BaseConsumer = client.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset(&config.topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut ended: BTreeMap<i32, ()> = BTreeMap::new();
    let (mut records, mut bytes) = (0_u64, 0);
    while ended.len() < PARTITIONS as usize {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                records += 1;
                bytes += message.payload().map_or(0, <[u8]>::len);
            }
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition, ())),
            _ => {}
        }
    }
    std::hint::black_box(bytes);
    (records, records)
}

fn report(name: &str, expected: u64, drain: impl FnOnce() -> (u64, u64)) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let (records, calls) = drain();
    assert_eq!(records, expected, "{name}");
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let (per_wall, per_cpu) = (records as f64 / wall / 1e6, records as f64 / cpu / 1e6);
    println!(
        "{name:>24}: {per_wall:.2} M/s wall, {per_cpu:.2} M per CPU-second, {:.0} records a call, {} MB at most so far",
        records as f64 / calls as f64,
        peak_megabytes()
    );
}

/// User and system time of this process, librdkafka's threads included.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

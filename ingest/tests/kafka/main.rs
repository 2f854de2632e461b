//! The Kafka source against a real broker: one partition, many partitions over two workers, rebalances, encryption,
//! and what goes wrong; in files of their own: positions, membership, and topics that change behind their reader. Needs `ATALAIA_TEST_KAFKA=host:port`; without it each test says that it was skipped.
#![cfg(feature = "kafka")]
// Helpers of tests are not seen as tests; a skip must be visible.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod admin;
#[cfg(feature = "event-hubs")]
mod event_hubs;
mod headers;
mod membership;
mod positions;
mod replaced;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ingest::contract::{self, Subject};
use ingest::kafka::{Config, KafkaSource, Outgoing, Producer};
use ingest::{Bound, Error, Polled, Sharing, Source, Start};
use types::{PartitionId, Position, Secret};

const WAIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// The broker's address, or none with a visible skip.
fn brokers(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(address) => Some(address),
        Err(_) if std::env::var("ATALAIA_TEST_REQUIRED").is_ok_and(|required| required == "1") => {
            panic!("`{variable}` is not set, and ATALAIA_TEST_REQUIRED=1")
        }
        Err(_) => {
            eprintln!("SKIPPED {}: set {variable} or run make test", thread::current().name().unwrap_or("a test"));
            None
        }
    }
}

/// A topic and a group of this test's own.
fn config(brokers: &str, name: &str) -> Config {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let since = std::fs::metadata("/proc/self").and_then(|process| process.modified()).expect("procfs");
    let since = since.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let topic = format!("it-{name}-{}-{since}-{number}", std::process::id());
    Config { brokers: brokers.into(), group: topic.clone(), topic, ..Config::default() }
}

fn create(config: &Config, partitions: usize) -> Producer {
    let producer = Producer::new(config).unwrap();
    assert!(producer.create_topic(partitions, WAIT).unwrap());
    producer
}

/// Sends numbered payloads, some without value, and returns what each partition holds.
fn fill(producer: &mut Producer, partitions: i32, records: u32) -> BTreeMap<u32, Vec<Option<Vec<u8>>>> {
    let mut payloads: BTreeMap<u32, Vec<Option<Vec<u8>>>> = BTreeMap::new();
    for number in 0..records {
        let partition = (number % partitions as u32) as i32;
        let payload = (number % 11 != 3).then(|| format!("{{\"n\":{number}}}").into_bytes());
        let key = format!("device-{partition}");
        producer
            .send(Outgoing {
                partition: Some(partition),
                key: Some(key.as_bytes()),
                payload: payload.as_deref(),
                time: Some(1_700_000_000_000_000 + i64::from(number) * 1_000),
            })
            .unwrap();
        payloads.entry(partition as u32).or_default().push(payload);
    }
    assert_eq!(producer.flush(WAIT).unwrap(), u64::from(records));
    payloads
}

#[test]
fn one_partition_keeps_the_contract() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "one");
    let payloads = fill(&mut create(&config, 1), 1, 1_000);
    for bound in [Bound::Unbounded, Bound::PresentEnd] {
        let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&config, 0, bound, 64).unwrap()) };
        contract::run(&Subject { payloads: Some(payloads.clone()), ..Subject::new(1, bound, open) });
    }
}

// The contract waits much: a bound or a protocol is a test of its own, so that they wait side by side.

#[test]
fn several_partitions_of_one_worker_keep_the_contract() {
    several_partitions(Bound::Unbounded, 4096);
}

#[test]
fn several_partitions_keep_the_contract_up_to_their_present_end() {
    several_partitions(Bound::PresentEnd, 100);
}

fn several_partitions(bound: Bound, batch: usize) {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "several");
    // The last partition stays empty.
    let mut payloads = fill(&mut create(&config, 6), 5, 5_000);
    payloads.insert(5, Vec::new());
    let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&config, 0, bound, batch).unwrap()) };
    contract::run(&Subject { payloads: Some(payloads), ..Subject::new(6, bound, open) });
}

#[test]
fn the_eager_protocol_keeps_the_contract() {
    a_protocol("partition.assignment.strategy", "range");
}

#[test]
fn the_new_protocol_keeps_the_contract() {
    a_protocol("group.protocol", "consumer");
}

fn a_protocol(key: &str, value: &str) {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let mut config = config(&brokers, value);
    let payloads = fill(&mut create(&config, 3), 3, 3_000);
    config.properties.insert(key.into(), value.into());
    let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&config, 0, Bound::Unbounded, 500).unwrap()) };
    contract::run(&Subject { payloads: Some(payloads), ..Subject::new(3, Bound::Unbounded, open) });
}

#[test]
fn records_carry_their_time_and_starts_are_found_by_it() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "times");
    fill(&mut create(&config, 1), 1, 100);
    let mut source = KafkaSource::new(&config, 0, Bound::PresentEnd, 64).unwrap();
    let partition = contract::gain(&mut source, 1).remove(0);
    let mut at = |start| source.resolve(&partition, start).unwrap().0;
    assert_eq!(at(Start::Earliest), 0);
    assert_eq!(at(Start::Latest), 100);
    assert_eq!(at(Start::Time(1_700_000_000_040_000)), 40);
    // Between two milliseconds: the record before is too old.
    assert_eq!(at(Start::Time(1_700_000_000_040_001)), 41);
    assert_eq!(at(Start::Time(1_800_000_000_000_000)), 100);
    source.start(&partition, Position(40)).unwrap();
    let first = contract::wait_for(&mut source, |event| match event {
        Polled::Records(records) => records.iter().next().map(|record| (record.position, record.broker_time)),
        _ => None,
    });
    assert_eq!(first, (40, Some(1_700_000_000_040_000)));
}

#[test]
fn an_unbounded_source_goes_on_after_it_caught_up() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "follow");
    let mut producer = create(&config, 1);
    fill(&mut producer, 1, 10);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    contract::read(&mut source, Bound::Unbounded, 1, |_, _| None);
    for round in 1..4 {
        fill(&mut producer, 1, 10);
        let mut next = 0;
        let end = contract::wait_for(&mut source, |event| match event {
            Polled::Records(records) => {
                next = records.next().0;
                None
            }
            // One that was asked for before the records came may still be on its way.
            Polled::CaughtUp { position, .. } => (position.0 > round * 10).then_some(position.0),
            _ => None,
        });
        assert_eq!((next, end), (10 + round * 10, 10 + round * 10));
    }
}

/// librdkafka's batch interface took the end of a partition for a record, and went on one record too late after a pause.
#[test]
fn a_pause_at_the_end_skips_nothing() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "pause");
    let mut producer = create(&config, 1);
    fill(&mut producer, 1, 10);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    contract::read(&mut source, Bound::Unbounded, 1, |_, _| None);
    let partition = PartitionId { topic: config.topic.as_str().into(), index: 0 };
    source.pause(&partition);
    fill(&mut producer, 1, 10);
    source.resume(&partition);
    let first = contract::wait_for(&mut source, |event| match event {
        Polled::Records(records) => records.iter().next().map(|record| record.position),
        _ => None,
    });
    assert_eq!(first, 10);
}

/// What a worker saw: for each stay of a partition, the records in order.
type Stays = Arc<Mutex<Vec<(u32, Vec<i64>)>>>;

/// Polls a source on a thread of its own, each stay from position 0, until told to stop.
struct Worker {
    stop: Arc<AtomicU64>,
    stays: Stays,
    ours: Arc<Mutex<Vec<u32>>>,
    thread: thread::JoinHandle<()>,
}

impl Worker {
    fn spawn(config: &Config, number: usize) -> Worker {
        let (stop, stays, ours) = (Arc::new(AtomicU64::new(0)), Stays::default(), Arc::new(Mutex::new(Vec::new())));
        let (config, told, noted, held) = (config.clone(), Arc::clone(&stop), Arc::clone(&stays), Arc::clone(&ours));
        let thread = thread::spawn(move || {
            let mut source = KafkaSource::new(&config, number, Bound::Unbounded, 200).unwrap();
            let mut open: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
            while told.load(Ordering::Relaxed) == 0 {
                match source.poll(POLL).unwrap() {
                    Polled::Gained(gained) => {
                        for partition in gained {
                            assert!(open.insert(partition.index, Vec::new()).is_none(), "gained twice");
                            source.start(&partition, Position(0)).unwrap();
                        }
                    }
                    Polled::Lost(lost) => {
                        for PartitionId { index, .. } in lost {
                            noted.lock().unwrap().push((index, open.remove(&index).expect("lost what was gained")));
                        }
                    }
                    Polled::Records(records) => {
                        let stay = open.get_mut(&records.partition().index).expect("records of a partition of ours");
                        stay.extend(records.iter().map(|record| record.position));
                    }
                    _ => {}
                }
                *held.lock().unwrap() = open.keys().copied().collect();
            }
            source.leave();
            noted.lock().unwrap().extend(open);
        });
        Worker { stop, stays, ours, thread }
    }

    fn count(&self) -> usize {
        self.ours.lock().unwrap().len()
    }

    fn finish(self) -> Vec<(u32, Vec<i64>)> {
        self.stop.store(1, Ordering::Relaxed);
        self.thread.join().unwrap();
        Arc::try_unwrap(self.stays).unwrap().into_inner().unwrap()
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_member_that_joins_and_leaves_costs_no_record_and_repeats_none() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "rebalance");
    let mut producer = create(&config, 8);
    fill(&mut producer, 8, 4_000);
    let first = Worker::spawn(&config, 0);
    wait_until("the first worker gets all", || first.count() == 8);
    fill(&mut producer, 8, 4_000);
    let second = Worker::spawn(&config, 1);
    wait_until("two workers share", || first.count() == 4 && second.count() == 4);
    fill(&mut producer, 8, 4_000);
    // The second leaves while records flow.
    let seen = second.finish();
    wait_until("the first worker gets all back", || first.count() == 8);
    fill(&mut producer, 8, 4_000);
    thread::park_timeout(Duration::from_secs(3));
    let stays = first.finish();

    for (partition, positions) in stays.iter().chain(&seen) {
        let dense: Vec<i64> = (0..positions.len() as i64).collect();
        assert!(*positions == dense, "partition {partition}: a stay is the log from where it started, once");
    }
    assert!(seen.iter().any(|(_, positions)| positions.len() >= 1_000), "the second worker read on its own");
    for partition in 0..8 {
        let last = stays.iter().rev().find(|(index, _)| *index == partition).map(|(_, positions)| positions.len());
        assert_eq!(last, Some(2_000), "partition {partition}: its last stay has the whole log");
    }
    assert_eq!(stays.len(), 8 + 4, "four partitions moved and came back, four stayed");
}

/// A goodbye that is lost keeps the next ones waiting for a session timeout, 45 s here: twice as long as `gain` waits.
#[test]
fn members_that_leave_together_say_goodbye() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "goodbye");
    create(&config, 4);
    for life in 0..6 {
        let mut members: Vec<_> =
            (0..2).map(|worker| KafkaSource::new(&config, worker, Bound::Unbounded, 10).unwrap()).collect();
        let mut owned: Vec<Vec<PartitionId>> = vec![Vec::new(); 2];
        let deadline = Instant::now() + WAIT;
        while owned.iter().any(|owned| owned.len() != 2) {
            assert!(Instant::now() < deadline, "life {life}: {owned:?}");
            for (source, owned) in members.iter_mut().zip(&mut owned) {
                match source.poll(POLL).unwrap() {
                    Polled::Gained(gained) => owned.extend(gained),
                    Polled::Lost(lost) => owned.retain(|partition| !lost.contains(partition)),
                    event => assert!(matches!(event, Polled::Idle), "{event:?}"),
                }
            }
        }
        // A note of the position is under way while they leave.
        let leaving: Vec<_> = members
            .into_iter()
            .zip(owned)
            .map(|(mut source, owned)| {
                thread::spawn(move || {
                    owned.iter().for_each(|partition| source.start(partition, Position(0)).unwrap());
                    wait_until("reading goes on", || matches!(source.poll(POLL).unwrap(), Polled::CaughtUp { .. }));
                    owned.iter().for_each(|partition| source.acknowledge(partition, Position(0), None));
                    source.leave();
                })
            })
            .collect();
        leaving.into_iter().for_each(|leaving| leaving.join().unwrap());
    }
}

#[test]
fn a_member_without_partitions_is_told_so() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    for strategy in ["cooperative-sticky", "range"] {
        let mut config = config(&brokers, "none");
        config.properties.insert("partition.assignment.strategy".into(), strategy.into());
        create(&config, 1);
        // The range strategy serves the first name: who was there before loses all.
        let mut first = KafkaSource::new(&config, 1, Bound::PresentEnd, 10).unwrap();
        contract::gain(&mut first, 1);
        let mut second = KafkaSource::new(&config, 0, Bound::PresentEnd, 10).unwrap();
        let mut seen = [Vec::new(), Vec::new()];
        wait_until("one of two has nothing, and knows", || {
            for (source, seen) in [&mut first, &mut second].into_iter().zip(&mut seen) {
                match source.poll(POLL).unwrap() {
                    Polled::Gained(gained) => seen.push(gained.len() as i64),
                    Polled::Lost(lost) => seen.push(-(lost.len() as i64)),
                    event => assert!(matches!(event, Polled::Idle), "{event:?}"),
                }
            }
            seen.iter().any(|seen| seen.last() == Some(&0)) && !seen[1].is_empty()
        });
        match strategy {
            "range" => assert_eq!(seen, [vec![-1, 0], vec![1]]),
            _ => assert_eq!(seen, [vec![], vec![0]]),
        }
        // The coordinator says the same of both, to either.
        let shares = Sharing::Settled(vec![BTreeSet::new(), BTreeSet::from([0])]);
        for source in [&mut first, &mut second] {
            let mut said = source.sharing().unwrap();
            if let Sharing::Settled(members) = &mut said {
                members.sort();
            }
            assert_eq!(said, shares, "{strategy}");
        }
    }
}

/// Answers of the connection that fetches come late: brokers hold fetches back.
#[test]
fn many_partitions_are_taken_over_quickly() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "many");
    create(&config, 64);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 10).unwrap();
    let gained = contract::gain(&mut source, 64);
    let begun = Instant::now();
    for partition in &gained {
        let position = source.resolve(partition, Start::Earliest).unwrap();
        source.start(partition, position).unwrap();
    }
    let elapsed = begun.elapsed();
    eprintln!("64 partitions resolved and started in {elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "64 partitions take {elapsed:?}");
}

#[test]
fn nothing_can_be_started_after_leaving() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "left");
    fill(&mut create(&config, 1), 1, 1_000);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 10).unwrap();
    let partition = contract::gain(&mut source, 1).remove(0);
    source.start(&partition, Position(0)).unwrap();
    contract::wait_for(&mut source, |event| matches!(event, Polled::Records(_)).then_some(()));
    let leaving = Instant::now();
    source.leave();
    assert!(leaving.elapsed() < Duration::from_secs(4), "leaving takes {:?}", leaving.elapsed());
    assert!(matches!(source.start(&partition, Position(0)), Err(Error::NotAssigned { .. })));
}

#[test]
fn encrypted_listeners_and_credentials_pass_through() {
    let Some(address) = brokers("ATALAIA_TEST_KAFKA_SASL") else { return };
    let Some(plain) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is set beside the address"));
    let mut config = config(&plain, "sasl");
    let payloads = fill(&mut create(&config, 2), 2, 500);
    config.brokers = address;
    for (key, value) in [
        ("security.protocol", "SASL_SSL".to_owned()),
        ("sasl.mechanisms", "PLAIN".to_owned()),
        ("sasl.username", variable("ATALAIA_TEST_KAFKA_USERNAME")),
        ("ssl.ca.location", variable("ATALAIA_TEST_KAFKA_CA")),
    ] {
        config.properties.insert(key.into(), value);
    }
    let secret = |reference: &str| Secret::parse(reference).unwrap();
    config.secrets.insert("sasl.password".into(), secret("env:ATALAIA_TEST_KAFKA_PASSWORD"));
    assert_eq!(KafkaSource::check(&config, WAIT).unwrap().partitions, 2);
    let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&config, 0, Bound::PresentEnd, 64).unwrap()) };
    contract::run(&Subject { payloads: Some(payloads), ..Subject::new(2, Bound::PresentEnd, open) });

    let mut wrong = config.clone();
    wrong.secrets.insert("sasl.password".into(), secret("env:ATALAIA_TEST_KAFKA_USERNAME"));
    let refused = KafkaSource::check(&wrong, WAIT);
    assert!(matches!(refused, Err(Error::Authentication { .. })), "{refused:?}");
    let refused = first_error(&wrong);
    assert!(matches!(refused, Error::Authentication { .. }), "{refused:?}");

    let mut untrusted = config.clone();
    untrusted.properties.remove("ssl.ca.location");
    let refused = KafkaSource::check(&untrusted, WAIT);
    assert!(matches!(refused, Err(Error::Tls { .. })), "{refused:?}");
}

#[test]
fn what_is_wrong_is_said_by_name() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let missing = config(&brokers, "missing");
    let refused = KafkaSource::check(&missing, WAIT);
    assert!(matches!(refused, Err(Error::TopicMissing { .. })), "{refused:?}");
    let refused = first_error(&missing);
    assert!(matches!(refused, Error::TopicMissing { .. }), "{refused:?}");

    let mut nowhere = missing.clone();
    nowhere.brokers = "127.0.0.1:1".into();
    let asked = Instant::now();
    let refused = KafkaSource::check(&nowhere, Duration::from_secs(3));
    assert!(matches!(refused, Err(Error::Unreachable { .. })), "{refused:?}");
    assert!(asked.elapsed() < Duration::from_secs(6));
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("127.0.0.1:1") && message.to_lowercase().contains("refused"), "{message}");

    let mut misspelt = missing.clone();
    misspelt.properties.insert("fetch.wait.max.mss".into(), "1".into());
    let refused = KafkaSource::new(&misspelt, 0, Bound::Unbounded, 1).map(drop);
    assert!(refused.unwrap_err().to_string().contains("fetch.wait.max.mss"));
}

#[test]
fn brokers_that_are_away_are_waited_for() {
    let Some(_) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config("127.0.0.1:1", "away");
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 1).unwrap();
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        let asked = Instant::now();
        assert!(matches!(source.poll(POLL).unwrap(), Polled::Idle));
        assert!(asked.elapsed() < POLL + Duration::from_millis(250), "polling stalls for {:?}", asked.elapsed());
    }
    let leaving = Instant::now();
    source.leave();
    assert!(leaving.elapsed() < Duration::from_secs(7), "leaving takes {:?}", leaving.elapsed());
}

fn first_error(config: &Config) -> Error {
    let mut source = KafkaSource::new(config, 0, Bound::Unbounded, 1).unwrap();
    let deadline = Instant::now() + WAIT;
    loop {
        match source.poll(POLL) {
            Err(error) => return error,
            Ok(event) => assert!(Instant::now() < deadline, "no error, but {event:?}"),
        }
    }
}

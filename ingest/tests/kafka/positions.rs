//! What a broker holds at a position, and that nothing of an earlier stay comes after a new start.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest::contract::{self, Read, Subject};
use ingest::kafka::{Config, KafkaSource, Outgoing};
use ingest::{Bound, Error, Extent, Held, Polled, Source};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use types::{PartitionId, Position};

use crate::admin::Admin;
use crate::{POLL, WAIT, brokers, config, create, fill, wait_until};

fn partition(config: &Config, index: u32) -> PartitionId {
    PartitionId { topic: config.topic.as_str().into(), index }
}

fn read_whole(config: &Config) -> Read {
    let mut source = KafkaSource::new(config, 0, Bound::PresentEnd, 64).unwrap();
    contract::read(&mut source, Bound::PresentEnd, 1, |_, _| None).remove(&0).unwrap()
}

#[test]
fn records_are_recognised_until_they_expire() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "expired");
    fill(&mut create(&config, 1), 1, 20);
    let whole = read_whole(&config);
    let zero = partition(&config, 0);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    let extent = |low, high| Some(Extent { low: Position(low), high: Position(high) });
    assert_eq!(source.extent(&zero).unwrap(), extent(0, 20));
    let held: Vec<_> = (0..21).map(|position| source.record_at(&zero, Position(position)).unwrap()).collect();
    let expected: Vec<_> = whole.records.iter().map(|record| Held::Record(record.anchor())).collect();
    assert_eq!(held[..20], expected);
    assert_eq!(held[20], Held::Nothing);

    Admin::new(&config).delete_records(0, 10);
    assert_eq!(source.extent(&zero).unwrap(), extent(10, 20));
    assert_eq!(source.record_at(&zero, Position(9)).unwrap(), Held::Nothing);
    assert_eq!(source.record_at(&zero, Position(10)).unwrap(), expected[10]);
    assert!(source.record_at(&partition(&config, 1), Position(0)).is_err(), "there is no such partition");

    // Everything expired: nothing to recognise, and nothing that contradicts.
    Admin::new(&config).delete_records(0, 20);
    assert_eq!(source.extent(&zero).unwrap(), extent(20, 20));
    assert_eq!(source.record_at(&zero, Position(19)).unwrap(), Held::Nothing);
    let gained = contract::gain(&mut source, 1);
    let refused = source.start(&gained[0], Position(19));
    assert!(matches!(refused, Err(Error::PositionExpired { low: Position(20), .. })), "{refused:?}");
    source.start(&gained[0], Position(20)).unwrap();
}

/// Records that expire before a reader that is paused gets to them: it says so, and goes on where it is told to.
#[test]
fn a_gap_concerns_its_partition_alone() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let mut config = config(&brokers, "gap");
    // So little is read ahead that most of it is still to be fetched when it expires.
    config.properties.insert("queued.min.messages".into(), "1".into());
    config.properties.insert("max.partition.fetch.bytes".into(), "1024".into());
    let mut producer = create(&config, 2);
    fill(&mut producer, 2, 2_000);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 10).unwrap();
    for partition in contract::gain(&mut source, 2) {
        source.start(&partition, Position(0)).unwrap();
        source.pause(&partition);
    }
    for index in 0..2 {
        Admin::new(&config).delete_records(index, 990);
        source.resume(&partition(&config, index as u32));
    }
    let mut ends: BTreeMap<u32, i64> = BTreeMap::new();
    let mut gaps = Vec::new();
    wait_until("both partitions have a gap and come to their end", || {
        match source.poll(POLL) {
            Ok(Polled::CaughtUp { partition, position }) => drop(ends.insert(partition.index, position.0)),
            Ok(_) => {}
            Err(error @ Error::PositionExpired { .. }) => {
                let gap = error.misplaced().unwrap().clone();
                let low = source.extent(&gap).unwrap().unwrap().low;
                assert_eq!(low, Position(990));
                source.start(&gap, low).unwrap();
                gaps.push(gap.index);
            }
            Err(error) => panic!("{error}"),
        }
        ends.len() == 2
    });
    gaps.sort_unstable();
    assert_eq!(gaps, [0, 1]);
    assert!(ends.values().all(|end| *end == 1_000), "{ends:?}");
}

#[test]
fn markers_of_transactions_are_no_records() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "transactions");
    create(&config, 1);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.brokers)
        .set("transactional.id", &config.topic)
        .create()
        .unwrap();
    producer.init_transactions(WAIT).unwrap();
    for number in 0..4 {
        producer.begin_transaction().unwrap();
        let payload = format!("{{\"n\":{number}}}");
        producer.send(BaseRecord::<(), _>::to(&config.topic).partition(0).payload(&payload)).map_err(drop).unwrap();
        producer.flush(WAIT).unwrap();
        match number {
            2 => producer.abort_transaction(WAIT).unwrap(),
            _ => producer.commit_transaction(WAIT).unwrap(),
        }
    }
    // Record and marker by turns; the record of the third transaction was taken back.
    let payload = |number: u32| Some(format!("{{\"n\":{number}}}").into_bytes());
    let payloads: BTreeMap<_, _> = [(0, vec![payload(0), payload(1), payload(3)])].into();
    for bound in [Bound::Unbounded, Bound::PresentEnd] {
        let open = || -> Box<dyn Source> { Box::new(KafkaSource::new(&config, 0, bound, 64).unwrap()) };
        contract::run(&Subject { payloads: Some(payloads.clone()), ..Subject::new(1, bound, open) });
    }
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    let is_held = (0..8).map(|position| {
        let held = source.record_at(&partition(&config, 0), Position(position)).unwrap();
        matches!(held, Held::Record(_))
    });
    assert_eq!(is_held.collect::<Vec<_>>(), [true, false, true, false, false, false, true, false]);
}

#[test]
fn a_record_that_was_compacted_away_is_nothing_held() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "compacted");
    let mut producer = ingest::kafka::Producer::new(&config).unwrap();
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("max.compaction.lag.ms", "100"),
    ];
    producer.create_topic_with(1, &settings, WAIT).unwrap();
    let mut send = |key: &str, payload: &str| {
        let record = Outgoing {
            partition: Some(0),
            key: Some(key.as_bytes()),
            payload: Some(payload.as_bytes()),
            ..Outgoing::default()
        };
        producer.send(record).unwrap();
        producer.flush(WAIT).unwrap();
    };
    send("a", "first");
    send("b", "stays");
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 64).unwrap();
    let zero = partition(&config, 0);
    let mut at = |position| source.record_at(&zero, Position(position)).unwrap();
    let (first, stays) = (at(0), at(1));
    assert!(matches!((first, stays), (Held::Record(_), Held::Record(_))), "{first:?} {stays:?}");
    // Each new segment leaves the ones before to the broker's cleaner.
    wait_until("the first record of `a` is compacted away", || {
        send("a", "another");
        std::thread::park_timeout(Duration::from_millis(500));
        at(0) == Held::Nothing
    });
    assert_eq!(at(1), stays);
}

/// Records wait in the source when a partition is stopped or lost: after a start further back they would hide what lies
/// between, since what comes below a position that was seen is dropped.
#[test]
fn nothing_of_an_earlier_start_comes_after_a_new_one() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "generations");
    fill(&mut create(&config, 2), 2, 2_000);
    let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 4096).unwrap();
    let gained = contract::gain(&mut source, 2);
    for round in 0..10 {
        for partition in &gained {
            source.start(partition, Position(500)).unwrap();
        }
        // One fetch brings both partitions mostly: one is handed over, the other waits.
        let spoke = contract::wait_for(&mut source, |event| match event {
            Polled::Records(records) => Some(records.partition().clone()),
            _ => None,
        });
        let other = gained.iter().find(|partition| **partition != spoke).unwrap();
        source.stop(other);
        source.start(other, Position(round)).unwrap();
        let positions = read_to(&mut source, other, 1_000);
        assert_eq!(positions, (round..1_000).collect::<Vec<_>>(), "round {round}");
        for partition in &gained {
            source.stop(partition);
        }
    }
}

/// The eager protocol takes all partitions away whenever a member joins or leaves, and gives most of them back.
#[test]
fn nothing_of_an_earlier_stay_comes_after_a_new_one() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    for strategy in ["range", "cooperative-sticky"] {
        let mut config = config(&brokers, "stays");
        config.properties.insert("partition.assignment.strategy".into(), strategy.into());
        fill(&mut create(&config, 4), 4, 40_000);
        let mut source = KafkaSource::new(&config, 0, Bound::Unbounded, 500).unwrap();
        let mut stays: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        let (mut begins, mut lost_while_read) = (0, 0);
        let mut other = None;
        wait_until("members come and go, and all is read to the end", || {
            match source.poll(POLL).unwrap() {
                Polled::Gained(gained) => {
                    for partition in gained {
                        // Always further back than the stay before.
                        begins += 1;
                        let begin = 1_000 - begins;
                        source.start(&partition, Position(begin)).unwrap();
                        stays.insert(partition.index, vec![begin]);
                    }
                    if stays.len() == 4 && lost_while_read < 4 {
                        other = Some(KafkaSource::new(&config, 1, Bound::Unbounded, 500).unwrap());
                    }
                }
                Polled::Lost(lost) => {
                    for partition in lost {
                        lost_while_read += usize::from(stays.remove(&partition.index).is_some());
                    }
                }
                Polled::Records(records) => {
                    let stay = stays.get_mut(&records.partition().index).expect("records of a partition of ours");
                    for record in records.iter() {
                        assert_eq!(Some(&record.position), stay.last(), "{strategy}: {}", records.partition());
                        stay.push(record.position + 1);
                    }
                }
                _ => {}
            }
            if let Some(member) = &mut other
                && let Polled::Gained(gained) = member.poll(Duration::ZERO).unwrap()
                && !gained.is_empty()
            {
                member.leave();
                other = None;
            }
            stays.len() == 4 && lost_while_read >= 4 && stays.values().all(|stay| stay.last() == Some(&10_000))
        });
    }
}

fn read_to(source: &mut dyn Source, partition: &PartitionId, end: i64) -> Vec<i64> {
    let mut positions = Vec::new();
    contract::wait_for(source, |event| {
        if let Polled::Records(records) = event
            && records.partition() == partition
        {
            positions.extend(records.iter().map(|record| record.position));
        }
        positions.last().is_some_and(|last| last + 1 >= end).then_some(())
    });
    positions
}

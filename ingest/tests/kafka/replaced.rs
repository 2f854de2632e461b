//! Topics that vanish, or are made anew, while they are read: said aloud, never read on as if nothing had happened.

use ingest::kafka::{Config, KafkaSource, Outgoing, Producer};
use ingest::{Anchor, Bound, Error, Polled, Source};
use types::{PartitionId, Position};

use crate::admin::Admin;
use crate::{POLL, WAIT, brokers, config, contract, create, fill, wait_until};

/// A source that has read the whole topic, and what it read last.
struct Reading {
    source: KafkaSource,
    partition: PartitionId,
    last: Anchor,
}

fn reading(config: &Config, records: u32) -> Reading {
    fill(&mut create(config, 1), 1, records);
    let mut source = KafkaSource::new(config, 0, Bound::Unbounded, 64).unwrap();
    let partition = contract::gain(&mut source, 1).remove(0);
    source.start(&partition, Position(0)).unwrap();
    let last = contract::wait_for(&mut source, |event| match event {
        Polled::Records(records) => records.last().map(|record| Anchor::of(&record)),
        _ => None,
    });
    Reading { source, partition, last }
}

#[test]
fn a_topic_that_vanishes_is_said_so() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "vanished");
    let Reading { mut source, .. } = reading(&config, 10);
    Admin::new(&config).delete_topic();
    let mut error = None;
    wait_until("the topic is missed", || {
        match source.poll(POLL) {
            Err(found) => error = Some(found),
            Ok(event) => assert!(!matches!(event, Polled::Records(_)), "{event:?}"),
        }
        error.is_some()
    });
    assert!(matches!(error, Some(Error::TopicGone { .. })), "{error:?}");
}

/// The new topic soon holds more records than were read of the old one, so that no position is out of range.
#[test]
fn a_topic_that_is_made_anew_is_not_read_on() {
    let Some(brokers) = brokers("ATALAIA_TEST_KAFKA") else { return };
    let config = config(&brokers, "anew");
    let Reading { mut source, partition, last } = reading(&config, 10);
    Admin::new(&config).delete_topic();
    let mut producer = Producer::new(&config).unwrap();
    wait_until("the topic is made anew", || producer.create_topic(1, WAIT).is_ok_and(|is_new| is_new));
    for number in 0..50 {
        let payload = format!("new {number}");
        let record = Outgoing { partition: Some(0), payload: Some(payload.as_bytes()), ..Outgoing::default() };
        producer.send(record).unwrap();
    }
    producer.flush(WAIT).unwrap();
    // Either the source says so, or the group takes the partition away: then whoever starts it again looks at the anchor.
    let mut is_told = false;
    let deadline = std::time::Instant::now() + 3 * WAIT;
    while !is_told {
        assert!(std::time::Instant::now() < deadline, "nothing is said of the new topic");
        match source.poll(POLL) {
            Ok(Polled::Lost(_)) => is_told = true,
            Ok(_) => {}
            Err(error) => {
                assert!(matches!(error, Error::Rewritten { .. } | Error::PositionAhead { .. }), "{error:?}");
                assert_eq!(error.misplaced(), Some(&partition));
                eprintln!("said: {error}");
                is_told = true;
            }
        }
    }
    let held = source.record_at(&partition, Position(last.position)).unwrap();
    assert!(held.contradicts(&last), "{held:?} is not {last:?}");
    // Nothing of it comes by itself afterwards.
    for _ in 0..20 {
        let event = source.poll(POLL).unwrap();
        assert!(!matches!(event, Polled::Records(_)), "{event:?}");
    }
}

//! The topic in memory is a source like any other, and does what a test tells it.

use std::thread;
use std::time::Duration;

use types::{PartitionId, Position};

use super::*;
use crate::contract::{self, Subject};
use crate::{Bound, Error, Polled, Source, Start};

fn topic() -> Topic {
    let topic = Topic::new("t", 3);
    for number in 0..100_u32 {
        topic.append(
            number % 2,
            Owned {
                broker_time: Some(i64::from(number) * 1_000),
                key: vec![b'k'],
                payload: (number % 7 != 0).then(|| number.to_string().into_bytes()),
            },
        );
    }
    topic
}

#[test]
fn a_topic_in_memory_keeps_the_contract() {
    // Side by side: most of it is watching silence.
    thread::scope(|scope| {
        for bound in [Bound::Unbounded, Bound::PresentEnd] {
            for batch in [1, 7, 4096] {
                scope.spawn(move || {
                    let topic = topic();
                    contract::run(&Subject::new(3, bound, || Box::new(topic.source(bound, batch))));
                });
            }
        }
    });
}

#[test]
fn a_lost_partition_falls_silent_until_it_is_gained_and_started() {
    let topic = topic();
    let mut source = topic.source(Bound::Unbounded, 5);
    contract::loses(&mut source, &mut |partition| topic.lose(partition.index), &mut |partition| {
        topic.gain(partition.index);
    });
}

#[test]
fn a_reader_without_partitions_is_told_so_once() {
    let is_none = |polled| matches!(polled, Ok(Polled::Gained(gained)) if gained.is_empty());
    let mut source = Topic::new("t", 0).source(Bound::Unbounded, 5);
    assert!(is_none(source.poll(Duration::ZERO)));
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));

    let topic = Topic::new("t", 1);
    let mut source = topic.source(Bound::Unbounded, 5);
    assert_eq!(contract::gain(&mut source, 1).len(), 1);
    topic.lose(0);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Lost(_))));
    assert!(is_none(source.poll(Duration::ZERO)));
    topic.gain(0);
    assert_eq!(contract::gain(&mut source, 1).len(), 1);
}

#[test]
fn expired_positions_are_refused() {
    let topic = topic();
    topic.expire(0, 10);
    let mut source = topic.source(Bound::Unbounded, 5);
    let Ok(Polled::Gained(gained)) = source.poll(Duration::ZERO) else { panic!("nothing gained") };
    let result = source.start(&gained[0], Position(9));
    assert!(matches!(result, Err(Error::PositionExpired { low: Position(10), .. })), "{result:?}");
    assert_eq!(source.resolve(&gained[0], Start::Earliest).unwrap(), Position(10));
}

fn first_position(source: &mut dyn Source) -> i64 {
    contract::wait_for(source, |event| match event {
        Polled::Records(records) => records.iter().next().map(|record| record.position),
        _ => None,
    })
}

/// A reader of one partition of a hundred numbered records that stands at 50.
fn halfway(topic: &Topic) -> (MemorySource, PartitionId) {
    for number in 0..100 {
        topic.append_payload(0, number.to_string());
    }
    let mut source = topic.source(Bound::Unbounded, 50);
    let partition = contract::gain(&mut source, 1).remove(0);
    source.start(&partition, Position(0)).unwrap();
    assert_eq!(first_position(&mut source), 0);
    (source, partition)
}

#[test]
fn compacted_records_are_passed_over() {
    let topic = topic();
    for position in [0, 3, 4, 49] {
        topic.compact(0, position);
    }
    let mut source = topic.source(Bound::PresentEnd, 2);
    let reads = contract::read(&mut source, Bound::PresentEnd, 3, |_, _| None);
    let positions: Vec<_> = reads[&0].records.iter().map(|record| record.position).collect();
    assert_eq!(positions, (0..50).filter(|position| ![0, 3, 4, 49].contains(position)).collect::<Vec<_>>());
    assert_eq!(reads[&0].end, Some(Position(50)));
}

#[test]
fn a_topic_that_changed_behind_its_reader_stops_that_partition_alone() {
    type Change = fn(&Topic);
    type IsSo = fn(&Error) -> bool;
    let rewrite: Change = |topic| {
        topic.truncate(0, 40);
        for number in 0..60 {
            topic.append_payload(0, format!("other {number}"));
        }
    };
    let recreate: Change = |topic| {
        topic.recreate();
        for number in 0..200 {
            topic.append_payload(0, format!("new {number}"));
        }
    };
    let cases: [(Change, IsSo); 5] = [
        (|topic| topic.truncate(0, 40), |error| matches!(error, Error::PositionAhead { high: Position(40), .. })),
        (rewrite, |error| matches!(error, Error::Rewritten { read, .. } if read.position == 49)),
        (Topic::recreate, |error| matches!(error, Error::PositionAhead { high: Position(0), .. })),
        (recreate, |error| matches!(error, Error::Rewritten { .. })),
        (|topic| topic.expire(0, 60), |error| matches!(error, Error::PositionExpired { low: Position(60), .. })),
    ];
    for (case, (change, is_so)) in cases.into_iter().enumerate() {
        let topic = Topic::new("t", 1);
        let (mut source, partition) = halfway(&topic);
        topic.grow(2);
        let other = contract::gain(&mut source, 1).remove(0);
        source.start(&other, Position(0)).unwrap();
        change(&topic);
        topic.append_payload(1, "on");
        let error = source.poll(Duration::ZERO).unwrap_err();
        assert!(is_so(&error), "case {case}: {error:?}");
        assert_eq!(error.misplaced(), Some(&partition), "case {case}");
        let next = source.poll(Duration::ZERO);
        assert!(
            matches!(&next, Ok(Polled::Records(records)) if *records.partition() == other),
            "case {case}: {next:?}"
        );
        let low = source.resolve(&partition, Start::Earliest).unwrap();
        source.start(&partition, low).unwrap();
    }
}

/// Records that expired or were compacted after they were read say nothing against the topic.
#[test]
fn what_is_gone_behind_the_reader_is_no_contradiction() {
    let topic = Topic::new("t", 1);
    let (mut source, _) = halfway(&topic);
    topic.compact(0, 49);
    assert_eq!(first_position(&mut source), 50);
    topic.expire(0, 100);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::CaughtUp { position: Position(100), .. })));
}

#[test]
fn a_topic_that_vanishes_is_said_so() {
    let topic = Topic::new("t", 1);
    let (mut source, partition) = halfway(&topic);
    topic.delete();
    assert!(matches!(source.poll(Duration::ZERO), Err(Error::TopicGone { .. })));
    assert!(matches!(source.partitions(), Err(Error::TopicGone { .. })));
    assert!(matches!(source.record_at(&partition, Position(0)), Err(Error::TopicGone { .. })));
}

#[test]
fn partitions_that_are_added_are_gained() {
    let topic = topic();
    let mut source = topic.source(Bound::Unbounded, 5);
    assert_eq!(contract::gain(&mut source, 3).len(), 3);
    topic.grow(5);
    let gained = contract::gain(&mut source, 2);
    assert_eq!(gained.iter().map(|partition| partition.index).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(source.partitions().unwrap(), Some(5));
    topic.append_payload(4, "first");
    source.start(&gained[1], Position(0)).unwrap();
    assert_eq!(first_position(&mut source), 0);
}

#[test]
fn a_loss_without_notice_is_silence_until_the_next_word() {
    let topic = Topic::new("t", 1);
    let (mut source, _) = halfway(&topic);
    topic.lose_unnoticed(0);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));
    topic.gain(0);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Lost(_))));
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Gained(_))));
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));
}

#[test]
fn records_out_of_turn_are_dropped() {
    let topic = Topic::new("t", 1);
    let (mut source, partition) = halfway(&topic);
    topic.repeat(0, 7);
    assert_eq!(first_position(&mut source), 50, "the position filter");
    source.stop(&partition);
    source.start(&partition, Position(20)).unwrap();
    topic.straggle(0, 90);
    assert_eq!(first_position(&mut source), 20, "the generation filter");
}

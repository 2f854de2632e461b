//! Where reading begins in the log of a partition, and what a folder keeps of it.

use super::*;
use crate::message::{drafts, plain_event};
use crate::selector::Selector;

fn append(log: &mut Log, count: usize) {
    for n in 0..count {
        let event = plain_event(format!("event {n}").as_bytes());
        log.append(&drafts(0, &event).unwrap()).unwrap();
    }
}

fn begin(log: &Log, expression: &str) -> Result<i64, String> {
    log.begin(&Selector::parse(expression).unwrap()).map_err(|refusal| refusal.description)
}

#[test]
fn positions_find_their_event() {
    let mut log = Log::in_memory(false);
    append(&mut log, 5);
    let offsets: Vec<i64> = log.from(0).map(|event| event.offset).collect();
    assert!(offsets.windows(2).all(|pair| pair[1] > pair[0] + 1), "{offsets:?} are no sequence numbers");
    log.expire(2).unwrap();
    let time = log.from(0).next().unwrap().enqueued_ms;
    for (expression, expected) in [
        ("x-opt-offset > '-1'".to_owned(), 2),
        ("x-opt-offset > '@latest'".to_owned(), 5),
        (format!("x-opt-offset > '{}'", offsets[3]), 4),
        (format!("x-opt-offset >= '{}'", offsets[3]), 3),
        // Expired: from the first one held.
        (format!("x-opt-offset > '{}'", offsets[0]), 2),
        ("x-opt-sequence-number > '3'".to_owned(), 4),
        ("x-opt-sequence-number >= '3'".to_owned(), 3),
        ("x-opt-sequence-number > '4'".to_owned(), 5),
        ("x-opt-sequence-number > '-1'".to_owned(), 2),
        ("x-opt-sequence-number >= '0'".to_owned(), 2),
        (format!("x-opt-enqueued-time >= '{time}'"), 2),
        ("x-opt-enqueued-time > '0'".to_owned(), 2),
        (format!("x-opt-enqueued-time > '{}'", time + 3_600_000), 5),
    ] {
        assert_eq!(begin(&log, &format!("amqp.annotation.{expression}")), Ok(expected), "{expression}");
    }
    let error = begin(&log, "amqp.annotation.x-opt-offset > '500000'").unwrap_err();
    assert_eq!(
        error,
        format!("The supplied offset '500000' is invalid. The last offset in the system is '{}'", offsets[4])
    );
    let error = begin(&log, "amqp.annotation.x-opt-sequence-number > '5'").unwrap_err();
    assert_eq!(error, "The supplied sequence number '5' is invalid. The last sequence number in the system is '4'");
}

#[test]
fn offsets_of_replicated_namespaces_are_no_numbers() {
    let mut log = Log::in_memory(true);
    append(&mut log, 2);
    let offset = log.last_enqueued().offset;
    assert!(offset.parse::<i64>().is_err());
    assert_eq!(begin(&log, &format!("amqp.annotation.x-opt-offset >= '{offset}'")), Ok(1));
    assert!(begin(&log, "amqp.annotation.x-opt-offset > '0'").is_err());
}

#[test]
fn a_folder_brings_back_events_after_a_cut_tail() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(folder.path().to_owned()), ..Options::hub("Hub", 2) };
    let open = || Hubs::open(&options).unwrap().get("hub").unwrap();
    let before = open();
    append(&mut before.partition("1").unwrap().log(), 4);
    before.partition("1").unwrap().log().expire(1).unwrap();
    before.add_partitions(1).unwrap();
    drop(before);
    std::fs::write(folder.path().join("hub/created"), "5").unwrap();
    let path = folder.path().join("hub/1.events");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();

    let after = open();
    assert_eq!((after.partitions().len(), after.created_ms), (3, 5));
    let partition = after.partition("1").unwrap();
    append(&mut partition.log(), 1);
    let numbers: Vec<i64> = partition.log().from(0).map(|event| event.sequence_number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    drop((after, partition));
    let partition = open().partition("1").unwrap();
    let log = partition.log();
    assert_eq!((log.first_number(), log.next_number()), (1, 4));
}

//! What every source must do, written once and run by each: order, positions, starting anywhere, silence before `start`
//! and after `Lost`, pausing, stopping, ends, and what is held.
//!
//! A test makes a [`Subject`] from a function that opens its source anew over the same records and calls [`run`]; a law
//! that is broken panics with its name.

mod reading;

use std::collections::BTreeMap;
use std::time::Duration;

use types::{PartitionId, Position};

pub use reading::{Read, ReadRecord, Reads, gain, read, wait_for};
use reading::{end, finish, note, positions, start_all, watch};

use crate::{Bound, Error, Extent, Held, Polled, Source, Start};

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long silence is watched.
const SILENCE: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(50);

/// A source under test: the same records each time it is opened.
pub struct Subject<'a> {
    /// How many partitions one source gets.
    pub partitions: usize,
    pub bound: Bound,
    pub open: Box<dyn Fn() -> Box<dyn Source> + 'a>,
    /// What the partitions hold, if the test knows.
    pub payloads: Option<BTreeMap<u32, Vec<Option<Vec<u8>>>>>,
    /// Whether a position beyond the end is refused at `start`.
    pub knows_end: bool,
    /// Whether it says what it holds of a partition without reading it.
    pub knows_extent: bool,
    /// Whether it can look at one record.
    pub knows_records: bool,
}

impl<'a> Subject<'a> {
    #[must_use]
    pub fn new(partitions: usize, bound: Bound, open: impl Fn() -> Box<dyn Source> + 'a) -> Self {
        Subject {
            partitions,
            bound,
            open: Box::new(open),
            payloads: None,
            knows_end: true,
            knows_extent: true,
            knows_records: true,
        }
    }
}

/// Runs the suite.
///
/// # Panics
/// If the source breaks the contract.
pub fn run(subject: &Subject<'_>) {
    let whole = reads_everything_in_order(subject);
    silent_before_start(subject);
    starting_anywhere_gives_the_same_tail(subject, &whole);
    refuses_what_is_not_there(subject, &whole);
    pauses_without_losing(subject, &whole);
    stops_and_starts_anywhere(subject, &whole);
    says_what_it_holds(subject, &whole);
    looking_disturbs_no_reading(subject, &whole);
}

fn reads_everything_in_order(subject: &Subject<'_>) -> Reads {
    let mut source = (subject.open)();
    let whole = read(&mut *source, subject.bound, subject.partitions, |_, _| None);
    if let Some(payloads) = &subject.payloads {
        for (partition, expected) in payloads {
            let got: Vec<_> = whole[partition].records.iter().map(|record| record.payload.clone()).collect();
            assert!(got == *expected, "partition {partition} handed over {} records of {}", got.len(), expected.len());
        }
    }
    for (partition, read) in &whole {
        let last = read.records.last().map_or(0, |record| record.position + 1);
        assert!(
            read.end.is_some_and(|end| end.0 >= last),
            "partition {partition} ended at {:?} after {last}",
            read.end
        );
    }
    for event in watch(&mut *source, SILENCE) {
        assert!(!matches!(event, Polled::Records(_) | Polled::Ended { .. }), "after the end came {event:?}");
    }
    source.leave();
    whole
}

fn silent_before_start(subject: &Subject<'_>) {
    let mut source = (subject.open)();
    gain(&mut *source, subject.partitions);
    for event in watch(&mut *source, SILENCE) {
        assert!(matches!(event, Polled::Idle), "before start came {event:?}");
    }
    source.leave();
}

fn starting_anywhere_gives_the_same_tail(subject: &Subject<'_>, whole: &Reads) {
    for round in 0..=THIRDS {
        let from = |partition: &PartitionId| third(whole, partition.index, round);
        let mut source = (subject.open)();
        let tails = read(&mut *source, subject.bound, subject.partitions, |_, partition| Some(from(partition)));
        assert_tails(whole, &tails, round);
        source.leave();
    }
}

const THIRDS: usize = 3;

/// Where a partition starts in this round: elsewhere in each, and in the last at its end.
fn third(whole: &Reads, partition: u32, round: usize) -> Position {
    let read = &whole[&partition];
    let skip = read.records.len() * (round + partition as usize % 2).min(THIRDS) / THIRDS;
    let position = read.records.get(skip).map(|record| Position(record.position));
    position.or(read.end).expect("a whole read has an end")
}

fn assert_tails(whole: &Reads, tails: &Reads, round: usize) {
    for (partition, read) in whole {
        let from = third(whole, *partition, round);
        let expected: Vec<_> = read.records.iter().filter(|record| record.position >= from.0).cloned().collect();
        let tail = &tails[partition];
        assert!(tail.records == expected, "partition {partition}, round {round}: another tail");
        assert_eq!(tail.end, read.end, "partition {partition}, round {round}");
    }
}

fn refuses_what_is_not_there(subject: &Subject<'_>, whole: &Reads) {
    let mut source = (subject.open)();
    let gained = gain(&mut *source, subject.partitions);
    for partition in &gained {
        if subject.knows_end {
            let beyond = Position(whole[&partition.index].end.expect("a whole read has an end").0 + 1000);
            let refused = source.start(partition, beyond);
            assert!(matches!(refused, Err(Error::PositionAhead { .. })), "start beyond the end: {refused:?}");
        }
        let first = source.resolve(partition, Start::Earliest).expect("earliest is known");
        let read = &whole[&partition.index];
        assert!(read.records.first().is_none_or(|record| first.0 <= record.position), "earliest is before the first");
    }
    let stranger = PartitionId { topic: gained[0].topic.clone(), index: 9_999 };
    let refused = source.start(&stranger, Position(0));
    assert!(matches!(refused, Err(Error::NotAssigned { .. })), "start of a stranger: {refused:?}");
    source.leave();
}

fn pauses_without_losing(subject: &Subject<'_>, whole: &Reads) {
    let mut source = (subject.open)();
    let gained = gain(&mut *source, subject.partitions);
    start_all(&mut *source, &gained);
    let mut reads = Reads::new();
    // Pauses the first partition that speaks, watches its silence, and goes on.
    let paused = loop {
        match source.poll(POLL).expect("poll") {
            Polled::Records(records) => {
                let partition = records.partition().clone();
                note(&mut reads, &records);
                break Some(partition);
            }
            event if whole.values().all(|read| read.records.is_empty()) => {
                end(&mut reads, &event);
                break None;
            }
            event => end(&mut reads, &event),
        }
    };
    if let Some(paused) = &paused {
        source.pause(paused);
        for event in watch(&mut *source, SILENCE) {
            match &event {
                Polled::Records(records) => {
                    assert_ne!(records.partition(), paused, "records of a paused partition");
                    note(&mut reads, records);
                }
                Polled::CaughtUp { partition, .. } | Polled::Ended { partition, .. } => {
                    assert_ne!(partition, paused, "the end of a paused partition");
                    end(&mut reads, &event);
                }
                _ => {}
            }
        }
        source.resume(paused);
    }
    finish(&mut *source, subject.bound, gained.len(), &mut reads);
    for (partition, read) in whole {
        let got = reads.get(partition).map(|read| read.records.as_slice()).unwrap_or_default();
        assert!(got == read.records, "partition {partition}: pausing lost or repeated records");
    }
    source.leave();
}

fn stops_and_starts_anywhere(subject: &Subject<'_>, whole: &Reads) {
    let mut source = (subject.open)();
    let gained = gain(&mut *source, subject.partitions);
    for partition in &gained {
        // Nothing to stop yet.
        source.stop(partition);
        source.start(partition, third(whole, partition.index, 1)).expect("the position is held");
    }
    let mut reads = Reads::new();
    if whole.values().any(|read| !read.records.is_empty()) {
        stops_amid_others(&mut *source, whole, &mut reads);
    }
    finish(&mut *source, subject.bound, gained.len(), &mut reads);
    // From the end back to the beginning, and forth to the end.
    for round in 0..=THIRDS {
        for partition in &gained {
            source.stop(partition);
            source.stop(partition);
        }
        for event in watch(&mut *source, SILENCE) {
            assert!(matches!(event, Polled::Idle), "while all are stopped came {event:?}");
        }
        for partition in &gained {
            source.start(partition, third(whole, partition.index, round)).expect("the position is held");
        }
        reads.clear();
        finish(&mut *source, subject.bound, gained.len(), &mut reads);
        assert_tails(whole, &reads, round);
    }
    source.leave();
}

/// Stops the first partition that speaks, paused as it is, while the others go on, and starts it further back.
fn stops_amid_others(source: &mut dyn Source, whole: &Reads, reads: &mut Reads) {
    let stopped = wait_for(source, |event| match event {
        Polled::Records(records) => {
            note(reads, records);
            Some(records.partition().clone())
        }
        event => {
            end(reads, event);
            None
        }
    });
    source.pause(&stopped);
    source.stop(&stopped);
    reads.remove(&stopped.index);
    for event in watch(source, SILENCE) {
        match &event {
            Polled::Records(records) => {
                assert_ne!(*records.partition(), stopped, "records of a stopped partition");
                note(reads, records);
            }
            Polled::CaughtUp { partition, .. } | Polled::Ended { partition, .. } => {
                assert_ne!(*partition, stopped, "the end of a stopped partition");
                end(reads, &event);
            }
            _ => {}
        }
    }
    source.start(&stopped, third(whole, stopped.index, 0)).expect("the position is held");
}

fn says_what_it_holds(subject: &Subject<'_>, whole: &Reads) {
    let mut source = (subject.open)();
    let gained = gain(&mut *source, subject.partitions);
    if let Some(count) = source.partitions().expect("the number of partitions") {
        assert!(gained.iter().all(|partition| partition.index < count), "{gained:?} of {count} partitions");
    }
    for partition in &gained {
        let read = &whole[&partition.index];
        let low = source.resolve(partition, Start::Earliest).expect("earliest is known");
        let high = read.end.expect("a whole read has an end");
        let expected = subject.knows_extent.then_some(Extent { low, high });
        assert_eq!(source.extent(partition).expect("the extent"), expected, "{partition}");
        let mut at = |position: i64| source.record_at(partition, Position(position)).expect("the record");
        if !subject.knows_records {
            assert_eq!(at(low.0), Held::Unknown, "{partition}: nothing held is not the same as not knowing");
            continue;
        }
        for record in sample(read) {
            assert_eq!(at(record.position), Held::Record(record.anchor()), "{partition}");
        }
        let holes = [low.0 - 1, high.0, high.0 + 1_000].into_iter().chain(hole(read, low));
        for position in holes {
            assert_eq!(at(position), Held::Nothing, "{partition} at {position}");
        }
    }
    let stranger = PartitionId { topic: gained[0].topic.clone(), index: 9_999 };
    let found = source.record_at(&stranger, Position(0));
    assert!(matches!(found, Err(_) | Ok(Held::Unknown)), "a record of a stranger: {found:?}");
    source.leave();
}

/// The first, the last, and some between.
fn sample(read: &Read) -> impl Iterator<Item = &ReadRecord> {
    let step = read.records.len().div_ceil(3).max(1);
    read.records.iter().step_by(step).chain(read.records.last())
}

/// A position that no record has, between two that have one.
fn hole(read: &Read, low: Position) -> Option<i64> {
    let mut expected = low.0;
    for record in &read.records {
        if record.position > expected {
            return Some(expected);
        }
        expected = record.position + 1;
    }
    None
}

fn looking_disturbs_no_reading(subject: &Subject<'_>, whole: &Reads) {
    let mut source = (subject.open)();
    let gained = gain(&mut *source, subject.partitions);
    start_all(&mut *source, &gained);
    let mut reads = Reads::new();
    if whole.values().any(|read| !read.records.is_empty()) {
        wait_for(&mut *source, |event| match event {
            Polled::Records(records) => {
                note(&mut reads, records);
                Some(())
            }
            event => {
                end(&mut reads, event);
                None
            }
        });
        for partition in &gained {
            for record in sample(&whole[&partition.index]) {
                source.record_at(partition, Position(record.position)).expect("the record");
            }
            source.extent(partition).expect("the extent");
        }
    }
    finish(&mut *source, subject.bound, gained.len(), &mut reads);
    for (partition, read) in whole {
        let got = reads.get(partition).map(|read| read.records.as_slice()).unwrap_or_default();
        assert!(got == read.records, "partition {partition}: looking lost or repeated records");
    }
    source.leave();
}

/// Takes partitions away and gives them back: silence after `Lost`, and a new start from any position.
///
/// # Panics
/// If the source breaks the contract.
pub fn loses(source: &mut dyn Source, lose: &mut dyn FnMut(&PartitionId), gain_back: &mut dyn FnMut(&PartitionId)) {
    let gained = gain(source, 1);
    let partition = gained[0].clone();
    let first = source.resolve(&partition, Start::Earliest).expect("earliest is known");
    source.start(&partition, first).expect("the first position is held");
    let before = wait_for(source, |event| match event {
        Polled::Records(records) if *records.partition() == partition => Some(positions(records)),
        _ => None,
    });
    lose(&partition);
    wait_for(source, |event| matches!(event, Polled::Lost(lost) if lost.contains(&partition)).then_some(()));
    for event in watch(source, SILENCE) {
        if let Polled::Records(records) = &event {
            assert_ne!(records.partition(), &partition, "records after lost");
        }
    }
    let refused = source.start(&partition, first);
    assert!(matches!(refused, Err(Error::NotAssigned { .. })), "start of a lost partition: {refused:?}");
    gain_back(&partition);
    wait_for(source, |event| matches!(event, Polled::Gained(gained) if gained.contains(&partition)).then_some(()));
    source.start(&partition, first).expect("the first position is held");
    let after = wait_for(source, |event| match event {
        Polled::Records(records) if *records.partition() == partition => Some(positions(records)),
        _ => None,
    });
    assert_eq!(before.first(), after.first(), "a new stay begins where it was told to");
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::{decode, files, simulated};

    #[test]
    fn files_keep_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..3 {
            let lines = (0..40).fold(String::new(), |mut lines, number| {
                writeln!(lines, r#"{{"device":"d","sensor":"s","ts":{number},"value":{file}}}"#).unwrap();
                lines
            });
            std::fs::write(folder.path().join(format!("{file}.jsonl")), lines).unwrap();
        }
        let config = files::Config { path: folder.path().display().to_string(), ..files::Config::default() };
        let open = || -> Box<dyn Source> {
            Box::new(files::FilesSource::new(&config, &decode::Config::default(), 7).unwrap())
        };
        let subject = Subject::new(1, Bound::PresentEnd, open);
        run(&Subject { knows_extent: false, knows_records: false, ..subject });
    }

    #[test]
    fn a_simulated_fleet_keeps_the_contract() {
        let config = simulated::Config { devices: 5, partitions: 4, ..simulated::Config::default() };
        let open = || -> Box<dyn Source> { Box::new(simulated::SimulatedSource::new(&config, 0, 2, 500).unwrap()) };
        run(&Subject { knows_extent: false, ..Subject::new(2, Bound::PresentEnd, open) });
    }
}

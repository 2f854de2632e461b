//! The laws of commits, each on places of its own.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use types::Position;

use super::batch::{Batch, state_after};
use super::fixture::{Stage, begin, claim, commit, partition, read, resume};
use crate::record::{Hex32, RecordKind};
use crate::{Claimed, Dataset, Error, Outcome, Sink};

pub(super) fn a_fresh_partition_holds_nothing(stage: &Stage) {
    let mut sink = stage.sink();
    assert!(matches!(sink.encode(&Batch::empty().commit(1)), Err(Error::NotClaimed)));
    let claimed = claim(&mut sink);
    assert!(matches!(claimed, Outcome::Claimed(Claimed::Vacant { is_new_partition: false })), "{claimed:?}");
    assert!(matches!(sink.poll(), Outcome::Idle));
    assert!(stage.objects(&stage.places.state).is_empty(), "asking writes nothing");
}

pub(super) fn a_log_begins_with_a_genesis_and_a_marker(stage: &Stage) {
    stage.begun();
    let objects = stage.objects(&stage.places.state);
    let names: Vec<&str> = objects.keys().map(String::as_str).collect();
    assert_eq!(names, ["plant-7/markers/readings-0", "plant-7/readings/0/log/00000000000000000000"]);
    let first = &stage.records()[0];
    let header = first.header();
    assert_eq!((header.kind, header.seq, header.previous), (RecordKind::Genesis, 0, None));
    let marker: serde_json::Value = serde_json::from_slice(&objects[names[0]]).expect("JSON");
    assert_eq!(marker["partitions"], 4);
    assert_eq!(marker["genesis"], header.genesis.to_string());
}

pub(super) fn what_was_committed_is_recovered(stage: &Stage) {
    let batch = Batch::of(40).with_refusals(7).with_runs();
    let mut sink = stage.begun();
    let committed = commit(&mut sink, &batch, 1000);
    assert_eq!((committed.seq, committed.next, committed.rows), (1, Position(1000), 40));
    assert_eq!(
        committed.files, 5,
        "two dates of predictions, one of late, two of quarantine; what tells of runs does not count"
    );
    let empty = commit(&mut sink, &Batch::empty(), 1001);
    assert_eq!((empty.seq, empty.files, empty.rows), (2, 0, 0));
    commit(&mut sink, &batch, 2000);
    drop(sink);

    let found = resume(&mut stage.sink());
    assert_eq!((found.header.seq, found.header.resume.next), (4, Position(2000)));
    let before: Vec<(u64, RecordKind)> = found.before.iter().map(|header| (header.seq, header.kind)).collect();
    assert_eq!(before, [(3, RecordKind::Data)]);
    assert_eq!(found.state, state_after(40));
    assert_eq!(stage.rows(&stage.places.predictions), 80);
    assert_eq!(stage.rows(&stage.places.late), 14);
    assert_eq!(stage.rows(&stage.places.quarantine), 14);
    assert_eq!(stage.rows(&stage.places.runs), 4);
}

pub(super) fn records_are_dense_and_name_the_one_before(stage: &Stage) {
    let mut sink = stage.begun();
    for next in 1..4 {
        commit(&mut sink, &Batch::of(6), next);
    }
    drop(sink);
    let mut sink = stage.sink();
    resume(&mut sink);
    commit(&mut sink, &Batch::empty().without_state(), 4);
    let records = stage.records();
    let kinds: Vec<RecordKind> = records.iter().map(|record| record.header().kind).collect();
    let data = RecordKind::Data;
    assert_eq!(kinds, [RecordKind::Genesis, data, data, data, RecordKind::Claim, data]);
    for (seq, pair) in (1..).zip(records.windows(2)) {
        let [before, record] = pair else { unreachable!("windows of two") };
        assert_eq!(record.header().seq, seq);
        assert_eq!(record.header().previous, Some(Hex32(before.hash())));
        assert_eq!(record.header().genesis, before.header().genesis);
        assert_ne!(record.header().nonce, before.header().nonce);
    }
    // The claim and what follows it without a state refer to the last one that was written.
    for record in &records[4..] {
        let state = record.header().state;
        assert_eq!((state.seq, state.hash), (3, Some(Hex32(records[3].hash()))));
        assert_eq!(record.state(), Ok(None));
    }
}

pub(super) fn only_finished_files_are_ever_seen(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(40).with_refusals(7).with_runs(), 1000);
    let places = &stage.places;
    for (dataset, place) in
        Dataset::ALL.iter().zip([&places.predictions, &places.late, &places.quarantine, &places.runs])
    {
        let objects = stage.objects(place);
        assert!(!objects.is_empty(), "{dataset}");
        for (name, bytes) in &objects {
            let (date, file) = name.split_once('/').expect("a folder a date");
            let date = date.strip_prefix("date=").expect("named so");
            assert!(file.starts_with("readings-00000-") && file.ends_with("-0000000001.parquet"), "{name}");
            let batch = read(bytes);
            assert_eq!(batch.schema().fields(), dataset.schema().fields(), "{dataset}");
            sorted_and_of_one_date(*dataset, &batch, date);
        }
        if let Some(root) = &place.local_root {
            let mut names = files_below(root, root);
            names.sort();
            assert!(names.iter().eq(objects.keys()), "only what is listed lies there: {names:?}");
        }
    }
}

fn sorted_and_of_one_date(dataset: Dataset, batch: &RecordBatch, date: &str) {
    if !matches!(dataset, Dataset::Predictions | Dataset::Late) {
        return;
    }
    let text = |name: &str| batch.column_by_name(name).expect(name).as_string::<i32>().clone();
    let starts =
        batch.column_by_name("window_start").expect("column").as_primitive::<TimestampMicrosecondType>().clone();
    let (device, sensor) = (text("device"), text("sensor"));
    let keys: Vec<_> = (0..batch.num_rows()).map(|i| (device.value(i), sensor.value(i), starts.value(i))).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let dates = starts.iter().flatten().map(|start| crate::names::Date::of(start).to_string());
    assert!(dates.into_iter().all(|found| found == date));
    assert_eq!(starts.null_count(), 0);
}

fn files_below(root: &Path, folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names.extend(files_below(root, &path));
        } else {
            names.push(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
        }
    }
    names
}

/// Only the record's random number differs.
pub(super) fn the_same_commit_has_the_same_files(stage: &Stage) {
    let mut sink = stage.begun();
    let batch = Batch::of(100).with_refusals(5).with_runs();
    let one = sink.encode(&batch.commit(7)).expect("encodes").record;
    let two = sink.encode(&batch.commit(7)).expect("encodes").record;
    assert_eq!(one.header().files, two.header().files);
    assert_eq!(one.bytes().len(), two.bytes().len());
    assert_ne!(one.header().nonce, two.header().nonce);
}

pub(super) fn partitions_do_not_meet(stage: &Stage) {
    let sinks = stage.sinks();
    for index in 0..3 {
        let mut sink = sinks.partition(&partition(index));
        begin(&mut sink);
        commit(&mut sink, &Batch::of(6), i64::from(index));
    }
    for index in 0..3 {
        let found = resume(&mut sinks.partition(&partition(index)));
        assert_eq!(found.header.resume.next, Position(i64::from(index)));
    }
    assert!(sinks.health().in_the_way().is_none());
}

pub(super) fn commits_out_of_turn_are_refused(stage: &Stage) {
    let mut sink = stage.begun();
    let stale = sink.encode(&Batch::of(6).commit(10)).expect("encodes");
    commit(&mut sink, &Batch::of(6), 10);
    sink.begin(stale);
    assert!(matches!(sink.poll(), Outcome::Failed(Error::OutOfTurn)));
    commit(&mut sink, &Batch::of(6), 20);
}

/// Neither many owners nor the removal of old records lose the state that all of them refer to.
pub(super) fn a_state_is_kept_as_long_as_a_record_refers_to_it(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(6), 10);
    drop(sink);
    for turn in 2..12 {
        let mut sink = stage.sink();
        let found = resume(&mut sink);
        assert_eq!((found.header.seq, found.header.state.seq), (turn, 1));
        assert_eq!(found.state, state_after(6));
        let before: Vec<u64> = found.before.iter().map(|header| header.seq).collect();
        assert_eq!(before, (1..turn).collect::<Vec<u64>>(), "back to the one that holds the state");
    }
    let records = stage.records();
    assert!(records.iter().any(|record| record.header().seq == 1), "the referent is there");
}

pub(super) fn readers_are_told_how_far_results_are_final(stage: &Stage) {
    let mut sink = stage.begun();
    for (next, complete_to) in [(10, 5_000_000), (20, 10_000_000)] {
        commit(&mut sink, &Batch::of(6).complete_to(complete_to), next);
        // What follows a commit ends before the next one begins.
        commit(&mut sink, &Batch::empty().complete_to(complete_to), next);
        let objects = stage.objects(&stage.places.state);
        let told: serde_json::Value = serde_json::from_slice(&objects["plant-7/readings/0/complete_to"]).expect("JSON");
        assert_eq!((&told["complete_to"], &told["partition"]), (&complete_to.into(), &0.into()));
        assert_eq!((&told["topic"], &told["next"]), (&"readings".into(), &next.into()));
    }
}

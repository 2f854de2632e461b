//! The laws, each on places of its own.

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use object_store::ObjectStoreExt;
use types::Position;

use super::fixture::{Batch, Stage, commit, identity, partition, read, try_commit};
use crate::{Dataset, Error, Identity, Kind, Outcome, Recovered, Sink};

pub(super) fn a_fresh_partition_holds_nothing(stage: &Stage) {
    let mut sink = stage.sink();
    assert!(matches!(sink.encode(&Batch::empty().commit(1)), Err(Error::NotRecovered)));
    assert_eq!(sink.recover().expect("nothing stands in the way"), None);
    assert!(matches!(sink.poll(), Outcome::Idle));
    assert!(stage.objects(&stage.places.state).is_empty(), "asking writes nothing");
}

pub(super) fn what_was_committed_is_recovered(stage: &Stage) {
    let batch = Batch::of(40).with_refusals(7);
    let mut sink = stage.sink();
    sink.recover().expect("fresh");
    let committed = commit(&mut sink, &batch, 1000);
    assert_eq!((committed.seq, committed.next, committed.rows), (1, Position(1000), 40));
    assert_eq!(committed.files, 5, "two dates of predictions, one of late, two of quarantine");
    let empty = commit(&mut sink, &Batch::empty(), 1001);
    assert_eq!((empty.seq, empty.files, empty.rows), (2, 0, 0));
    commit(&mut sink, &batch, 2000);
    drop(sink);

    let found = stage.sink().recover().expect("recovers").expect("was committed");
    assert_eq!(found, Recovered { next: Position(2000), state: batch.state.clone(), seq: 4 });
    assert_eq!(stage.rows(&stage.places.predictions), 80);
    assert_eq!(stage.rows(&stage.places.late), 14);
    assert_eq!(stage.rows(&stage.places.quarantine), 14);
}

pub(super) fn only_finished_files_are_ever_seen(stage: &Stage) {
    let mut sink = stage.sink();
    sink.recover().expect("fresh");
    commit(&mut sink, &Batch::of(40).with_refusals(7), 1000);
    let places = &stage.places;
    for (dataset, place) in Dataset::ALL.iter().zip([&places.predictions, &places.late, &places.quarantine]) {
        for (name, bytes) in stage.objects(place) {
            let (date, file) = name.split_once('/').expect("a folder a date");
            let date = date.strip_prefix("date=").expect("named so");
            assert!(file.starts_with("readings-00000-") && file.ends_with("-0000000001.parquet"), "{name}");
            let batch = read(&bytes);
            assert_eq!(batch.schema().fields(), dataset.schema().fields(), "{dataset}");
            sorted_and_of_one_date(*dataset, &batch, date);
        }
        if let Some(root) = &place.local_root {
            let strange = files_below(root).into_iter().filter(|name| !name.ends_with(".parquet")).count();
            assert_eq!(strange, 0);
        }
    }
}

fn sorted_and_of_one_date(dataset: Dataset, batch: &arrow::record_batch::RecordBatch, date: &str) {
    if dataset == Dataset::Quarantine {
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

fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.path().is_dir() {
            names.extend(files_below(&entry.path()));
        } else {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names
}

pub(super) fn the_same_commit_has_the_same_bytes(stage: &Stage) {
    let mut sink = stage.sink();
    sink.recover().expect("fresh");
    let batch = Batch::of(100).with_refusals(5);
    let one = sink.encode(&batch.commit(7)).expect("encodes");
    let two = sink.encode(&batch.commit(7)).expect("encodes");
    assert_eq!(one.contents, two.contents);
}

/// As a kill between the files and the state leaves it: the rows come again under another name, and none is lost.
pub(super) fn no_owner_reuses_a_name_of_the_owner_before(stage: &Stage) {
    let mut first = stage.sink();
    first.recover().expect("fresh");
    commit(&mut first, &Batch::of(6), 10);
    let state = stage.objects(&stage.places.state);
    commit(&mut first, &Batch::of(12), 20);
    drop(first);
    for (name, bytes) in state {
        let place = &stage.places.state;
        stage.runtime.block_on(place.store.put(&place.path(&name), bytes.into())).expect("puts back");
    }

    let mut second = stage.sink();
    let found = second.recover().expect("recovers").expect("was committed");
    assert_eq!(found.next, Position(10), "the state that was put back");
    let committed = commit(&mut second, &Batch::of(18), 30);
    assert_eq!(committed.seq, 3);
    assert_eq!(stage.rows(&stage.places.predictions), 6 + 12 + 18);
}

pub(super) fn the_second_of_two_owners_is_fenced(stage: &Stage) {
    let mut old = stage.sink();
    old.recover().expect("fresh");
    commit(&mut old, &Batch::of(6), 10);
    let mut new = stage.sink();
    new.recover().expect("recovers").expect("was committed");
    commit(&mut old, &Batch::of(7), 20);
    commit(&mut new, &Batch::of(8), 30);
    assert!(matches!(try_commit(&mut old, &Batch::of(9), 40), Outcome::Fenced));
    assert!(matches!(old.encode(&Batch::of(9).commit(40)), Err(Error::NotRecovered)));
    assert_eq!(stage.rows(&stage.places.predictions), 6 + 7 + 8);
}

pub(super) fn partitions_do_not_meet(stage: &Stage) {
    let sinks = stage.sinks();
    for index in 0..3 {
        let mut sink = sinks.partition(&partition(index));
        assert_eq!(sink.recover().expect("fresh"), None);
        commit(&mut sink, &Batch::of(6), i64::from(index));
    }
    for index in 0..3 {
        let found = sinks.partition(&partition(index)).recover().expect("recovers").expect("was committed");
        assert_eq!(found.next, Position(i64::from(index)));
    }
    assert!(sinks.health().is_ready());
}

pub(super) fn state_that_is_not_ours_is_refused(stage: &Stage) {
    let mut sink = stage.sink();
    sink.recover().expect("fresh");
    commit(&mut sink, &Batch::of(6), 10);
    drop(sink);

    let other_rules = Identity { fingerprint: "width=1h".to_owned(), ..identity() };
    let sinks = stage.sinks_of(other_rules).expect("usable");
    let error = sinks.partition(&partition(0)).recover().expect_err("other rules");
    let text = error.to_string();
    assert!(text.contains("`width=5s`") && text.contains("`width=1h`"), "{text}");
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.hint().expect("a remedy").contains("new id"));

    let place = &stage.places.state;
    let path = place.path("plant-7/readings/0/state");
    let put = |bytes: Vec<u8>| stage.runtime.block_on(place.store.put(&path, bytes.into())).expect("puts");
    let whole = stage.objects(place)["plant-7/readings/0/state"].to_vec();
    for cut in [0, 5, 12, 40, whole.len() - 1] {
        put(whole[..cut].to_vec());
        let error = stage.sink().recover().expect_err("cut short");
        assert!(matches!(error, Error::StateCorrupt { .. }), "{cut}: {error:?}");
        assert_eq!(error.kind(), Kind::Corrupt);
    }
    for at in [0, 13, 30, 60, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        put(changed);
        assert!(matches!(stage.sink().recover(), Err(Error::StateCorrupt { .. })), "{at}");
    }
    let mut later = whole.clone();
    later[8] = 9;
    put(later);
    assert!(matches!(stage.sink().recover(), Err(Error::StateTooNew { version: 9, .. })));

    let elsewhere = place.path("plant-7/readings/1/state");
    stage.runtime.block_on(place.store.put(&elsewhere, whole.clone().into())).expect("puts");
    let error = stage.sinks().partition(&partition(1)).recover().expect_err("another partition's");
    assert!(matches!(error, Error::StateForeign { .. }), "{error:?}");

    put(whole);
    assert!(stage.sink().recover().expect("whole again").is_some());
}

pub(super) fn commits_out_of_turn_are_refused(stage: &Stage) {
    let mut sink = stage.sink();
    sink.recover().expect("fresh");
    let stale = sink.encode(&Batch::of(6).commit(10)).expect("encodes");
    commit(&mut sink, &Batch::of(6), 10);
    sink.begin(stale);
    assert!(matches!(sink.poll(), Outcome::Failed(Error::OutOfTurn)));
    commit(&mut sink, &Batch::of(6), 20);
}

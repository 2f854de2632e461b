//! What is stored and cannot be trusted is refused, and said what to do about: never skipped, never begun anew.

use bytes::Bytes;

use super::batch::{Batch, NOW};
use super::fixture::{Stage, begin, claim, commit, identity, partition, resume};
use crate::record::{Damage, Header, Packed, Record};
use crate::{Error, Identity, Kind, Outcome, PartitionSink, RunRow, names};

const HEAD: &str = "plant-7/readings/0/log/00000000000000000002";

fn refused(sink: &mut PartitionSink) -> Error {
    match claim(sink) {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn two_commits(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(12).with_refusals(2), 10);
    commit(&mut sink, &Batch::of(6), 20);
}

pub(super) fn a_log_that_is_gone_is_not_begun_anew(stage: &Stage) {
    two_commits(stage);
    let state = &stage.places.state;
    let objects = stage.objects(state);
    let of_log: Vec<&String> = objects.keys().filter(|name| name.contains("/log/")).collect();
    of_log.iter().for_each(|name| stage.delete(state, name));
    let error = refused(&mut stage.sink());
    assert!(matches!(error, Error::LogMissing { .. }), "{error:?}");
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.hint().expect("a remedy").contains("state reset"));
    assert!(!stage.objects(state).keys().any(|name| name.contains("/log/")), "nothing was written");
    for name in of_log {
        stage.put(state, name, objects[name].clone());
    }
    resume(&mut stage.sink());
}

/// An older copy of the state beside newer datasets: going on from it would publish windows again.
pub(super) fn a_log_that_was_put_back_is_told(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(6), 10);
    let state = &stage.places.state;
    let backup = stage.objects(state);
    let mut later = Batch::of(12);
    later.runs.rows.push(RunRow { committed_at: NOW, seq: 1, ..RunRow::default() });
    commit(&mut sink, &later, 20);
    drop(sink);
    let newest = stage.objects(state);
    for name in newest.keys() {
        match backup.get(name) {
            Some(bytes) => stage.put(state, name, bytes.clone()),
            None => stage.delete(state, name),
        }
    }
    let error = refused(&mut stage.sink());
    assert!(matches!(&error, Error::LogBehind { head: 1, file, .. } if file.contains("-0000000002.")), "{error:?}");
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(error.hint().expect("a remedy").contains("state reset"));
    assert_eq!(stage.objects(state), backup, "nothing was written");

    let sinks = stage.sinks();
    let ahead = |head: &Header| sinks.file_ahead(&partition(0), head).expect("answers");
    let head = stage.records().pop().expect("a head");
    assert!(ahead(head.header()).is_some());
    assert_eq!(sinks.look_behind(&partition(0)).expect("answers").seq, 1_000_002, "beyond what its owner had reached");

    newest.iter().for_each(|(name, bytes)| stage.put(state, name, bytes.clone()));
    assert_eq!(ahead(head.header()), None, "the log goes on from there");
    resume(&mut stage.sink());
    // Files of other partitions, and of what came before, are nobody's future.
    let mut neighbour = sinks.partition(&partition(1));
    begin(&mut neighbour);
    resume(&mut sinks.partition(&partition(1)));
}

/// Cut short anywhere, changed anywhere, of a later format: an older record that is whole does not step in for it.
pub(super) fn a_damaged_head_is_refused_and_never_skipped(stage: &Stage) {
    two_commits(stage);
    let state = &stage.places.state;
    let whole = stage.objects(state)[HEAD].clone();
    for cut in [0, 5, 12, 40, whole.len() - 33, whole.len() - 1] {
        stage.put(state, HEAD, whole.slice(..cut));
        let error = refused(&mut stage.sink());
        assert!(matches!(error, Error::RecordCorrupt { .. }), "{cut}: {error:?}");
        assert_eq!(error.kind(), Kind::Corrupt);
        assert!(error.to_string().contains(HEAD), "{error}");
        assert!(error.hint().expect("a remedy").contains("state reset"));
    }
    for at in [0, 13, 30, 60, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.to_vec();
        changed[at] ^= 1;
        stage.put(state, HEAD, changed);
        assert!(matches!(refused(&mut stage.sink()), Error::RecordCorrupt { .. }), "{at}");
    }
    let mut later = whole.to_vec();
    later[8] = 9;
    stage.put(state, HEAD, later);
    let error = refused(&mut stage.sink());
    assert!(matches!(error, Error::RecordTooNew { version: 9, .. }), "{error:?}");
    assert_eq!(error.kind(), Kind::Input);

    stage.put(state, HEAD, whole);
    assert_eq!(resume(&mut stage.sink()).header.seq, 3);
}

pub(super) fn what_belongs_to_others_is_refused(stage: &Stage) {
    two_commits(stage);
    let other_rules = Identity { fingerprint: "width=1h".to_owned(), ..identity() };
    let sinks = stage.sinks_of(other_rules).expect("usable");
    let error = refused(&mut sinks.partition(&partition(0)));
    let text = error.to_string();
    assert!(text.contains("`width=5s`") && text.contains("`width=1h`"), "{text}");
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.hint().expect("a remedy").contains("new id"));

    let whole = stage.objects(&stage.places.state)[HEAD].clone();
    for elsewhere in ["plant-7/readings/1/log/00000000000000000002", "plant-7/readings/0/log/00000000000000000003"] {
        stage.put(&stage.places.state, elsewhere, whole.clone());
    }
    for index in [0, 1] {
        let error = refused(&mut stage.sinks().partition(&partition(index)));
        assert!(matches!(error, Error::RecordForeign { .. }), "{error:?}");
        assert_eq!(error.kind(), Kind::Corrupt);
    }
}

/// That is not the same as a record that was collected: the head did not move on.
pub(super) fn a_state_that_is_gone_is_told(stage: &Stage) {
    two_commits(stage);
    resume(&mut stage.sink());
    stage.delete(&stage.places.state, HEAD);
    let error = refused(&mut stage.sink());
    assert!(matches!(error, Error::RecordCorrupt { damage: Damage::Sections { .. }, .. }), "{error:?}");
    assert!(error.to_string().contains(HEAD), "{error}");
}

/// However it came about: a whole record that names a file outside of its own is not published.
pub(super) fn no_record_names_a_file_of_another(stage: &Stage) {
    two_commits(stage);
    let head = stage.records().pop().expect("a head");
    let genesis = head.header().genesis;
    let own = head.header().files[0].name.clone();
    let good = |name: &str, dataset: &str| names::is_file_of(name, dataset, &partition(0), genesis, 2);
    assert!(good(&own, "predictions"), "{own}");
    let before = stage.objects(&stage.places.predictions);
    for (dataset, name) in [
        ("predictions", own.replace("readings-00000", "readings-00001")),
        ("predictions", own.replace("date=", "../date=")),
        ("predictions", format!("date=2018-08-28/../{}", own.split_once('/').expect("a folder").1)),
        ("predictions", own.replace("0000000002", "0000000001")),
        ("predictions", own.replace("-0000000002", "-2")),
        ("predictions", own.replace(".parquet", ".txt")),
        ("predictions", own.replace(&genesis.to_string(), "00000000")),
        ("markers", "readings-1".to_owned()),
        ("markers", "../readings/0/log/00000000000000000009".to_owned()),
    ] {
        assert!(!good(&name, dataset), "{name}");
        let mut header: Header = head.header().clone();
        header.files[0].name = name.clone();
        header.files[0].dataset = dataset.to_owned();
        let files: Vec<Bytes> = (0..header.files.len()).map(|file| head.file(file)).collect();
        let state = Packed::new(&head.state().expect("unpacks").expect("its own")).bytes;
        let forged = Record::seal(header, Some(&state), &files);
        stage.put(&stage.places.state, HEAD, forged.bytes().clone());
        let error = refused(&mut stage.sink());
        assert!(matches!(error, Error::RecordForeign { .. }), "{name}: {error:?}");
    }
    assert_eq!(stage.objects(&stage.places.predictions), before);
}

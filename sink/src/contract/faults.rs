//! Storage that fails, and places that cannot work.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use types::Position;

use super::batch::Batch;
use super::faulty::{Fault, Faulty};
use super::fixture::{Bench, Stage, begin, claim, commit, identity, partition, resume};
use crate::record::RecordKind;
use crate::retries::Retries;
use crate::{Config, Error, Kind, Outcome, Places, Sink, Sinks};

fn broken(bench: &Bench, plan: &[Fault]) -> (Stage, Arc<Faulty>) {
    let mut stage = bench.anew();
    let faulty = Faulty::new(Arc::clone(&stage.places.state.store), plan);
    let Places { predictions, late, quarantine, runs, state } = &mut stage.places;
    for location in [predictions, late, quarantine, runs, state] {
        location.store = faulty.clone();
    }
    (stage, faulty)
}

/// Every put of a commit meets every fault, alone and in pairs.
#[test]
fn whatever_one_request_meets_everything_arrives() {
    let bench = Bench::memory();
    let batch = Batch::of(12).with_refusals(3);
    let faults = [Fault::FailsBefore, Fault::AppliedButAnswerLost, Fault::Slow, Fault::Denied];
    for place in 0..14 {
        for first in faults {
            for second in faults {
                let mut plan = vec![Fault::None; place];
                plan.extend([first, second]);
                let (stage, _) = broken(&bench, &plan);
                let sinks = stage.unchecked(identity()).expect("apart");
                let mut sink = sinks.partition(&partition(0));
                begin(&mut sink);
                commit(&mut sink, &batch, 10);
                commit(&mut sink, &batch, 20);
                assert!(sinks.health().troubles.is_empty(), "healed");
                drop(sink);
                let found = resume(&mut sinks.partition(&partition(0)));
                assert_eq!(found.header.resume.next, Position(20), "{plan:?}");
                assert_eq!(stage.rows(&stage.places.predictions), 24, "{plan:?}");
                assert_eq!(stage.rows(&stage.places.late), 6, "{plan:?}");
                assert_eq!(stage.rows(&stage.places.quarantine), 6, "{plan:?}");
            }
        }
    }
}

#[test]
fn a_right_taken_away_keeps_the_commit_pending_and_readiness_off() {
    let (stage, faulty) = broken(&Bench::memory(), &[Fault::Denied; 100_000]);
    let sinks = stage.unchecked(identity()).expect("apart");
    let mut sink = sinks.partition(&partition(0));
    claim(&mut sink);
    let frozen = sink.encode(&Batch::of(6).kind(RecordKind::Genesis).commit(10)).expect("encodes");
    sink.begin(frozen);
    assert!(matches!(sink.wait(Duration::from_millis(300)), Outcome::Pending));
    let health = sinks.health();
    assert!(health.in_the_way().is_some());
    assert!(health.troubles[0].stuck && health.troubles[0].hint.is_some(), "{health:?}");

    drop(sink);
    std::thread::park_timeout(Duration::from_millis(100));
    let puts = faulty.puts.load(Ordering::Relaxed);
    std::thread::park_timeout(Duration::from_millis(200));
    assert_eq!(faulty.puts.load(Ordering::Relaxed), puts, "nothing goes on after the sink is gone");
    assert!(sinks.health().in_the_way().is_none());
}

/// A request that fails while its sink is being dropped, on another thread.
#[test]
fn what_still_fails_of_a_lost_partition_is_nobodys_trouble() {
    let stage = Bench::memory().anew();
    let sinks = stage.sinks();
    let retries = Retries::new(Arc::clone(&sinks.shared), partition(0), 1);
    let fails = || stage.runtime.block_on(retries.pause(&store::Error::Full { place: "a disk".to_owned() }));
    fails();
    assert_eq!(sinks.health().troubles.len(), 1);
    retries.end();
    assert!(sinks.health().in_the_way().is_none());
    fails();
    assert!(sinks.health().troubles.is_empty(), "it stays so");
}

#[test]
fn polling_never_waits() {
    let (stage, faulty) = broken(&Bench::memory(), &[Fault::Held; 10]);
    let mut sink = stage.unchecked(identity()).expect("apart").partition(&partition(0));
    claim(&mut sink);
    let frozen = sink.encode(&Batch::of(6).kind(RecordKind::Genesis).commit(10)).expect("encodes");
    sink.begin(frozen);
    // If it waited, it would come back with what there is in the end.
    assert!(matches!(sink.poll(), Outcome::Pending));
    faulty.gate.close();
    assert!(matches!(sink.wait(super::fixture::WAIT), Outcome::Done(_)));
}

#[test]
fn places_that_overlap_are_refused() {
    let bench = Bench::memory();
    for (predictions, late, named) in [
        ("memory://apart/x", "memory://apart/x", "late"),
        ("memory://apart/x", "memory://apart/x/late", "late"),
        ("memory://apart/base/state/x", "memory://apart/y", "predictions"),
    ] {
        let config = Config {
            url: "memory://apart/base".to_owned(),
            predictions: Some(predictions.to_owned()),
            late: Some(late.to_owned()),
            ..Config::default()
        };
        let opened = Sinks::open(&config, &store::Config::default(), identity(), bench.runtime.handle().clone());
        let error = opened.expect_err("they overlap");
        assert!(matches!(&error, Error::Overlap { inner, .. } if *inner == named), "{error}");
        assert_eq!(error.kind(), Kind::Input);
    }
    let nowhere =
        Sinks::open(&Config::default(), &store::Config::default(), identity(), bench.runtime.handle().clone());
    assert!(matches!(nowhere, Err(Error::NoUrl { what: "predictions" })));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_at_start() {
    let bench = Bench::memory();
    let file = tempfile::NamedTempFile::new().expect("temp file");
    let config = Config { url: file.path().display().to_string(), ..Config::default() };
    let opened = Sinks::open(&config, &store::Config::default(), identity(), bench.runtime.handle().clone());
    let error = opened.expect_err("below a file");
    assert!(error.to_string().starts_with("cannot write to folder"), "{error}");
    assert!(error.hint().is_some());
}

/// Needs a small file system of its own: `mount -t tmpfs -o size=200k tmpfs DIR`, and `ATALAIA_TEST_SMALL_DISK=DIR`.
#[test]
fn a_full_disk_shows_nothing_and_the_commit_goes_on_when_there_is_room() {
    let Ok(disk) = std::env::var("ATALAIA_TEST_SMALL_DISK") else {
        eprintln!("SKIPPED: ATALAIA_TEST_SMALL_DISK is not set");
        return;
    };
    let folder = tempfile::tempdir_in(disk).expect("temp folder");
    let stage = Bench::local(folder.path()).anew();
    let sinks = stage.sinks();
    let mut sink = sinks.partition(&partition(0));
    begin(&mut sink);
    let mut size = 1 << 20;
    while size > 1024 {
        // What fits stays: in the end the disk is full to the last page.
        let _ = std::fs::write(folder.path().join(format!("filler-{size}")), vec![0; size]);
        size /= 2;
    }
    let frozen = sink.encode(&Batch::of(2000).commit(10)).expect("encodes");
    sink.begin(frozen);
    assert!(matches!(sink.wait(Duration::from_millis(500)), Outcome::Pending));
    let health = sinks.health();
    assert!(health.troubles[0].error.starts_with("no space left"), "{health:?}");
    assert!(stage.objects(&stage.places.predictions).is_empty(), "nothing partial is visible");

    for entry in std::fs::read_dir(folder.path()).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("filler-") {
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
    assert!(matches!(sink.wait(super::fixture::WAIT), Outcome::Done(_)));
    assert_eq!(stage.rows(&stage.places.predictions), 2000);
}

//! The laws of taking a partition over.

use std::time::Duration;

use types::{Micros, Position};

use super::batch::{Batch, NOTHING_OPEN, NOW};
use super::fixture::{Stage, begin, claim, claim_as, claim_now, commit, partition, resume, try_commit};
use crate::record::{Careful, Header, RecordKind};
use crate::{Claim, Claimed, Error, Outcome, PartitionSink, Sink};

const SECOND: Micros = 1_000_000;

pub(super) fn the_owner_before_is_fenced_at_its_next_commit(stage: &Stage) {
    let mut old = stage.begun();
    commit(&mut old, &Batch::of(6), 10);
    let mut new = stage.sink();
    resume(&mut new);
    assert!(matches!(try_commit(&mut old, &Batch::of(7), 20), Outcome::Fenced));
    assert!(matches!(old.encode(&Batch::of(9).commit(40)), Err(Error::NotClaimed)));
    commit(&mut new, &Batch::of(8), 30);
    assert_eq!(stage.rows(&stage.places.predictions), 6 + 8);

    // The fenced owner may take it back, and goes on from what the other left.
    let found = resume(&mut old);
    assert_eq!((found.header.resume.next, found.header.seq), (Position(30), 4));
    commit(&mut old, &Batch::of(9), 40);
    assert!(matches!(try_commit(&mut new, &Batch::of(7), 50), Outcome::Fenced));
    assert_eq!(stage.rows(&stage.places.predictions), 6 + 8 + 9);
}

/// As a kill between the record and its files leaves it.
pub(super) fn the_head_is_published_by_whoever_takes_over(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(12).with_refusals(2), 10);
    drop(sink);
    let places = &stage.places;
    let datasets = [&places.predictions, &places.late, &places.quarantine];
    let before = datasets.map(|place| stage.objects(place));
    for (place, objects) in datasets.iter().zip(&before) {
        objects.keys().for_each(|name| stage.delete(place, name));
    }
    resume(&mut stage.sink());
    assert_eq!(datasets.map(|place| stage.objects(place)), before);
}

/// An owner that had records to read, and time to commit some, and left nothing behind, counts.
pub(super) fn claims_in_vain_are_counted(stage: &Stage) {
    let mut sink = stage.begun();
    commit(&mut sink, &Batch::of(6), 10);
    let mut now = NOW;
    let mut claims = |seconds: Micros, high: Option<i64>| {
        now += seconds * SECOND;
        let claim = Claim { high: high.map(Position), ..claim_now(now) };
        header(&mut stage.sink(), claim).claims
    };
    assert_eq!(claims(61, Some(20)), 0, "the owner before committed something");
    assert_eq!(claims(61, Some(20)), 1);
    assert_eq!(claims(61, Some(20)), 2);
    assert_eq!(claims(59, Some(20)), 2, "it had no time");
    assert_eq!(claims(61, Some(10)), 3);
    assert_eq!(claims(61, None), 3, "it had nothing to read");
    assert_eq!(claims(61, Some(20)), 3, "nothing was known");
    assert_eq!(claims(61, Some(20)), 4);

    resume(&mut sink);
    commit(&mut sink, &Batch::of(6), 11);
    assert_eq!(claims(1000, Some(20)), 0, "progress");

    // Small commits take no interval.
    let mut careful = Batch::empty();
    careful.resume.careful = Some(Careful { level: 1 });
    resume(&mut sink);
    commit(&mut sink, &careful, 12);
    assert_eq!(claims(1, Some(20)), 0);
    assert_eq!(claims(1, Some(20)), 1);
}

fn header(sink: &mut PartitionSink, claim: Claim) -> Header {
    match claim_as(sink, claim) {
        Outcome::Claimed(Claimed::Resumed(resumed)) => {
            assert_eq!(resumed.header.kind, RecordKind::Claim);
            assert_eq!(resumed.header.lagging, claim.high.is_some_and(|high| high > resumed.header.resume.next));
            resumed.header
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_release_ends_the_counting(stage: &Stage) {
    let mut sink = stage.begun();
    let lagging = |now| Claim { high: Some(Position(20)), ..claim_now(now) };
    let hour = 3600 * SECOND;
    header(&mut sink, lagging(NOW));
    assert_eq!(header(&mut stage.sink(), lagging(NOW + hour)).claims, 1);

    let mut sink = stage.sink();
    resume(&mut sink);
    let released = commit(&mut sink, &Batch::empty().kind(RecordKind::Release).without_state(), 0);
    let mut sink = stage.sink();
    let found = resume(&mut sink);
    assert_eq!((found.header.claims, found.header.seq), (0, released.seq + 1));
    assert_eq!(found.before.last().map(|header| header.kind), Some(RecordKind::Release));
    assert_eq!(found.state, NOTHING_OPEN);
}

/// A topic has grown since the first log began: the partitions that it lacked then are read from their beginning, every
/// one of them, also when another of them was first.
pub(super) fn partitions_that_came_later_are_told(stage: &Stage) {
    let sinks = stage.sinks();
    begin(&mut sinks.partition(&partition(0)));
    let grown = |index: u32| {
        let mut sink = sinks.partition(&partition(index));
        let claim = Claim { partitions: Some(8), commit_interval: Duration::from_secs(60), ..claim_now(NOW) };
        let told = match claim_as(&mut sink, claim) {
            Outcome::Claimed(Claimed::Vacant { is_new_partition }) => is_new_partition,
            other => panic!("{other:?}"),
        };
        (told, sink)
    };
    assert!(!grown(3).0, "it was there, and nobody had come to it yet");
    let (told, mut sink) = grown(4);
    assert!(told);
    commit(&mut sink, &Batch::empty().kind(RecordKind::Genesis), 0);
    assert!(grown(5).0, "also when the fifth has its log already");
    assert!(!grown(3).0);

    // Another topic's partitions say nothing about this one's, whatever it is called.
    let other = |index| types::PartitionId { topic: "readings-2".into(), index };
    let claimed = claim(&mut sinks.partition(&other(6)));
    assert!(matches!(claimed, Outcome::Claimed(Claimed::Vacant { is_new_partition: false })), "{claimed:?}");
    let mut sink = sinks.partition(&types::PartitionId { topic: "read".into(), index: 0 });
    begin(&mut sink);
    let claimed = claim(&mut sinks.partition(&types::PartitionId { topic: "read-1".into(), index: 7 }));
    assert!(matches!(claimed, Outcome::Claimed(Claimed::Vacant { is_new_partition: false })), "{claimed:?}");
    begin(&mut sinks.partition(&types::PartitionId { topic: "pump-2".into(), index: 0 }));
    let claimed = claim(&mut sinks.partition(&types::PartitionId { topic: "pump".into(), index: 5 }));
    assert!(matches!(claimed, Outcome::Claimed(Claimed::Vacant { is_new_partition: false })), "{claimed:?}");
}

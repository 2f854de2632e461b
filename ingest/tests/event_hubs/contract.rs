//! The contract of sources.

use ingest::Bound;
use ingest::contract::{Subject, loses, run};

use crate::memberships::Manual;
use crate::{Service, partition};

#[test]
fn the_source_keeps_the_contract() {
    for bound in [Bound::PresentEnd, Bound::Unbounded] {
        let service = Service::start(2);
        let payloads = service.fill(2, 3000);
        run(&Subject { payloads: Some(payloads), ..Subject::new(2, bound, || service.source(bound)) });
    }
}

#[test]
fn an_empty_hub_keeps_the_contract() {
    for bound in [Bound::PresentEnd, Bound::Unbounded] {
        let service = Service::start(2);
        run(&Subject::new(2, bound, || service.source(bound)));
    }
}

#[test]
fn partitions_are_lost_and_gained_again() {
    let service = Service::start(1);
    service.fill(1, 2000);
    let manual = Manual::default();
    let mut source =
        service.source_with(&service.config(), Bound::Unbounded, Default::default(), Box::new(manual.member()));
    manual.gain(&[0]);
    loses(&mut *source, &mut |lost| manual.lose(&[lost.index]), &mut |gained| manual.gain(&[gained.index]));
    source.leave();
    assert_eq!(manual.notes(), Vec::<String>::new());
    let _ = partition(0);
}

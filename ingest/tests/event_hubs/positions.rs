//! Where reading begins, goes on, and cannot.

use std::time::Instant;

use emulator::{Command, Options};
use ingest::contract::{gain, wait_for};
use ingest::event_hubs::{self, Outgoing, Static};
use ingest::{Bound, Claim, Error, Extent, Held, Polled, Source, Start, Wanted};
use types::Position;

use crate::{HUB, POLL, Service, WAIT, partition, read};

/// A source of one partition, gained.
fn gained(service: &Service) -> Box<dyn Source> {
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source
}

#[test]
fn a_claim_goes_on_where_the_owner_before_stood() {
    for geo_offsets in [false, true] {
        let service =
            Service::with(Options { geo_offsets, consumer_groups: vec!["atalaia".into()], ..Options::hub(HUB, 1) });
        service.fill(1, 100);
        let mut source = gained(&service);
        let claim = Claim { number: 1, next: Position(0), offset: None };
        source.claimed(&partition(0), claim);
        source.start(&partition(0), Position(0)).unwrap();
        let offset = wait_for(&mut *source, |event| match event {
            Polled::Records(records) if records.next() == Position(100) => records.offset().map(str::to_owned),
            _ => None,
        });
        source.leave();
        service.fill(1, 50);

        for (next, offset) in [(Position(100), Some(offset.as_str())), (Position(100), None), (Position(40), None)] {
            let mut next_owner = gained(&service);
            next_owner.claimed(&partition(0), Claim { number: 2, next, offset });
            next_owner.start(&partition(0), next).unwrap();
            let count = usize::try_from(150 - next.0).unwrap();
            assert_eq!(read(&mut *next_owner, 0, count).first(), Some(&next.0), "{geo_offsets} {next} {offset:?}");
            next_owner.leave();
        }
        // An offset that is nobody's any more: by the number.
        let mut last = gained(&service);
        last.claimed(&partition(0), Claim { number: 3, next: Position(60), offset: Some("nothing:here") });
        last.start(&partition(0), Position(60)).unwrap();
        assert_eq!(read(&mut *last, 0, 90).first(), Some(&60));
        last.leave();
    }
}

#[test]
fn what_is_not_held_is_refused_and_told() {
    let service = Service::start(1);
    service.fill(1, 100);
    service.apply(Command::Expire { hub: HUB.into(), partition: 0, before: 40 });
    let mut source = gained(&service);
    assert_eq!(source.extent(&partition(0)).unwrap(), Some(Extent { low: Position(40), high: Position(100) }));
    let refused = source.start(&partition(0), Position(39));
    assert!(matches!(refused, Err(Error::PositionExpired { low: Position(40), .. })), "{refused:?}");
    let refused = source.start(&partition(0), Position(101));
    assert!(matches!(refused, Err(Error::PositionAhead { high: Position(100), .. })), "{refused:?}");
    source.start(&partition(0), Position(40)).unwrap();
    assert_eq!(read(&mut *source, 0, 60), (40..100).collect::<Vec<i64>>());

    // All of it expires: it ends where it begins, and goes on.
    service.apply(Command::Expire { hub: HUB.into(), partition: 0, before: 100 });
    assert_eq!(source.extent(&partition(0)).unwrap(), Some(Extent { low: Position(100), high: Position(100) }));
    assert_eq!(source.record_at(&partition(0), Position(99)).unwrap(), Held::Nothing);
    source.start(&partition(0), Position(100)).unwrap();
    wait_for(&mut *source, |event| matches!(event, Polled::CaughtUp { position: Position(100), .. }).then_some(()));
    service.fill(1, 5);
    assert_eq!(read(&mut *source, 0, 5), (100..105).collect::<Vec<i64>>());
    source.leave();
}

#[test]
fn what_expires_while_nobody_can_read_is_told() {
    let mut service = Service::start(1);
    service.fill(1, 100);
    let mut source = gained(&service);
    source.start(&partition(0), Position(0)).unwrap();
    assert_eq!(read(&mut *source, 0, 100).len(), 100);
    // Without the links: they are detached, and what comes next is gone before they are back.
    service.apply(Command::Delay { milliseconds: 1500 });
    service.apply(Command::Detach {
        hub: None,
        partition: Some(0),
        links: emulator::Links::All,
        condition: "amqp:link:detach-forced".into(),
        description: None,
    });
    service.apply(Command::Fill { hub: HUB.into(), partition: 0, count: 50, bytes: 20 });
    service.apply(Command::Expire { hub: HUB.into(), partition: 0, before: 120 });
    service.apply(Command::Delay { milliseconds: 0 });
    let deadline = Instant::now() + WAIT;
    let error = loop {
        match source.poll(POLL) {
            Err(error) => break error,
            Ok(Polled::Records(records)) => {
                let first = records.iter().next().unwrap().position;
                panic!("went on at {first}, over a gap")
            }
            Ok(_) => assert!(Instant::now() < deadline, "nothing was told"),
        }
    };
    assert!(matches!(error, Error::PositionExpired { position: Position(100), low: Position(120), .. }), "{error:?}");
    // It waits for a start, and polling goes on.
    assert!(matches!(source.poll(POLL).unwrap(), Polled::Idle));
    source.start(&partition(0), Position(120)).unwrap();
    assert_eq!(read(&mut *source, 0, 30), (120..150).collect::<Vec<i64>>());
    source.leave();
    service.stop();
}

/// The link stays all the while: a slow reader is overtaken by retention.
#[test]
fn what_expires_before_a_reader_that_is_paused_is_told() {
    let service = Service::start(1);
    service.fill(1, 100);
    let config = event_hubs::Config { prefetch: 10, ..service.config() };
    let mut source = service.source_with(&config, Bound::Unbounded, Wanted::default(), Box::new(Static::new(0, 1)));
    gain(&mut *source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    wait_for(&mut *source, |event| matches!(event, Polled::Records(_)).then_some(()));
    source.pause(&partition(0));
    // What was asked for before comes, and no more.
    service.pause(std::time::Duration::from_millis(500));
    service.apply(Command::Expire { hub: HUB.into(), partition: 0, before: 60 });
    source.resume(&partition(0));
    let (mut next, deadline) = (0, Instant::now() + WAIT);
    let error = loop {
        match source.poll(POLL) {
            Err(error) => break error,
            Ok(Polled::Records(records)) => {
                assert!(records.next() < Position(60), "went on at {:?}, over a gap", records.next());
                next = records.next().0;
            }
            Ok(_) => assert!(Instant::now() < deadline, "nothing was told"),
        }
    };
    assert!(
        matches!(error, Error::PositionExpired { position, low: Position(60), .. } if position.0 >= next),
        "{error:?}"
    );
    source.leave();
}

#[test]
fn a_hub_that_was_made_anew_is_not_read_on() {
    // Who is back before the new hub is filled finds it too short; that is right as well, and another test's matter.
    let is_told = || match what_a_new_hub_is_told_as() {
        Error::EventHubs(event_hubs::Error::HubReplaced { .. }) => true,
        Error::PositionAhead { .. } => false,
        other => panic!("{other:?}"),
    };
    assert!((0..5).any(|_| is_told()), "five times it was looked at before it was filled");
}

fn what_a_new_hub_is_told_as() -> Error {
    let mut service = Service::start(1);
    service.fill(1, 10);
    let mut source = gained(&service);
    source.start(&partition(0), Position(0)).unwrap();
    assert_eq!(read(&mut *source, 0, 10).len(), 10);
    // In memory: all is gone, and the same numbers come again.
    service.restart();
    service.fill(1, 30);
    let deadline = Instant::now() + WAIT;
    let error = loop {
        match source.poll(POLL) {
            Err(error) => break error,
            Ok(Polled::Records(records)) => panic!("{} records of another hub", records.len()),
            Ok(_) => assert!(Instant::now() < deadline, "nothing was told"),
        }
    };
    source.leave();
    error
}

#[test]
fn times_find_the_first_event_that_is_not_before_them() {
    let service = Service::start(1);
    let mut producer = service.producer();
    for number in 0..6 {
        let payload = number.to_string();
        producer.send(Outgoing { payload: Some(payload.as_bytes()), ..Outgoing::default() }).unwrap();
        producer.flush(WAIT).unwrap();
        service.pause(std::time::Duration::from_millis(15));
    }
    let mut source = gained(&service);
    source.start(&partition(0), Position(0)).unwrap();
    let mut times = Vec::new();
    while times.len() < 6 {
        if let Polled::Records(records) = source.poll(POLL).unwrap() {
            times.extend(records.iter().map(|record| record.broker_time.unwrap()));
        }
    }
    source.stop(&partition(0));
    let mut resolve = |start| source.resolve(&partition(0), start).unwrap().0;
    for (number, time) in (0..).zip(&times) {
        assert_eq!(resolve(Start::Time(*time)), number, "exactly then");
        assert_eq!(resolve(Start::Time(time - 1)), number, "a microsecond before");
        assert_eq!(resolve(Start::Time(time + 1)), number + 1, "a microsecond after");
    }
    assert_eq!(resolve(Start::Earliest), 0);
    assert_eq!(resolve(Start::Latest), 6);
    assert_eq!(resolve(Start::Time(0)), 0);
    source.leave();
}

#[test]
fn partitions_are_added() {
    let service = Service::start(1);
    let config = service.config();
    let mut source = service.source_with(&config, Bound::Unbounded, Wanted::default(), Box::new(Static::new(0, 1)));
    gain(&mut *source, 1);
    assert_eq!(source.partitions().unwrap(), Some(1));
    service.apply(Command::AddPartitions { hub: HUB.into(), count: 2 });
    assert_eq!(source.partitions().unwrap(), Some(3));
    let mut more = Vec::new();
    while more.len() < 2 {
        more.extend(gain(&mut *source, 1));
    }
    assert_eq!(more, [partition(1), partition(2)]);
    source.leave();
}

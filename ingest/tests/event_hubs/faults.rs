//! What happens to connections and links: nothing is lost, nothing comes twice, and whoever was cut off hears of it.

use std::path::Path;
use std::time::{Duration, Instant};

use emulator::{Command, Links, Options};
use ingest::contract::{gain, wait_for};
use ingest::event_hubs::{Outgoing, Producer, Static};
use ingest::{Bound, Claim, Polled, Source, Wanted};
use types::Position;

use crate::memberships::Manual;
use crate::{HUB, POLL, Service, partition, read};

const RECORDS: usize = 20_000;

/// Reads all that a partition gets while things happen to it, in parts.
fn survives(service: &mut Service, happen: &mut dyn FnMut(&mut Service, usize)) {
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source.claimed(&partition(0), Claim { number: 5, next: Position(0), offset: None });
    source.start(&partition(0), Position(0)).unwrap();
    let mut positions = Vec::new();
    const PARTS: usize = 4;
    for part in 0..PARTS {
        let fill = Command::Fill { hub: HUB.into(), partition: 0, count: RECORDS / PARTS, bytes: 100 };
        service.apply(fill);
        // In the middle of it.
        positions.extend(read(&mut *source, 0, RECORDS / PARTS / 3));
        happen(service, part);
        let left = RECORDS / PARTS * (part + 1) - positions.len();
        positions.extend(read(&mut *source, 0, left));
    }
    let expected: Vec<i64> = (0..).take(RECORDS).collect();
    assert!(positions == expected, "lost or repeated records");
    wait_for(&mut *source, |event| match event {
        Polled::CaughtUp { position, .. } => Some(*position),
        _ => None,
    });
    source.leave();
}

#[test]
fn dropped_connections() {
    survives(&mut Service::start(1), &mut |service, _| {
        service.apply(Command::Drop { connection: None });
    });
}

#[test]
fn half_open_connections() {
    let mut times = 0;
    survives(&mut Service::start(1), &mut |service, part| {
        // Once: it takes a while to be sure that nobody answers.
        if part == 1 {
            service.apply(Command::HalfOpen { connection: None });
            times += 1;
        }
    });
    assert_eq!(times, 1);
}

#[test]
fn closed_connections_and_detached_links() {
    let detach = |condition: &str| Command::Detach {
        hub: None,
        partition: Some(0),
        links: Links::All,
        condition: condition.into(),
        description: None,
    };
    let commands = [
        Command::Close { connection: None, condition: "amqp:connection:forced".into(), description: None },
        detach("amqp:link:detach-forced"),
        detach("amqp:internal-error"),
        detach("com.microsoft:timeout"),
    ];
    survives(&mut Service::start(1), &mut |service, part| {
        service.apply(commands[part].clone());
    });
}

#[test]
fn ended_sessions() {
    let ends = [None, Some("amqp:internal-error"), None, Some("com.microsoft:timeout")];
    survives(&mut Service::start(1), &mut |service, part| {
        service.apply(Command::End { connection: None, condition: ends[part].map(str::to_owned) });
    });
}

/// The numbers of those that are open: a connection that was made anew has another.
fn connections(service: &Service) -> serde_json::Value {
    let statistics: serde_json::Value = serde_json::from_str(&service.apply(Command::Statistics)).unwrap();
    statistics["connections"].clone()
}

/// Readers that are stopped while they attach or ask something do not take the connection from the others.
#[test]
fn starts_given_up_at_any_moment() {
    const PARTITIONS: u32 = 8;
    let service = Service::start(PARTITIONS as usize);
    let mut source = service.source(Bound::Unbounded);
    let gained = gain(&mut *source, PARTITIONS as usize);
    let before = connections(&service);
    for round in 0..200_u64 {
        for partition in &gained {
            source.start(partition, Position(0)).unwrap();
        }
        service.pause(Duration::from_micros(round * 53 % 4000));
        for partition in &gained {
            source.stop(partition);
        }
    }
    for partition in &gained {
        assert!(source.extent(partition).unwrap().is_some());
    }
    assert_eq!(connections(&service), before);
    source.leave();
}

/// Events are on their way to a partition that is stopped, and go on to the other over the same connection.
#[test]
fn a_stop_in_a_flood_of_events() {
    let service = Service::start(2);
    for partition in 0..2 {
        service.apply(Command::Fill { hub: HUB.into(), partition, count: 10_000, bytes: 100 });
    }
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 2);
    source.start(&partition(1), Position(0)).unwrap();
    read(&mut *source, 1, 10_000);
    let before = connections(&service);
    for round in 0..300 {
        source.start(&partition(0), Position(0)).unwrap();
        read(&mut *source, 0, 1);
        // It has asked for many more, and they are coming.
        service.pause(Duration::from_micros(round * 29 % 2000));
        source.stop(&partition(0));
    }
    assert_eq!(connections(&service), before);
    source.leave();
}

#[test]
fn partitions_at_their_end_are_told_beside_one_with_a_backlog() {
    let service = Service::start(2);
    service.apply(Command::Fill { hub: HUB.into(), partition: 0, count: 200_000, bytes: 10 });
    let mut source = service.source(Bound::Unbounded);
    for partition in gain(&mut *source, 2) {
        source.start(&partition, Position(0)).unwrap();
    }
    let mut records = 0;
    let told = wait_for(&mut *source, |event| match event {
        Polled::Records(batch) => {
            records += batch.len();
            service.pause(Duration::from_millis(10));
            None
        }
        Polled::CaughtUp { partition, .. } => Some(partition.index),
        _ => None,
    });
    assert_eq!(told, 1);
    assert!(records < 200_000, "only when all was read");
    source.leave();
}

#[test]
fn more_partitions_than_a_connection_has_channels_by_default() {
    const PARTITIONS: usize = 300;
    let service = Service::start(PARTITIONS);
    let mut source = service.source(Bound::Unbounded);
    let gained = gain(&mut *source, PARTITIONS);
    for partition in &gained {
        source.start(partition, Position(0)).unwrap();
    }
    let before = connections(&service);
    service.fill(PARTITIONS as u32, 3000);
    let mut read = 0;
    while read < 3000 {
        read += wait_for(&mut *source, |event| match event {
            Polled::Records(records) => Some(records.len()),
            _ => None,
        });
    }
    assert!(connections(&service).as_array().unwrap().starts_with(before.as_array().unwrap()));
    source.leave();
}

/// A service that comes back with its data.
fn keeping(data: &Path) -> Service {
    let consumer_groups = vec!["atalaia".into()];
    Service::with(Options { data: Some(data.to_owned()), consumer_groups, ..Options::hub(HUB, 1) })
}

/// While nobody answers, questions do not pile up.
#[test]
fn a_service_that_is_away_for_long() {
    let data = tempfile::tempdir().unwrap();
    let mut service = keeping(data.path());
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    let caught_up = |event: &Polled| matches!(event, Polled::CaughtUp { .. }).then_some(());
    wait_for(&mut *source, caught_up);
    service.stop();
    let tasks = |after: u64, source: &mut dyn Source| {
        let end = Instant::now() + Duration::from_secs(after);
        while Instant::now() < end {
            source.poll(POLL).unwrap();
        }
        service.runtime().metrics().num_alive_tasks()
    };
    let early = tasks(6, &mut *source);
    let late = tasks(16, &mut *source);
    assert!(late <= early + 3, "{early} tasks, then {late}");
    service.restart();
    wait_for(&mut *source, caught_up);
    source.leave();
}

/// The service takes the tokens of a key that has no right to what they are for, and perhaps answers its questions.
#[test]
fn a_missing_right_is_told_at_the_start_and_waited_for_later() {
    for but_management in [false, true] {
        let service = Service::start(1);
        let refuse = |seconds| service.apply(Command::RefuseRights { seconds, but_management });
        refuse(3600.0);
        let mut source = service.source(Bound::Unbounded);
        let deadline = Instant::now() + Duration::from_secs(30);
        let error = loop {
            assert!(Instant::now() < deadline, "nothing is said");
            match source.poll(POLL) {
                Ok(Polled::Gained(gained)) => gained.iter().for_each(|own| source.start(own, Position(0)).unwrap()),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, ingest::Error::EventHubs(ingest::event_hubs::Error::NotAllowed { .. })), "{error:?}");
        source.leave();

        refuse(0.0);
        let mut source = service.source(Bound::Unbounded);
        gain(&mut *source, 1);
        source.start(&partition(0), Position(0)).unwrap();
        service.fill(1, 10);
        read(&mut *source, 0, 10);
        let number = |connections: serde_json::Value| connections.as_array().and_then(|all| all.last()?.as_u64());
        let before = number(connections(&service)).unwrap();
        refuse(10.0);
        service.apply(Command::ExpireTokens);
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            source.poll(POLL).unwrap();
        }
        service.fill(1, 10);
        read(&mut *source, 0, 10);
        let made = number(connections(&service)).unwrap() - before;
        assert!((2..=20).contains(&made), "{made} connections in ten seconds");
        source.leave();
    }
}

/// Time is not spent on a service that is away beyond what a caller gives.
#[test]
fn a_flush_ends_when_it_is_to_end() {
    let mut service = Service::start(8);
    let mut producer = service.producer();
    producer.partitions(Duration::from_secs(20)).unwrap();
    service.stop();
    for partition in 0..8 {
        producer.send(Outgoing { partition: Some(partition), key: None, payload: Some(b"x") }).unwrap();
    }
    let begun = Instant::now();
    let failed = producer.flush(Duration::from_secs(3));
    assert!(matches!(failed, Err(ingest::Error::Undelivered { failed: 8, .. })), "{failed:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_busy_service() {
    survives(&mut Service::start(1), &mut |service, part| {
        if part == 1 {
            service.apply(Command::Throttle { seconds: 2.0 });
            service.apply(Command::Drop { connection: None });
        }
    });
}

#[test]
fn tokens_that_expire_in_mid_stream() {
    survives(&mut Service::start(1), &mut |service, part| {
        if part == 1 {
            service.apply(Command::RefuseTokens { seconds: 1.0 });
        }
        service.apply(Command::ExpireTokens);
    });
}

#[test]
fn a_service_that_was_restarted_with_its_data() {
    let data = tempfile::tempdir().unwrap();
    let mut service = keeping(data.path());
    survives(&mut service, &mut |service, part| {
        if part.is_multiple_of(2) {
            service.restart();
        }
    });
}

#[test]
fn a_higher_epoch_takes_the_partition_away() {
    let service = Service::start(1);
    service.fill(1, 100);
    let manual = Manual::default();
    let mut source =
        service.source_with(&service.config(), Bound::Unbounded, Wanted::default(), Box::new(manual.member()));
    manual.gain(&[0]);
    gain(&mut *source, 1);
    source.claimed(&partition(0), Claim { number: 3, next: Position(0), offset: None });
    source.start(&partition(0), Position(0)).unwrap();
    assert_eq!(read(&mut *source, 0, 100).len(), 100);

    let mut other = service.source(Bound::Unbounded);
    gain(&mut *other, 1);
    other.claimed(&partition(0), Claim { number: 4, next: Position(100), offset: None });
    other.start(&partition(0), Position(100)).unwrap();
    wait_for(&mut *source, |event| matches!(event, Polled::Lost(lost) if *lost == [partition(0)]).then_some(()));
    assert_eq!(manual.notes(), ["0 stolen"]);

    // Under the old claim it cannot come back: it is lost again, and the other one reads on.
    manual.gain(&[0]);
    wait_for(&mut *source, |event| matches!(event, Polled::Gained(gained) if *gained == [partition(0)]).then_some(()));
    source.claimed(&partition(0), Claim { number: 3, next: Position(0), offset: None });
    source.start(&partition(0), Position(0)).unwrap();
    wait_for(&mut *source, |event| matches!(event, Polled::Lost(_)).then_some(()));
    service.fill(1, 20);
    assert_eq!(read(&mut *other, 0, 20), (100..120).collect::<Vec<i64>>());
    source.leave();
    other.leave();
}

#[test]
fn a_static_member_comes_back_for_what_was_stolen() {
    let service = Service::start(1);
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    service.fill(1, 10);
    read(&mut *source, 0, 10);
    service.apply(Command::Steal { hub: HUB.into(), partition: 0, group: "atalaia".into(), epoch: None, seconds: 0.5 });
    wait_for(&mut *source, |event| matches!(event, Polled::Lost(_)).then_some(()));
    wait_for(&mut *source, |event| matches!(event, Polled::Gained(_)).then_some(()));
    source.start(&partition(0), Position(4)).unwrap();
    assert_eq!(read(&mut *source, 0, 6), [4, 5, 6, 7, 8, 9]);
    source.leave();
}

#[test]
fn a_paused_partition_is_silent_and_loses_nothing() {
    let service = Service::start(1);
    let config = ingest::event_hubs::Config { prefetch: 300, ..service.config() };
    let member = Box::new(Static::new(0, 1));
    let mut source = service.source_with(&config, Bound::Unbounded, Wanted::default(), member);
    gain(&mut *source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    source.pause(&partition(0));
    service.apply(Command::Fill { hub: HUB.into(), partition: 0, count: 5000, bytes: 50 });
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert!(matches!(source.poll(POLL).unwrap(), Polled::Idle), "while it is paused");
    }
    source.resume(&partition(0));
    assert_eq!(read(&mut *source, 0, 5000).len(), 5000);
    source.leave();
}

#[test]
fn a_producer_repeats_what_the_service_had_no_time_for() {
    let service = Service::start(1);
    let mut producer: Producer = service.producer();
    for number in 0..3_u32 {
        let payload = number.to_string();
        let record = Outgoing { payload: Some(payload.as_bytes()), ..Default::default() };
        producer.send(record).unwrap();
        match number {
            0 => drop(service.apply(Command::Throttle { seconds: 1.0 })),
            1 => drop(service.apply(Command::Drop { connection: None })),
            _ => drop(service.apply(Command::ExpireTokens)),
        }
        assert_eq!(producer.flush(Duration::from_secs(40)).unwrap(), 1);
    }
    // What was stored before its acknowledgement was lost is sent again: in order, and nothing is missing.
    let mut payloads = read_all(&service);
    payloads.dedup();
    assert_eq!(payloads, [b"0", b"1", b"2"]);
}

/// The payloads that the one partition holds.
fn read_all(service: &Service) -> Vec<Vec<u8>> {
    let mut source = service.source(Bound::Unbounded);
    gain(&mut *source, 1);
    source.start(&partition(0), Position(0)).unwrap();
    let mut payloads = Vec::new();
    wait_for(&mut *source, |event| match event {
        Polled::Records(records) => {
            payloads.extend(records.iter().map(|record| record.payload.unwrap_or_default().to_vec()));
            None
        }
        Polled::CaughtUp { .. } => Some(()),
        _ => None,
    });
    source.leave();
    payloads
}

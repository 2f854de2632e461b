//! The laws of the fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use types::{Micros, PartitionId, Position, Span};

use crate::{Polled, Source, Start};

use super::fleet::partition_of;
use super::schedule::Habit;
use super::*;

const MINUTE: Micros = 60_000_000;

/// A small fleet in which everything happens within hours.
fn small() -> Config {
    Config {
        devices: 7,
        sensors: vec!["temperature".into(), "vibration".into()],
        partitions: 3,
        duration: Span::from_secs(4 * 3600),
        clean_lead: Span::from_secs(3600),
        faulty: 1.0,
        fault_every: Span::from_secs(1800),
        fault_duration: Span::from_secs(600),
        outage_every: Span::from_secs(3600),
        outage_duration: Span::from_secs(1200),
        habits: Habits::none(),
        ..Config::default()
    }
}

fn fleet(config: &Config) -> Fleet {
    Fleet::new(config).expect("a fleet")
}

fn bytes(config: &Config) -> Vec<u8> {
    let fleet = fleet(config);
    let mut encoder = Encoder::new(&fleet);
    let mut out = Vec::new();
    for event in fleet.events() {
        encoder.json(&event, &mut out);
        out.extend_from_slice(format!(" {} {}\n", event.partition, event.arrival).as_bytes());
    }
    out
}

/// Readings by device and sensor in order of arrival.
fn by_series(events: impl Iterator<Item = Event>) -> BTreeMap<(u32, u32), Vec<Event>> {
    let mut series = BTreeMap::<_, Vec<_>>::new();
    for event in events.filter(|event| event.content == Content::Reading) {
        series.entry((event.device, event.sensor)).or_default().push(event);
    }
    series
}

fn in_order(events: &[Event]) -> bool {
    events.windows(2).all(|pair| pair[0].time <= pair[1].time)
}

// === laws on any settings ===

fn configs() -> impl Strategy<Value = Config> {
    let habits = prop::array::uniform6(0.0..0.16);
    let shares = (0.0..1.0, prop_oneof![Just(0.0), 0.0..0.2], prop_oneof![Just(0.0), 0.0..0.2]);
    (any::<u64>(), 1..9_u32, 1..5_u32, 1..4_usize, 1000..90_000_u64, habits, shares, prop_oneof![Just(0), 0..5000_u64])
        .prop_map(|(seed, devices, partitions, sensors, interval, habits, (faulty, late, malformed), disorder)| {
            let [offline, newest_first, bursts, slow_clock, fast_clock, frozen_clock] = habits;
            let mut config = small();
            config.sensors = ["temperature", "flow", "tag_1"][..sensors].iter().map(|s| (*s).into()).collect();
            Config {
                seed,
                devices,
                partitions,
                interval: Span::from_millis(interval),
                duration: Span::from_secs(2 * 3600),
                clean_lead: Span::from_secs(600),
                disorder: Span::from_millis(disorder),
                habits: Habits { offline, newest_first, bursts, slow_clock, fast_clock, frozen_clock },
                faulty,
                late,
                malformed,
                ..config
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn arrivals_never_go_back_and_numbers_count(config in configs()) {
        let fleet = fleet(&config);
        let mut last = Micros::MIN;
        let mut numbers = vec![0; config.partitions as usize];
        let mut end = config.start.0;
        for event in fleet.events() {
            prop_assert!(last <= event.arrival, "{last} {event:?}");
            last = event.arrival;
            prop_assert_eq!(event.number, numbers[event.partition as usize]);
            numbers[event.partition as usize] += 1;
            prop_assert_eq!(event.partition, partition_of(fleet.device_name(event.device).as_bytes(), config.partitions));
            prop_assert!(event.time >= config.start.0 && event.value.is_finite());
            end = end.max(event.time);
        }
        prop_assert!(end < config.end() + 4 * MINUTE);
    }

    #[test]
    fn the_same_settings_give_the_same_bytes(config in configs()) {
        prop_assert!(bytes(&config) == bytes(&config));
    }

    #[test]
    fn a_restart_at_any_position_gives_the_same_tail(config in configs(), cut in any::<prop::sample::Index>()) {
        let fleet = fleet(&config);
        for index in 0..config.partitions {
            let all: Vec<Event> = fleet.partition(index).collect();
            let cut = if all.is_empty() { 0 } else { cut.index(all.len()) };
            let mut source = SimulatedSource::new(&config, 0, 1, 97).expect("a source");
            let partition = gained(&mut source)[index as usize].clone();
            source.start(&partition, Position(cut as i64)).expect("a position within the run");
            let tail = drain(&mut source);
            prop_assert_eq!(tail.len(), all.len() - cut);
            let same = |(record, event): (&Seen, &Event)| {
                record.position == event.number && record.broker_time == event.arrival
            };
            prop_assert!(tail.iter().zip(&all[cut..]).all(same));
        }
    }

    #[test]
    fn episodes_lie_after_the_clean_lead_and_within_the_run(config in configs()) {
        let fleet = fleet(&config);
        let lead = config.start.0 + config.clean_lead.micros();
        for episode in fleet.truth() {
            // Clocks go astray by 30 minutes behind and 4 minutes ahead at most.
            prop_assert!(episode.from < episode.to);
            prop_assert!(episode.from >= lead - 30 * MINUTE && episode.to <= config.end() + 4 * MINUTE, "{episode:?}");
            prop_assert!(episode.from >= config.start.0);
        }
    }

    #[test]
    fn late_and_malformed_records_leave_all_readings_as_they_are(config in configs()) {
        let mut healthy = Config { late: 0.0, malformed: 0.0, ..config.clone() };
        healthy.disorder = Span::default();
        let values = |config: &Config| {
            let mut values: Vec<_> = by_series(fleet(config).events())
                .into_values()
                .flatten()
                .map(|event| (event.device, event.sensor, event.time, event.value.to_bits()))
                .collect();
            values.sort_unstable();
            values
        };
        prop_assert!(values(&config) == values(&healthy));
    }
}

// === faults ===

#[test]
fn faults_do_what_they_say_and_nothing_else_is_touched() {
    let config = Config { duration: Span::from_secs(24 * 3600), ..small() };
    let truth = fleet(&config).truth();
    let healthy = by_series(fleet(&Config { faulty: 0.0, ..config.clone() }).events());
    let fleet = fleet(&config);
    let series = by_series(fleet.events());
    let mut kinds = BTreeSet::new();
    for ((device, sensor), clean) in &healthy {
        let name = (fleet.device_name(*device), fleet.sensor_name(*sensor).to_owned());
        let mine: Vec<_> =
            truth.iter().filter(|own| (&own.device, own.sensor.as_ref()) == (&name.0, Some(&name.1))).collect();
        let shown: BTreeMap<Micros, f64> =
            series[&(*device, *sensor)].iter().map(|event| (event.time, event.value)).collect();
        let within = |time: Micros| mine.iter().find(|episode| episode.from <= time && time < episode.to);
        for event in clean.iter().filter(|event| within(event.time).is_none()) {
            assert_eq!(shown.get(&event.time), Some(&event.value), "{name:?} outside of its faults");
        }
        for episode in &mine {
            let inside = |event: &&Event| episode.from <= event.time && event.time < episode.to;
            let clean: Vec<&Event> = clean.iter().filter(inside).collect();
            let seen: Vec<Option<f64>> = clean.iter().map(|event| shown.get(&event.time).copied()).collect();
            let noise = if name.1 == "temperature" { 0.4 } else { 0.15 };
            let moved: Vec<f64> = clean
                .iter()
                .zip(&seen)
                .filter_map(|(event, seen)| seen.map(|seen| (seen - event.value).abs() / noise))
                .collect();
            assert!(clean.len() >= 9, "{episode:?}: {}", clean.len());
            match episode.kind {
                FaultKind::Spikes => {
                    let spikes: Vec<_> = moved.iter().filter(|moved| **moved > 0.0).collect();
                    assert!(*spikes[0] >= 5.9 && spikes.len() <= clean.len(), "{episode:?}");
                }
                FaultKind::Stuck => {
                    let values: BTreeSet<u64> = seen.iter().flatten().map(|value| value.to_bits()).collect();
                    assert_eq!((values.len(), moved.len()), (1, clean.len()), "{episode:?}");
                }
                FaultKind::Drift => {
                    let last = moved.last().copied().unwrap_or_default();
                    assert!(moved[0] < 2.5 && last > 6.0, "{episode:?} {moved:?}");
                }
                FaultKind::Dropout => {
                    let missing = seen.iter().filter(|seen| seen.is_none()).count();
                    assert!(missing * 4 >= clean.len(), "{episode:?}: {missing} of {}", clean.len());
                }
                FaultKind::Outage => panic!("no fault of a sensor: {episode:?}"),
            }
            kinds.insert(episode.kind);
        }
    }
    assert_eq!(kinds.len(), FaultKind::OF_SENSORS.len());
}

#[test]
fn the_truth_of_a_clean_fleet_is_empty() {
    assert!(fleet(&Config { faulty: 0.0, ..small() }).truth().is_empty());
}

#[test]
fn a_recording_that_begins_later_holds_the_same_records_from_there_on() {
    let config = Config { habits: Habits { fast_clock: 0.3, offline: 0.3, ..Habits::none() }, ..small() };
    let cut = config.start.0 + config.duration.micros() / 2;
    let recorded = Config { recorded_from: Some(Moment(cut)), ..config.clone() };
    let reading = |event: &Event| (event.arrival, event.device, event.sensor, event.time, event.value.to_bits());
    for partition in 0..config.partitions {
        let all: Vec<Event> = fleet(&config).partition(partition).collect();
        let later: Vec<Event> = fleet(&recorded).partition(partition).collect();
        let kept: Vec<_> = all.iter().filter(|event| event.time >= cut).map(reading).collect();
        assert_eq!(later.iter().map(reading).collect::<Vec<_>>(), kept);
        assert!(all.is_empty() || (1..all.len()).contains(&kept.len()));
        assert!(later.iter().map(|event| event.number).eq(0..kept.len() as i64), "numbered from 0 on");
    }
}

#[test]
fn an_outage_is_where_nothing_arrives() {
    let config = Config { habits: Habits { offline: 1.0, ..Habits::none() }, ..small() };
    let (fleet, begin) = (fleet(&config), config.start.0);
    let outages = fleet.outages(begin, config.end());
    assert!(outages.len() > 3, "{outages:?}");
    let events: Vec<Event> = fleet.events().collect();
    for outage in &outages {
        let own = events.iter().filter(|event| fleet.device_name(event.device) == outage.device);
        let inside: Vec<_> = own.filter(|event| (outage.from..outage.to).contains(&event.time)).collect();
        assert!(!inside.is_empty() && inside.iter().all(|event| event.arrival >= outage.to), "{outage:?}");
    }
    let (first, last) = (&outages[0], &outages[outages.len() - 1]);
    let some = fleet.outages(first.from + 1, last.from);
    assert!(some.iter().all(|outage| outage.from > first.from && outage.from < last.from));
}

// === habits ===

fn with(set: impl FnOnce(&mut Habits)) -> BTreeMap<(u32, u32), Vec<Event>> {
    let mut config = Config { faulty: 0.0, ..small() };
    set(&mut config.habits);
    by_series(fleet(&config).events())
}

fn longest_delay(events: &[Event]) -> Micros {
    events.iter().map(|event| event.arrival - event.time).max().unwrap_or_default()
}

#[test]
fn steady_devices_are_in_order_and_prompt() {
    for events in with(|_| ()).values() {
        assert!(in_order(events) && longest_delay(events) < 300_000);
        assert_eq!(events.len(), 480);
    }
}

#[test]
fn disorder_is_within_its_bound() {
    let config = Config { disorder: Span::from_secs(2), interval: Span::from_secs(1), faulty: 0.0, ..small() };
    let series = by_series(fleet(&config).events());
    assert!(series.values().any(|events| !in_order(events)));
    for events in series.values() {
        let mut newest = 0;
        for event in events {
            assert!(newest - event.time <= 2_000_000, "{}", newest - event.time);
            newest = newest.max(event.time);
        }
    }
}

#[test]
fn offline_devices_upload_in_order_afterwards() {
    for events in with(|habits| habits.offline = 1.0).values() {
        assert!(in_order(events) && events.len() == 480);
        assert!((10 * MINUTE..=31 * MINUTE).contains(&longest_delay(events)), "{}", longest_delay(events));
    }
}

#[test]
fn newest_first_devices_upload_backwards() {
    for events in with(|habits| habits.newest_first = 1.0).values() {
        let backlog: Vec<&Event> = events.iter().filter(|event| event.arrival - event.time > MINUTE).collect();
        let back = backlog.windows(2).filter(|pair| pair[1].time < pair[0].time).count();
        // One step forward between two outages.
        assert!(backlog.len() > 60 && back >= backlog.len() - 4, "{back} of {}", backlog.len());
        assert_eq!(events.len(), 480);
    }
}

#[test]
fn bursts_come_at_their_interval() {
    for events in with(|habits| habits.bursts = 1.0).values() {
        assert!(in_order(events) && longest_delay(events) > 4 * MINUTE);
        let gaps = events.windows(2).filter(|pair| pair[1].arrival - pair[0].arrival > 4 * MINUTE).count();
        assert!((46..=48).contains(&gaps), "{gaps}");
    }
}

#[test]
fn clocks_go_astray_within_their_bound() {
    for events in with(|habits| habits.slow_clock = 1.0).values() {
        let behind = events.last().map(|event| event.arrival - event.time).expect("events");
        assert!((25_000_000..=31 * MINUTE).contains(&behind) && in_order(events), "{behind}");
    }
    for events in with(|habits| habits.fast_clock = 1.0).values() {
        let ahead = events.iter().map(|event| event.time - event.arrival).max().expect("events");
        assert!((25_000_000..=4 * MINUTE).contains(&ahead) && in_order(events), "{ahead}");
    }
}

#[test]
fn frozen_clocks_repeat_one_time_and_go_on() {
    for events in with(|habits| habits.frozen_clock = 1.0).values() {
        let times: BTreeSet<Micros> = events.iter().map(|event| event.time).collect();
        assert!(in_order(events) && events.len() == 480 && times.len() < 440, "{}", times.len());
        assert!(times.last() > Some(&(small().end() - MINUTE)) || longest_delay(events) > 9 * MINUTE);
    }
}

#[test]
fn habits_are_dealt_out_by_their_shares() {
    let config = Config { devices: 200, habits: Habits { offline: 0.1, bursts: 0.001, ..Habits::none() }, ..small() };
    let fleet = fleet(&config);
    let count = |habit| (0..200).filter(|device| fleet.habit(*device) == Some(habit)).count();
    assert_eq!((count(Habit::Offline), count(Habit::Bursts), count(Habit::Steady)), (20, 1, 179));
    assert_eq!(fleet.habit(200), None);
}

#[test]
fn late_and_malformed_records_come_in_their_shares() {
    let config = Config { late: 0.1, malformed: 0.05, faulty: 0.0, ..small() };
    let fleet = fleet(&config);
    let events: Vec<Event> = fleet.events().collect();
    let readings = events.iter().filter(|event| event.content == Content::Reading).count();
    let late = events.iter().filter(|event| event.arrival - event.time > 3_600_000_000).count();
    assert_eq!(readings, 7 * 2 * 480);
    assert!((500..850).contains(&late), "{late}");
    assert!((230..450).contains(&(events.len() - readings)), "{}", events.len() - readings);
    let mut encoder = Encoder::new(&fleet);
    for event in &events {
        let mut line = Vec::new();
        encoder.json(event, &mut line);
        let value = serde_json::from_slice::<serde_json::Value>(&line);
        match event.content {
            Content::Reading => assert_eq!(value.expect("JSON")["value"].as_f64(), Some(event.value)),
            Content::Malformed(Damage::Cut) => assert!(value.is_err()),
            Content::Malformed(_) => {
                let value = value.expect("JSON");
                let good_time = value["ts"].as_str().is_some_and(|ts| ts.parse::<jiff::Timestamp>().is_ok());
                assert!(!good_time || !value["value"].is_number());
            }
        }
    }
}

// === the source ===

#[derive(Debug, PartialEq)]
struct Seen {
    position: i64,
    broker_time: Micros,
}

fn gained(source: &mut SimulatedSource) -> Vec<PartitionId> {
    match source.poll(Duration::ZERO) {
        Ok(Polled::Gained(partitions)) => partitions,
        other => panic!("{other:?}"),
    }
}

/// Everything of the started partitions until one has ended.
fn drain(source: &mut SimulatedSource) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        match source.poll(Duration::ZERO).expect("a poll") {
            Polled::Records(records) => seen.extend(records.iter().map(|record| Seen {
                position: record.position,
                broker_time: record.broker_time.expect("a broker time"),
            })),
            Polled::Ended { position, .. } => {
                assert!(seen.last().is_none_or(|last| position.0 == last.position + 1));
                return seen;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn workers_share_the_partitions() {
    let config = small();
    let mut indices = Vec::new();
    for worker in 0..2 {
        let mut source = SimulatedSource::new(&config, worker, 2, 100).expect("a source");
        indices.extend(gained(&mut source).iter().map(|partition| partition.index));
    }
    assert_eq!(indices, [0, 2, 1]);
}

#[test]
fn positions_are_found_and_guarded() {
    let config = small();
    let mut source = SimulatedSource::new(&config, 0, 1, 100).expect("a source");
    let partition = gained(&mut source)[0].clone();
    let end = source.resolve(&partition, Start::Latest).expect("an end");
    let middle = config.start.0 + 2 * 60 * MINUTE;
    let Position(first) = source.resolve(&partition, Start::Time(middle)).expect("a position");
    let events: Vec<Event> = source.fleet.partition(0).collect();
    assert_eq!(end.0, events.len() as i64);
    assert!(events[first as usize].arrival >= middle && events[first as usize - 1].arrival < middle);
    let beyond = source.start(&partition, Position(end.0 + 1));
    assert!(matches!(beyond, Err(crate::Error::PositionAhead { high, .. }) if high == end), "{beyond:?}");
    source.start(&partition, end).expect("the end is a position");
    assert!(drain(&mut source).is_empty());
    let foreign = PartitionId { topic: "other".into(), index: 0 };
    assert!(source.start(&foreign, Position(0)).is_err());
}

#[test]
fn an_endless_fleet_is_played_at_its_rate_and_catches_up() {
    let config = Config { duration: Span::default(), rate: 3000.0, ..small() };
    let mut source = SimulatedSource::new(&config, 0, 1, 1000).expect("a source");
    for partition in gained(&mut source) {
        source.start(&partition, Position(0)).expect("a start");
    }
    let start = std::time::Instant::now();
    let (mut records, mut caught_up) = (0, 0);
    while start.elapsed() < Duration::from_millis(200) {
        match source.poll(Duration::from_millis(5)).expect("a poll") {
            Polled::Records(batch) => records += batch.len(),
            Polled::CaughtUp { .. } => caught_up += 1,
            Polled::Idle => {}
            other => panic!("{other:?}"),
        }
    }
    // Only the upper bound holds on a busy machine: never faster than asked.
    let bound = (start.elapsed().as_secs_f64() * 3000.0) as usize;
    assert!((1..=bound).contains(&records), "{records} of {bound}");
    assert!((1..=3).contains(&caught_up), "{caught_up}");
}

#[test]
fn a_paused_partition_is_silent_until_it_is_resumed() {
    let config = Config { partitions: 1, ..small() };
    let mut source = SimulatedSource::new(&config, 0, 1, 10).expect("a source");
    let partition = gained(&mut source)[0].clone();
    source.start(&partition, Position(0)).expect("a start");
    source.pause(&partition);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));
    source.resume(&partition);
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Records(records)) if records.len() == 10));
    source.leave();
    assert!(matches!(source.poll(Duration::ZERO), Ok(Polled::Idle)));
}

// === settings ===

#[test]
fn settings_that_make_no_fleet_are_refused_by_name() {
    let check = |setting: &str, change: &dyn Fn(&mut Config)| {
        let mut config = small();
        change(&mut config);
        let Err(error) = Fleet::new(&config) else { panic!("{setting} was accepted") };
        assert!(error.to_string().contains(&format!("`ingest.simulated.{setting}`")), "{error}");
        assert_eq!(error.kind(), crate::Kind::Input);
    };
    check("devices", &|config| config.devices = 0);
    check("partitions", &|config| config.partitions = 0);
    check("sensors", &|config| config.sensors.clear());
    check("sensors", &|config| config.sensors = vec!["a\"b".into()]);
    check("sensors", &|config| config.sensors = vec!["flow".into(), "flow".into()]);
    check("interval", &|config| config.interval = Span::default());
    check("rate", &|config| config.rate = f64::NAN);
    check("speed", &|config| (config.rate, config.speed) = (1.0, 1.0));
    check("faulty", &|config| config.faulty = 1.5);
    check("habits.offline", &|config| config.habits.offline = -0.1);
    check("habits", &|config| (config.habits.offline, config.habits.bursts) = (0.6, 0.6));
    check("fault_duration", &|config| config.fault_duration = config.fault_every);
    check("fault_duration", &|config| config.fault_duration = Span::from_secs(31));
    check("outage_duration", &|config| config.outage_duration = Span::default());
    check("start", &|config| config.start = Moment(-1));
}

/// The bytes of one fleet, as a fingerprint: a change of the generator must be a decision, not an accident.
#[test]
fn a_seed_means_the_same_for_ever() {
    let fingerprint = bytes(&small())
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(format!("{fingerprint:016x}"), "f8f3224af40698fa");
}

#[test]
fn the_truth_is_written_with_its_times() {
    let fleet = fleet(&small());
    let truth = fleet.truth();
    let (mut csv, mut jsonl) = (Vec::new(), Vec::new());
    write_truth_csv(&truth, &mut csv).expect("memory");
    write_truth_jsonl(&truth, &mut jsonl).expect("memory");
    let csv = String::from_utf8(csv).expect("text");
    assert_eq!(csv.lines().next(), Some("device,sensor,kind,start,end"));
    assert_eq!(csv.lines().count(), truth.len() + 1);
    for (line, episode) in String::from_utf8(jsonl).expect("text").lines().zip(&truth) {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["kind"], episode.kind.as_str());
        let start: Moment = value["start"].as_str().expect("text").parse().expect("a time");
        assert_eq!(start.0, episode.from);
    }
}

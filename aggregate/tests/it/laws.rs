//! Laws of the windows, on random logs. Each test is named after its law.

use aggregate::{Arrival, Clock, Close, Settings, Windows};
use proptest::prelude::*;
use types::{Micros, Reading};

use crate::support;
use crate::support::random::{SECOND, log, named, settings};
use crate::support::{End, Entry, Line, Pause, Row};

type Readings = Vec<(String, String, Micros, f64)>;

fn rows(lines: &[Line]) -> Vec<&Row> {
    lines.iter().filter_map(|line| if let Line::Row(row) = line { Some(row) } else { None }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn emission_cadence_changes_nothing(settings in settings(), log in log(), size in 1..20usize) {
        let whole = support::run(settings, &log, |_, _| Pause::None);
        let drained = |number: usize, _: &_| if number.is_multiple_of(size) { Pause::Drain } else { Pause::None };
        prop_assert_eq!(&support::run(settings, &log, drained), &whole);
    }

    #[test]
    fn stopping_and_restoring_anywhere_changes_nothing(
        settings in settings(), log in log(), pauses in prop::collection::vec(0..6u8, 120)
    ) {
        let whole = support::run(settings, &log, |_, _| Pause::None);
        let paused = |number: usize, _: &_| match pauses[number] {
            0 => Pause::Restore,
            1 => Pause::Drain,
            _ => Pause::None,
        };
        prop_assert_eq!(&support::run(settings, &log, paused), &whole);
    }

    #[test]
    fn nothing_is_lost_and_nothing_counts_twice(settings in settings(), log in log()) {
        let lines = support::run(settings, &log, |_, _| Pause::None);
        let readings = log.iter().map(|entry| match entry {
            Entry::Record { readings: Some(readings), undecodable: None, tombstone: false, .. } => readings.len() as u64,
            _ => 0,
        });
        let Some(Line::Tally(tally)) = lines.last() else { panic!("a tally") };
        let counted: u64 = rows(&lines).iter().map(|row| row.count).sum();
        let refused = lines.iter().filter(|line| matches!(line, Line::Late(_) | Line::Rejected { .. })).count() as u64;
        prop_assert_eq!(tally.counted, counted);
        prop_assert_eq!(readings.sum::<u64>(), counted + refused + tally.open);
        let mut keys: Vec<_> = rows(&lines).into_iter().map(|row| (&row.device, &row.sensor, row.start)).collect();
        let all = keys.len();
        keys.dedup();
        prop_assert_eq!(keys.len(), all, "a window closed twice");
    }

    /// What arrives with a record of others still moves the arrival clock: only the readings are taken away.
    #[test]
    fn a_devices_rows_do_not_depend_on_its_neighbours(settings in settings(), log in log()) {
        let settings = Settings { clock: Clock::Device, device_ttl: None, ..settings };
        let alone: Vec<Entry> = log.iter().cloned().map(|mut entry| {
            if let Entry::Record { readings: Some(readings), .. } = &mut entry {
                readings.retain(|(device, ..)| device == "d0");
            }
            entry
        }).collect();
        let among = support::run(settings, &log, |_, _| Pause::None);
        let apart = support::run(settings, &alone, |_, _| Pause::None);
        let of_it = |lines: &[Line]| rows(lines).into_iter().filter(|row| row.device == "d0").cloned().collect::<Vec<_>>();
        prop_assert_eq!(of_it(&among), of_it(&apart));
    }

    #[test]
    fn any_order_of_arrival_within_out_of_orderness_gives_the_same_windows(
        settings in settings(),
        readings in prop::collection::vec((0..3usize, 0..2usize, 0..600i64, -1e3..1e3f64, 0.0..1.0f64), 1..80),
    ) {
        let settings = Settings { clock: Clock::Device, device_ttl: None, max_past: None, ..settings };
        let mut delayed: Vec<(Micros, Readings)> = readings.iter().map(|&(device, sensor, time, value, delay)| {
            let arrives = time * SECOND + (delay * settings.out_of_orderness as f64) as Micros;
            (arrives, vec![named(0, (device, sensor, time, value))])
        }).collect();
        delayed.sort_by_key(|(arrives, _)| *arrives);
        let shuffled: Vec<Readings> = delayed.into_iter().map(|(_, readings)| readings).collect();
        let mut sorted = shuffled.clone();
        sorted.sort_by_key(|readings| readings[0].2);
        let [one, other] = [shuffled, sorted].map(|records| support::run(settings, &without_arrivals(records), |_, _| Pause::None));
        prop_assert!(!one.iter().any(|line| matches!(line, Line::Late(_))), "late within out_of_orderness");
        let (one, other) = (rows(&one), rows(&other));
        prop_assert_eq!(one.len(), other.len());
        for (a, b) in one.into_iter().zip(other) {
            let exact = |row: &Row| (row.device.clone(), row.sensor.clone(), row.start, row.count, row.min, row.max, row.closed_by);
            prop_assert_eq!(exact(a), exact(b));
            let near = |x: f64, y: f64, size: f64| (x - y).abs() <= 1e-12 * size;
            let size = a.count as f64 * a.max.abs().max(a.min.abs());
            prop_assert!(near(a.sum, b.sum, size) && near(a.mean, b.mean, size) && near(a.m2, b.m2, size * size));
        }
    }

    #[test]
    fn no_times_and_no_settings_panic(
        spans in prop::collection::vec(time(), 7),
        records in prop::collection::vec((prop::option::of(time()), prop::option::of(time()), time(), time(), 0..3u8), 0..40),
        choices in (any::<bool>(), any::<bool>(), any::<bool>(), 0..4u32),
    ) {
        let (shared, files, assume_sorted, series_max) = choices;
        let settings = Settings {
            window: spans[0],
            offset: spans[1],
            clock: if shared { Clock::Partition } else { Clock::Device },
            out_of_orderness: spans[2],
            close_after: spans[3],
            max_future_skew: spans[4],
            max_past: Some(spans[5]),
            device_ttl: Some(spans[6]),
            series_max,
            files,
            assume_sorted,
        };
        let mut windows = Windows::with_floor(settings, spans[6]);
        let _ = windows.set_not_before(spans[0]);
        for (broker_time, wall, first, second, extra) in records {
            let arrival = Arrival { position: first, broker_time, wall };
            feed(&mut windows, arrival, &[first, second]);
            match extra {
                0 => windows.tick(second),
                1 => windows.end(Close::All),
                _ => windows = support::restored(settings, &windows),
            }
            let _ = windows.snapshot(&mut Vec::new());
            let _ = (windows.drain_until(first), windows.is_drained());
            prop_assert!(windows.tally().is_conserved());
        }
    }

    #[test]
    fn no_bytes_make_restoring_panic(
        settings in settings(),
        log in log(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        wide in prop::option::of((any::<prop::sample::Index>(), time())),
        cut in prop::option::of(any::<prop::sample::Index>()),
        drain in prop::option::of((0..120usize, -10..10i64)),
    ) {
        let mut windows = Windows::new(settings);
        for (number, entry) in log.iter().enumerate() {
            if let Some((_, windows_on)) = drain.filter(|(at, _)| *at == number) {
                let _ = windows.drain_until(settings.offset + windows_on * settings.window);
            }
            support::step(&mut windows, entry, &mut Vec::new());
        }
        let mut bytes = Vec::new();
        windows.snapshot(&mut bytes);
        if let Some((at, time)) = wide {
            let at = at.index(bytes.len() - 8);
            bytes[at..at + 8].copy_from_slice(&time.to_le_bytes());
        } else {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(mut windows) = Windows::restore(settings, &bytes) {
            log.iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
            feed(&mut windows, Arrival { broker_time: Some(1 << 60), ..Arrival::default() }, &[i64::MAX, 1 << 60, 0]);
            windows.end(Close::All);
            prop_assert!(windows.tally().is_conserved());
            prop_assert_eq!(windows.open_windows(), 0);
        }
    }

    #[test]
    fn no_noise_is_a_snapshot(settings in settings(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Windows::restore(settings, &noise).is_err());
    }
}

/// Any time, often an extreme or one near it.
fn time() -> impl Strategy<Value = Micros> {
    prop_oneof![
        Just(Micros::MIN),
        Just(Micros::MAX),
        (0..63u32, any::<bool>(), -2..3i64).prop_map(|(shift, negative, near)| {
            let power = 1i64 << shift;
            (if negative { -power } else { power }).saturating_add(near)
        }),
        any::<Micros>(),
        -100 * SECOND..100 * SECOND,
    ]
}

fn feed(windows: &mut Windows, arrival: Arrival, times: &[Micros]) {
    let reading =
        |&time| Reading { device: if time & 1 == 0 { "even" } else { "odd" }, sensor: "s", time, value: f64::MAX };
    windows.observe(arrival, times.iter().map(reading), &mut Vec::new());
}

fn without_arrivals(records: Vec<Readings>) -> Vec<Entry> {
    let record = |(position, readings)| Entry::Record {
        position: position as i64,
        broker_time: None,
        wall: None,
        readings: Some(readings),
        undecodable: None,
        tombstone: false,
        refused: 0,
    };
    records.into_iter().enumerate().map(record).chain([Entry::End { end: End::All }]).collect()
}

#[test]
fn a_snapshot_made_under_other_windows_is_refused_with_both_values() {
    let made = aggregate::Config::default().settings(false, false).expect("consistent");
    let mut bytes = Vec::new();
    Windows::new(made).snapshot(&mut bytes);
    let refusal = |settings| Windows::restore(settings, &bytes).expect_err("another grid").to_string();
    assert_eq!(
        refusal(Settings { window: 60 * SECOND, ..made }),
        "the snapshot was made with `aggregate.window` = `1h`, the configuration says `1m`"
    );
    assert_eq!(
        refusal(Settings { offset: 300 * SECOND, ..made }),
        "the snapshot was made with `aggregate.offset` = `0s`, the configuration says `5m`"
    );
    assert_eq!(
        refusal(Settings { clock: Clock::Partition, ..made }),
        "the snapshot was made with `aggregate.clock` = `device`, the configuration says `partition`"
    );
    assert!(Windows::restore(Settings { out_of_orderness: 0, series_max: 0, ..made }, &bytes).is_ok());
}

/// What random changes seldom hit: each extreme number in each place.
#[test]
fn no_number_in_any_place_of_a_snapshot_panics() {
    for clock in [Clock::Device, Clock::Partition] {
        let made = Settings { clock, ..aggregate::Config::default().settings(false, false).expect("consistent") };
        let mut windows = Windows::new(made);
        for (position, hour) in [(0, 0), (1, 1), (2, 3), (3, 3)] {
            let time = hour * 3600 * SECOND;
            let arrival = Arrival { position, broker_time: Some(time), wall: None };
            feed(&mut windows, arrival, &[time, time + 1]);
        }
        // Shadows too: a window of two readings beyond the boundary of a drain.
        windows.drain_until(4 * 3600 * SECOND).expect("later than all");
        for position in [4, 5] {
            let time = 4 * 3600 * SECOND;
            feed(&mut windows, Arrival { position, broker_time: Some(time), wall: None }, &[time + 2 * position]);
        }
        let mut bytes = Vec::new();
        windows.snapshot(&mut bytes);
        for at in 0..bytes.len() - 8 {
            for number in [Micros::MIN, Micros::MAX, 1 << 61, -(1 << 61), 1 << 60, -1, 0] {
                let mut changed = bytes.clone();
                changed[at..at + 8].copy_from_slice(&number.to_le_bytes());
                if let Ok(mut windows) = Windows::restore(made, &changed) {
                    let arrival = Arrival { broker_time: Some(1 << 60), ..Arrival::default() };
                    feed(&mut windows, arrival, &[0, 1 << 60]);
                    windows.tick(1 << 60);
                    windows.end(Close::All);
                    assert!(windows.tally().is_conserved() && windows.open_windows() == 0, "{number} at byte {at}");
                }
            }
        }
    }
}

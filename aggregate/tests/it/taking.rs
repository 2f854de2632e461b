//! Taking closed rows bit by bit: within limits, each once, with the right names, and never more work than there are rows.

use std::collections::BTreeSet;

use aggregate::{Arrival, Clock, Close, Settings, TakeLimit, Windows};
use proptest::prelude::*;
use types::{Micros, Reading, SeriesNames, WindowRows};

use crate::support;
use crate::support::Pause;
use crate::support::random::{SECOND, log, settings};

const DAY: Micros = 86_400 * SECOND;

fn limit() -> impl Strategy<Value = TakeLimit> {
    (prop_oneof![0..5usize, Just(usize::MAX)], prop_oneof![0..4usize, Just(usize::MAX)])
        .prop_map(|(rows, dates)| TakeLimit { rows, dates })
}

/// What tells a row from all others.
fn keys(rows: &WindowRows, names: &impl SeriesNames) -> Vec<(String, String, Micros, u64)> {
    let name = |row: usize| (names.device(rows.series[row]).to_owned(), names.sensor(rows.series[row]).to_owned());
    let key = |row: usize| (name(row).0, name(row).1, rows.start[row], rows.mean[row].to_bits());
    (0..rows.len()).map(key).collect()
}

/// The rule, said once more: what closed together is begun while there is room, and then taken whole; but of a device nothing
/// is taken behind a row of a date too many.
fn choose(keys: &[(String, String, Micros, u64)], limit: TakeLimit, clock: Clock) -> Vec<bool> {
    let mut dates: BTreeSet<Micros> = BTreeSet::new();
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    let mut takes: Vec<bool> = Vec::new();
    for together in keys.chunk_by(|a, b| if clock == Clock::Partition { a.2 == b.2 } else { a.0 == b.0 }) {
        if takes.iter().filter(|takes| **takes).count() >= limit.rows {
            break;
        }
        for (device, _, start, _) in together {
            let date = start.div_euclid(DAY);
            let has_room = dates.contains(&date) || dates.len() < limit.dates;
            if has_room {
                dates.insert(date);
            } else {
                waiting.insert(device);
            }
            takes.push(!waiting.contains(device.as_str()));
        }
    }
    takes.resize(keys.len(), false);
    takes
}

fn observe(windows: &mut Windows, position: i64, device: &str, time: Micros) {
    let arrival = Arrival { position, broker_time: Some(time), wall: None };
    let reading = Reading { device, sensor: "s", time, value: position as f64 };
    windows.observe(arrival, std::iter::once(reading), &mut Vec::new());
}

fn minutes(device_ttl: Option<Micros>) -> Settings {
    let settings = aggregate::Config::default().settings(false, false).expect("consistent");
    Settings { window: 60 * SECOND, out_of_orderness: 0, close_after: 0, max_future_skew: 0, device_ttl, ..settings }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn takes_of_any_sizes_give_the_same_rows(
        settings in settings(), log in log(), takes in prop::collection::vec(prop::option::of(limit()), 120), stops in 1..9usize
    ) {
        let whole = support::run(settings, &log, |_, _| Pause::None);
        let taken = |number: usize, _: &_| match takes[number] {
            _ if number % 8 == stops => Pause::Restore,
            Some(limit) => Pause::Take(limit),
            None => Pause::None,
        };
        prop_assert_eq!(&support::run(settings, &log, taken), &whole);
    }

    #[test]
    fn a_take_is_the_first_rows_of_the_first_dates_and_the_rest_waits_in_order(
        settings in settings(), log in log(), days in prop::collection::vec(-3..3i64, 0..60), limits in prop::collection::vec(limit(), 1..6)
    ) {
        let settings = Settings { max_past: None, device_ttl: None, ..settings };
        let mut windows = Windows::new(settings);
        log.iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
        for (at, day) in days.into_iter().enumerate() {
            observe(&mut windows, 1000 + at as i64, &format!("of day {day}"), day * DAY + at as Micros);
        }
        windows.end(Close::All);
        for limit in limits {
            let before = keys(windows.closed(), windows.names());
            let takes = choose(&before, limit, settings.clock);
            let rows = windows.take_closed(limit);
            let part = |is_taken: bool| before.iter().zip(&takes).filter(move |(_, takes)| **takes == is_taken).map(|(key, _)| key.clone());
            prop_assert_eq!(keys(&rows, windows.names()), part(true).collect::<Vec<_>>());
            let rest = part(false).collect::<Vec<_>>();
            prop_assert_eq!(keys(windows.closed(), windows.names()), &rest[..]);
            let restored = support::restored(settings, &windows);
            prop_assert_eq!(keys(restored.closed(), restored.names()), &rest[..]);
            prop_assert_eq!(windows.pending_readings(), windows.closed().count.iter().sum::<u64>());
            let facts = windows.snapshot(&mut Vec::new());
            prop_assert_eq!((facts.pending_rows, facts.pending_readings), (rest.len(), windows.pending_readings()));
            windows.recycle(rows);
        }
    }
}

#[test]
fn a_forgotten_series_keeps_its_name_while_a_row_that_waits_refers_to_it() {
    let mut windows = Windows::new(minutes(Some(60 * SECOND)));
    observe(&mut windows, 0, "first", 0);
    observe(&mut windows, 1, "second", SECOND);
    observe(&mut windows, 2, "third", 1000 * SECOND);
    let second = windows.closed().series[1];
    assert_eq!((windows.series(), windows.closed().len()), (1, 2));
    let rows = windows.take_closed(TakeLimit { rows: 1, ..TakeLimit::ALL });
    let first = rows.series[0];
    // Until it comes back, neither name is given up, whatever happens.
    observe(&mut windows, 3, "fourth", 1000 * SECOND);
    assert_eq!((windows.names().device(first), windows.names().device(second)), ("first", "second"));
    windows.recycle(rows);
    for n in 0..3 {
        observe(&mut windows, 4 + n, &format!("new {n}"), 1000 * SECOND);
    }
    assert_eq!((windows.names().device(first), windows.names().generation(first)), ("new 0", 1));
    assert_eq!((windows.names().device(second), windows.names().generation(second)), ("second", 0));
    let rows = windows.take_closed(TakeLimit::ALL);
    windows.recycle(rows);
    observe(&mut windows, 7, "newer", 1000 * SECOND);
    assert_eq!((windows.names().device(second), windows.names().generation(second)), ("newer", 1));
}

#[test]
fn names_stay_while_any_of_several_takes_is_out() {
    let mut windows = Windows::new(minutes(Some(60 * SECOND)));
    observe(&mut windows, 0, "first", 0);
    observe(&mut windows, 1, "second", SECOND);
    observe(&mut windows, 2, "third", 1000 * SECOND);
    let [one, other] = [1, usize::MAX].map(|rows| windows.take_closed(TakeLimit { rows, ..TakeLimit::ALL }));
    assert_eq!((one.len(), other.len(), windows.closed().len()), (1, 1, 0));
    windows.recycle(one);
    observe(&mut windows, 3, "fourth", 1000 * SECOND);
    assert_eq!(windows.names().device(other.series[0]), "second");
    windows.recycle(other);
}

/// What is kept of series elsewhere is written by number.
#[test]
fn series_are_listed_in_an_order_that_a_restart_does_not_change() {
    let settings = minutes(Some(3600 * SECOND));
    let mut windows = Windows::new(settings);
    let log = [("gone", 0), ("b", 10), ("a", 20), ("b", 100), ("c", 5000), ("a", 5030), ("new", 5060), ("a", 5100)];
    for (position, (device, time)) in (0..).zip(log) {
        observe(&mut windows, position, device, time * SECOND);
    }
    let listed = |windows: &Windows| -> Vec<String> {
        windows.series_in_state().map(|series| windows.names().device(series).to_owned()).collect()
    };
    let before = listed(&windows);
    assert!(before.iter().any(|device| device == "gone"), "forgotten, and its row waits");
    assert_eq!(listed(&support::restored(settings, &windows)), before);
}

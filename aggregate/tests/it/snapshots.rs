//! Snapshots of every format version, kept as files: what an older program wrote is read, and goes on as if never stopped.

use std::path::{Path, PathBuf};

use aggregate::{Clock, Settings, Windows};
use types::Micros;

use crate::support;
use crate::support::{End, Entry, Pause};

const SECOND: Micros = 1_000_000;

fn settings(clock: Clock) -> Settings {
    Settings {
        window: 60 * SECOND,
        offset: 15 * SECOND,
        clock,
        out_of_orderness: 70 * SECOND,
        close_after: 90 * SECOND,
        max_future_skew: 30 * SECOND,
        max_past: Some(10_000 * SECOND),
        device_ttl: Some(400 * SECOND),
        series_max: 1000,
        files: false,
        assume_sorted: false,
    }
}

/// Readings as `device.sensor@second=value`.
fn record(position: i64, broker_time: i64, readings: &[(&str, &str, i64, f64)]) -> Entry {
    let own = |&(device, sensor, time, value): &(&str, &str, i64, f64)| {
        (device.to_owned(), sensor.to_owned(), time * SECOND, value)
    };
    Entry::Record {
        position,
        broker_time: Some(broker_time * SECOND),
        wall: None,
        readings: Some(readings.iter().map(own).collect()),
        undecodable: None,
        tombstone: false,
        refused: 0,
    }
}

fn other(position: i64, broker_time: i64, undecodable: Option<&str>) -> Entry {
    Entry::Record {
        position,
        broker_time: Some(broker_time * SECOND),
        wall: None,
        readings: None,
        undecodable: undecodable.map(str::to_owned),
        tombstone: undecodable.is_none(),
        refused: 0,
    }
}

/// Leaves a bit of everything in the state: rows not yet taken, of a forgotten device too; several open windows of a series;
/// windows of one reading and of many; a mean for `delta`; a device that was never accepted.
fn before() -> Vec<Entry> {
    vec![
        record(3, 1000, &[("früh", "°C", 1000, -0.1), ("früh", "°C", 1001, 7.25)]),
        record(4, 1010, &[("pump-17", "temperature", 1005, 21.5), ("pump-17", "rpm", 1006, 3000.125)]),
        record(5, 1100, &[("pump-17", "temperature", 1099, 21.75), ("pump-17", "temperature", 1040, 1e-300)]),
        other(9, 1101, Some("no JSON")),
        record(10, 1200, &[("pump-17", "temperature", 1200, -4.0), ("", "", 1190, 0.0), ("ahead", "s", 9000, 1.0)]),
        other(11, 1300, None),
        record(12, 1500, &[("pump-17", "temperature", 1495, 2.0), ("pump-17", "temperature", 1440, 3.0)]),
        record(13, 1501, &[("pump-17", "temperature", 1496, 1.0 / 3.0), ("pump-17", "temperature", 1497, 2.0 / 3.0)]),
        record(14, 1502, &[("pump-17", "temperature", 1000, 1.0), ("pump-17", "temperature", 1498, -0.0)]),
        record(
            15,
            1503,
            &[("pump-17", "rpm", 1503, 2999.5), ("fan", "rpm", 1450, 1e300), ("fan", "rpm", 1510, -1e300)],
        ),
    ]
}

fn after() -> Vec<Entry> {
    vec![
        record(20, 1520, &[("pump-17", "temperature", 1519, 5.0), ("pump-17", "temperature", 1445, 6.0)]),
        record(21, 1521, &[("früh", "°C", 1300, 1.0), ("new", "s", 1500, 2.0), ("fan", "rpm", 1512, 3.0)]),
        Entry::Tick { tick: 1700 * SECOND },
        record(22, 1710, &[("pump-17", "rpm", 1709, 1.0), ("fan", "rpm", 1700, 4.0), ("", "", 1705, 9.0)]),
        Entry::End { end: End::All },
    ]
}

fn path(version: u16, clock: Clock) -> PathBuf {
    let name = format!("snapshot-v{version}-{}.bin", clock.as_str());
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn state(settings: Settings) -> Windows {
    let mut windows = Windows::new(settings);
    before().iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
    windows
}

#[test]
fn what_any_version_wrote_is_read_and_goes_on_as_if_never_stopped() {
    for clock in [Clock::Device, Clock::Partition] {
        let settings = settings(clock);
        let want = support::run_from(settings, state(settings), &after(), |_, _| Pause::None);
        for version in [1, 2] {
            let bytes = std::fs::read(path(version, clock)).expect("a snapshot");
            let windows = Windows::restore(settings, &bytes).expect("a snapshot of ours");
            let got = support::run_from(settings, windows, &after(), |_, _| Pause::None);
            assert_eq!(got, want, "version {version}, {clock:?}");
        }
    }
}

/// Another layout is another version: of this one the bytes stay. `BLESS=1` writes those of a new version, once.
#[test]
fn the_present_version_writes_the_bytes_that_it_wrote_when_it_was_new() {
    for clock in [Clock::Device, Clock::Partition] {
        let path = path(2, clock);
        let mut bytes = Vec::new();
        state(settings(clock)).snapshot(&mut bytes);
        if std::env::var_os("BLESS").is_some() && !path.exists() {
            std::fs::write(&path, &bytes).expect("write");
        }
        assert!(std::fs::read(&path).expect("a snapshot") == bytes, "{}", path.display());
    }
}

/// Each extreme number in each place of every version's: an error, or a state that goes on.
#[test]
fn no_number_in_any_place_panics() {
    for (version, clock) in [(1, Clock::Device), (1, Clock::Partition), (2, Clock::Device), (2, Clock::Partition)] {
        let bytes = std::fs::read(path(version, clock)).expect("a snapshot");
        for at in 10..bytes.len() - 8 {
            for number in [i64::MIN, i64::MAX, 1 << 61, -(1 << 61), 1 << 60, -1, 0] {
                let mut changed = bytes.clone();
                changed[at..at + 8].copy_from_slice(&number.to_le_bytes());
                if let Ok(mut windows) = Windows::restore(settings(clock), &changed) {
                    after().iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
                    let conserved = windows.tally().is_conserved() && windows.open_windows() == 0;
                    assert!(conserved, "{number} at byte {at} of version {version}, {clock:?}");
                }
            }
        }
    }
}

#[test]
fn a_later_version_is_refused_by_its_number() {
    let mut bytes = Vec::new();
    state(settings(Clock::Device)).snapshot(&mut bytes);
    bytes[8] = 3;
    let error = Windows::restore(settings(Clock::Device), &bytes).expect_err("unknown");
    assert_eq!(error.to_string(), "the snapshot has format version 3; this program reads versions up to 2");
}

/// For displays, so no part of the snapshot: it is found again in the devices.
#[test]
fn the_newest_event_time_is_known_and_found_again() {
    for clock in [Clock::Device, Clock::Partition] {
        let windows = state(settings(clock));
        // The last reading of the last record; the one that was far ahead was refused.
        assert_eq!(windows.newest(), Some(1510 * SECOND), "{clock:?}");
        let mut bytes = Vec::new();
        windows.snapshot(&mut bytes);
        let restored = Windows::restore(settings(clock), &bytes).expect("a snapshot of ours");
        assert_eq!(restored.newest(), windows.newest(), "{clock:?}");
        assert_eq!(Windows::new(settings(clock)).newest(), None);
    }
}

//! How fast single-reading records go, and what a series costs: figures to look at, not to fail on.
//!
//! `cargo test --release -p atalaia-aggregate --test speed -- --ignored --nocapture --test-threads 1`

use std::sync::LazyLock;
use std::time::Instant;

use aggregate::{Arrival, Close, Config, TakeLimit, Windows};
use types::{Micros, Reading, Span};

const SECOND: Micros = 1_000_000;

struct Fleet {
    devices: usize,
    sensors: usize,
    window_secs: u64,
    records: usize,
}

#[test]
#[ignore = "a measurement"]
fn ten_thousand_series_in_hours() {
    measure(&Fleet { devices: 10_000, sensors: 1, window_secs: 3600, records: 10_000_000 });
}

#[test]
#[ignore = "a measurement"]
fn ten_thousand_series_in_tens_of_seconds() {
    measure(&Fleet { devices: 10_000, sensors: 1, window_secs: 10, records: 10_000_000 });
    measure(&Fleet { devices: 1_000, sensors: 10, window_secs: 10, records: 10_000_000 });
}

#[test]
#[ignore = "a measurement"]
fn a_million_series_in_hours() {
    measure(&Fleet { devices: 1_000_000, sensors: 1, window_secs: 3600, records: 10_000_000 });
}

/// Each series with one open window of ten readings, and a closed one before it.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn a_snapshot_of_a_million_series() {
    const SERIES: usize = 1_000_000;
    for sensors in [1, 10] {
        let settings = Config::default().settings(false, false).expect("consistent");
        let mut windows = Windows::new(settings);
        for record in 0..11 * SERIES {
            let (round, at) = (record / SERIES, record % SERIES);
            let now = (round as Micros * 300 + 3550) * SECOND + (at as Micros * 50 * SECOND) / SERIES as Micros;
            let (device, sensor) = (format!("device-{:07}", at / sensors), format!("sensor-{}", at % sensors));
            // Values as sensors send them: hundredths, about a level of each series.
            let noise = (record as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let noise = (noise ^ (noise >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
            let value = (at % 5000 + noise as usize % 400) as f64 / 100.0;
            let arrival = Arrival { position: record as i64, broker_time: Some(now + SECOND), wall: None };
            let reading = Reading { device: &device, sensor: &sensor, time: now + record as Micros % 997, value };
            windows.observe(arrival, std::iter::once(reading), &mut Vec::new());
        }
        let rows = windows.take_closed(TakeLimit::ALL);
        windows.recycle(rows);
        let mut snapshot = Vec::new();
        let start = busy_seconds();
        let facts = windows.snapshot(&mut snapshot);
        let written = busy_seconds();
        let restored = Windows::restore(settings, &snapshot).expect("ours");
        println!(
            "{SERIES} series, {sensors} a device, {} open: {} bytes a series, written in {:.0} ms, restored in {:.0} ms",
            facts.open_windows,
            snapshot.len() / SERIES,
            (written - start) * 1e3,
            (busy_seconds() - written) * 1e3,
        );
        assert_eq!(restored.open_windows(), SERIES);
    }
}

/// What a file without promises is: nothing closes before its end.
#[test]
#[ignore = "a measurement"]
fn one_series_whose_windows_all_stay_open() {
    for windows in [20_000, 80_000, 525_600] {
        measure_open(windows, "in order", 1);
        measure_open(windows, "scattered", 7919);
    }
}

/// One reading a window; of two neighbours in the log, the second is `stride` windows on.
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn measure_open(count: usize, order: &str, stride: usize) {
    let config = Config { window: Span::from_secs(10), ..Config::default() };
    let mut windows = Windows::new(config.settings(true, false).expect("consistent"));
    let mut refused = Vec::new();
    let start = busy_seconds();
    for record in 0..count {
        let time = (record * stride % count) as Micros * 10 * SECOND;
        let arrival = Arrival { position: record as i64, ..Arrival::default() };
        let reading = Reading { device: "device", sensor: "sensor", time, value: record as f64 };
        windows.observe(arrival, std::iter::once(reading), &mut refused);
    }
    let opened = busy_seconds();
    windows.end(Close::All);
    let closed = busy_seconds();
    assert_eq!(windows.closed().len(), count);
    println!("{count} windows {order}: opened in {:.3} s, closed in {:.3} s", opened - start, closed - opened);
}

/// Each series once a second, in scattered order; `settle` once a second of the log.
#[allow(clippy::print_stdout, reason = "the figures are what it is for")]
fn measure(fleet: &Fleet) {
    let config = Config { window: Span::from_secs(fleet.window_secs), ..Config::default() };
    let mut windows = Windows::new(config.settings(false, false).expect("consistent"));
    let names: Vec<(String, String)> = (0..fleet.devices * fleet.sensors)
        .map(|n| (format!("device-{:07}", n / fleet.sensors), format!("sensor-{}", n % fleet.sensors)))
        .collect();
    let before = resident_mib();
    let mut refused = Vec::new();
    let (mut rows, mut slowest_settle) = (0, 0.0f64);
    let mut warm = busy_seconds();
    for record in 0..fleet.records + names.len() {
        if record == names.len() {
            warm = busy_seconds();
        }
        let (round, at) = (record / names.len(), record % names.len());
        // The first round gives out indices in another order: later, the next series is not the next in memory.
        let (device, sensor) = &names[if round == 0 { at * 7919 % names.len() } else { at }];
        let now = round as Micros * SECOND + (at as Micros * SECOND) / names.len() as Micros;
        let arrival = Arrival { position: record as i64, broker_time: Some(now + SECOND), wall: None };
        let reading = Reading { device, sensor, time: now, value: at as f64 };
        windows.observe(arrival, std::iter::once(reading), &mut refused);
        if at == 0 {
            let start = Instant::now();
            windows.settle();
            slowest_settle = slowest_settle.max(start.elapsed().as_secs_f64());
            let taken = windows.take_closed(TakeLimit::ALL);
            rows += taken.len();
            windows.recycle(taken);
        }
    }
    let seconds = busy_seconds() - warm;
    let bytes = (resident_mib() - before) * 1048576.0 / names.len() as f64;
    let mut snapshot = Vec::new();
    let start = Instant::now();
    windows.snapshot(&mut snapshot);
    let snapshot_ms = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let restored = Windows::restore(config.settings(false, false).expect("consistent"), &snapshot).expect("ours");
    println!(
        "{} devices x {} sensors, {} s: {:.1} M records/CPU-s, {rows} rows, {bytes:.0} bytes a series, settle <= {:.2} ms, \
         snapshot {:.1} MiB in {snapshot_ms:.0} ms, restored in {:.0} ms, {} series",
        fleet.devices,
        fleet.sensors,
        fleet.window_secs,
        fleet.records as f64 / seconds / 1e6,
        slowest_settle * 1e3,
        snapshot.len() as f64 / 1048576.0,
        start.elapsed().as_secs_f64() * 1e3,
        restored.series(),
    );
    assert!(refused.is_empty());
}

/// 0 where there is no /proc.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Time this thread spent on a CPU: other load on the machine does not count. The wall clock where there is no /proc.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.map_or_else(|| STARTED.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

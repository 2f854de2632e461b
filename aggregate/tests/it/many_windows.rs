//! A series with very many open windows, as a file makes it that promises no order: the work for each must not grow with their
//! number. With work that does, these tests take many minutes rather than seconds.

use std::time::{Duration, Instant};

use aggregate::{Arrival, Clock, Close, Settings, Windows};
use types::{Micros, Reading};

const SECOND: Micros = 1_000_000;

/// Far above what is needed on a busy machine, far below what walking over all open windows takes.
const ENOUGH: Duration = Duration::from_secs(60);

fn settings(clock: Clock, files: bool) -> Settings {
    let settings = aggregate::Config::default().settings(files, false).expect("consistent");
    Settings { window: 10 * SECOND, offset: 0, clock, ..settings }
}

fn observe(windows: &mut Windows, position: i64, window: i64, value: f64) {
    let arrival = Arrival { position, ..Arrival::default() };
    let reading = Reading { device: "device", sensor: "sensor", time: window * 10 * SECOND, value };
    let mut refused = Vec::new();
    windows.observe(arrival, std::iter::once(reading), &mut refused);
    assert!(refused.is_empty());
}

/// One reading in each window in the order given, then one more in each; all must come out, oldest first.
fn open_then_close(clock: Clock, count: i64, order: impl Fn(i64) -> i64) {
    let settings = settings(clock, true);
    let mut windows = Windows::new(settings);
    let start = Instant::now();
    for n in 0..2 * count {
        let window = order(n % count);
        observe(&mut windows, n, window, window as f64);
    }
    assert_eq!(windows.open_windows(), count as usize);
    let mut snapshot = Vec::new();
    windows.snapshot(&mut snapshot);
    let mut windows = Windows::restore(settings, &snapshot).expect("our own snapshot");
    windows.end(Close::All);
    let rows = windows.closed();
    assert!(rows.start.iter().copied().eq((0..count).map(|window| window * 10 * SECOND)));
    assert!(rows.mean.iter().copied().eq((0..count).map(|window| window as f64)));
    assert!(rows.count.iter().all(|count| *count == 2));
    assert!(rows.delta.iter().skip(1).all(|delta| *delta == Some(1.0)));
    assert!(start.elapsed() < ENOUGH, "{clock:?}: {count} windows took {:?}", start.elapsed());
}

#[test]
fn windows_opened_in_order_of_time() {
    open_then_close(Clock::Device, 200_000, |n| n);
    open_then_close(Clock::Partition, 200_000, |n| n);
}

#[test]
fn windows_opened_in_no_order() {
    open_then_close(Clock::Device, 100_000, |n| n * 7919 % 100_000);
    open_then_close(Clock::Partition, 20_000, |n| n * 7919 % 20_000);
}

/// While clocks run, each reading closes one of very many.
#[test]
fn windows_closed_one_by_one() {
    let settings = Settings {
        out_of_orderness: 1_000_000 * SECOND,
        close_after: 1_000_000 * SECOND,
        ..settings(Clock::Device, false)
    };
    let mut windows = Windows::new(settings);
    let start = Instant::now();
    for n in 0..300_000 {
        observe(&mut windows, n, n, n as f64);
    }
    assert_eq!(windows.open_windows(), 100_001);
    assert!(windows.closed().start.iter().copied().eq((0..199_999).map(|window| window * 10 * SECOND)));
    assert!(start.elapsed() < ENOUGH, "{:?}", start.elapsed());
}

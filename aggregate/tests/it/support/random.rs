//! Random settings and logs for tests of laws.

use aggregate::{Clock, Settings};
use proptest::prelude::*;
use types::Micros;

use super::{End, Entry};

pub(crate) const SECOND: Micros = 1_000_000;

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let spans = (1..120i64, -50..50i64, 0..60i64, 0..60i64, 0..60i64);
    let choices = (any::<bool>(), prop::option::of(0..500i64), prop::option::of(0..60i64));
    (spans, choices).prop_map(|((window, offset, ooo, more, skew), (shared, max_past, ttl))| Settings {
        window: window * SECOND,
        offset: offset * SECOND,
        clock: if shared { Clock::Partition } else { Clock::Device },
        out_of_orderness: ooo * SECOND,
        close_after: (ooo + more) * SECOND,
        max_future_skew: skew * SECOND,
        max_past: max_past.map(|past| past * SECOND),
        device_ttl: ttl.map(|ttl| (window + ooo + ooo + more + skew + ttl) * SECOND),
        series_max: u32::MAX,
        files: false,
        assume_sorted: false,
    })
}

/// Live devices with delays, backlogs and wrong clocks, all on an arrival clock that mostly moves on.
pub(crate) fn log() -> impl Strategy<Value = Vec<Entry>> {
    let reading = (0..4usize, 0..2usize, prop_oneof![8 => -40..10i64, 1 => -2000..0i64, 1 => 0..500i64], -1e3..1e3f64);
    let kind = prop_oneof![20 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)];
    let entry = (kind, prop_oneof![6 => 0..5i64, 1 => 0..200i64], 0..8u8, prop::collection::vec(reading, 0..4));
    prop::collection::vec(entry, 0..120).prop_map(|entries| {
        let mut now = 0;
        let mut log = Vec::new();
        for (number, (kind, step, broker, readings)) in entries.into_iter().enumerate() {
            now += step * SECOND;
            log.push(match kind {
                1 => Entry::Tick { tick: now },
                2 if number % 5 == 0 => Entry::End { end: End::All },
                2 => Entry::End { end: End::Due },
                _ => Entry::Record {
                    position: number as i64,
                    broker_time: (broker > 0).then_some(now),
                    wall: (broker == 1).then_some(now + SECOND),
                    readings: Some(readings.into_iter().map(|reading| named(now, reading)).collect()),
                    undecodable: (kind == 3).then(|| "x".to_owned()),
                    tombstone: kind == 4,
                    refused: u64::from(number % 5 == 0),
                },
            });
        }
        log
    })
}

pub(crate) fn named(
    now: Micros,
    (device, sensor, lag, value): (usize, usize, i64, f64),
) -> (String, String, Micros, f64) {
    (format!("d{device}"), ["a", "b"][sensor].to_owned(), now + lag * SECOND, value)
}

//! Any bytes as a snapshot of windows, behind a head that fits the settings: refused, or a state as good as one that
//! grew by itself. It snapshots to bytes that restore to the same, and the copy goes the same way from there.

#![no_main]

use aggregate::{Arrival, Clock, Close, Refused, Settings, SnapshotFacts, TakeLimit, Windows};
use laws::Input;
use libfuzzer_sys::fuzz_target;
use types::Reading;

const SECOND: i64 = 1_000_000;
/// Magic, version, window, offset, clock: what a snapshot begins with.
const HEAD_BYTES: usize = 8 + 2 + 8 + 8 + 1;
const STEP_BYTES: usize = 8;
const STEPS_MAX: usize = 32;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let settings = settings(&mut input);
    let steps = usize::from(input.byte()) % STEPS_MAX;
    let steps = input.take(steps * STEP_BYTES);

    let mut snapshot = written(&Windows::new(settings));
    snapshot.truncate(HEAD_BYTES);
    snapshot.extend_from_slice(input.0);
    let mut windows = match Windows::restore(settings, &snapshot) {
        Ok(windows) => windows,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // Devices without a place to be remembered in come out differently once, and never again.
    let again = written(&windows);
    let mut copy = Windows::restore(settings, &again).expect("what was accepted can be written and read");
    assert_eq!(written(&copy), again, "restoring changes nothing");
    for step in steps.chunks(STEP_BYTES) {
        let refused = take(&mut windows, Input(step));
        assert_eq!(take(&mut copy, Input(step)), refused, "the copy judges alike");
        assert_eq!(written(&copy), written(&windows), "the copy goes the same way");
        assert!(windows.tally().is_conserved(), "{:?}", windows.tally());
        assert_eq!(facts(&copy), facts(&windows));
    }
    hand_on(&mut windows);
    let drained = written(&windows);
    let restored = Windows::restore(settings, &drained).expect("a state that was reached can be written and read");
    assert_eq!(written(&restored), drained);
});

fn written(windows: &Windows) -> Vec<u8> {
    let mut bytes = Vec::new();
    windows.snapshot(&mut bytes);
    bytes
}

fn facts(windows: &Windows) -> SnapshotFacts {
    windows.snapshot(&mut Vec::new())
}

fn hand_on(windows: &mut Windows) {
    let rows = windows.take_closed(TakeLimit::ALL);
    windows.recycle(rows);
}

fn settings(input: &mut Input<'_>) -> Settings {
    let flags = input.byte();
    let window = (1 + i64::from(input.byte())) * SECOND;
    let span = |input: &mut Input<'_>| i64::from(input.byte()) * SECOND;
    let (out_of_orderness, more, max_future_skew) = (span(input), span(input), span(input));
    let close_after = out_of_orderness + more;
    Settings {
        window,
        offset: i64::from(flags >> 6) * SECOND,
        clock: if flags & 1 == 0 { Clock::Device } else { Clock::Partition },
        out_of_orderness,
        close_after,
        max_future_skew,
        max_past: (flags & 2 != 0).then_some(100 * SECOND),
        device_ttl: (flags & 4 != 0).then_some(window + close_after + out_of_orderness + max_future_skew),
        series_max: if flags & 8 == 0 { u32::MAX } else { 3 },
        files: flags & 16 != 0,
        assume_sorted: flags & 32 != 0,
    }
}

/// One step of eight bytes: what the log or the pipeline does next.
fn take(windows: &mut Windows, mut step: Input<'_>) -> Vec<Refused> {
    let mut refused = Vec::new();
    let (kind, names) = (step.byte() % 8, step.byte());
    let (advance, lag) = (step.small() * SECOND, step.small() * SECOND);
    let now = windows.arrival_clock().unwrap_or(0).saturating_add(advance);
    let position = windows.last_position().unwrap_or(0).saturating_add(1);
    let wall = (names & 128 != 0).then_some(now);
    let arrival = Arrival { position, broker_time: (names & 64 == 0).then_some(now), wall };
    match kind {
        0..4 => {
            let device = |bits: u8| ["d0", "d1", "d2", "é"][usize::from(bits & 3)];
            let sensor = |bits: u8| ["a", "b"][usize::from(bits & 1)];
            let value = f64::from(step.byte()) - 100.0;
            let time = now.saturating_sub(lag);
            let reading = |bits: u8| Reading { device: device(bits), sensor: sensor(bits >> 2), time, value };
            windows.observe(arrival, [reading(names), reading(names >> 3)].into_iter(), &mut refused);
        }
        4 if names & 1 == 0 => windows.tombstone(arrival),
        4 => windows.undecodable(arrival),
        5 => windows.tick(now),
        6 if names & 1 == 0 => windows.settle(),
        6 => windows.end(if names & 2 == 0 { Close::Due } else { Close::All }),
        _ => hand_on(windows),
    }
    refused
}

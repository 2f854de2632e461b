//! How hot devices are, and how fast things go.

use super::testing::{NOON, anomaly, busy, partition};
use super::*;

#[test]
fn a_device_is_as_hot_as_its_recent_anomalies() {
    let mut view = busy(9);
    let hot = |view: &View| {
        let heat = view.heat();
        (0..9).filter(|device| heat[*device] != Heat::Never).map(|device| (device, heat[device])).collect::<Vec<_>>()
    };
    assert_eq!(hot(&view), [(1, Heat::Earlier), (3, Heat::Some), (4, Heat::Some), (7, Heat::Many)]);
    // Later, in the partition of the odd ones.
    let mut later = view.now.clone();
    later.clocks.insert(partition(1), NOON + 140 * 60_000_000);
    later.new = vec![anomaly(1, 0), Anomaly { device: "nobody".into(), ..anomaly(2, 0) }];
    view.take(later);
    assert_eq!(hot(&view), [(1, Heat::Some), (3, Heat::Earlier), (4, Heat::Some), (7, Heat::Many)]);
    assert_eq!((view.newest[0].device.as_str(), view.newest[1].device.as_str()), ("nobody", "device-0001"));
}

#[test]
fn rates_are_of_the_stream_and_of_the_last_second() {
    let view = busy(3);
    assert_eq!((view.events.rate(), view.windows.rate()), (360_000.0, 14_400.0));
    assert_eq!(view.events.rates.len(), 12);
    assert_eq!(view.simulated(), Some(NOON + 30_000_000), "of two, one is a minute ahead");
    // 60 % in 3 s.
    assert!((view.seconds_left().expect("known") - 2.0).abs() < 1e-9);
    let mut long = View::of(1, 1);
    for step in 0..2000 {
        long.take(Sample { at: f64::from(step) * 0.1, ..view.now.clone() });
    }
    assert_eq!(long.events.rates.len(), STEPS_MAX);
    assert!((long.seconds_left().expect("known") - 130.6).abs() < 1e-6, "of 195.9 s, 60 % are over");
    assert_eq!(View::of(1, 1).seconds_left(), None);
}

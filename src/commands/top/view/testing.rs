//! For tests: services as docs/api.md shows one, busier and with trouble.

use serde_json::{Map, Value, json};

use super::super::documents::testing::documented;
use super::*;

/// What the documented service says, changed by a test.
pub(in super::super) fn said(change: impl FnOnce(&mut Map<String, Value>)) -> Documents {
    let mut all = documented();
    change(&mut all);
    Documents::read(all).expect("it is what services say")
}

/// An hour of life, six partitions, no trouble; at the second `second` of being watched.
pub(in super::super) fn well(instance: &str, second: u64) -> Documents {
    well_from(0, instance, second)
}

/// The same with partitions from `first` on.
pub(in super::super) fn well_from(first: u64, instance: &str, second: u64) -> Documents {
    said(|all| {
        all["status"]["instance"] = instance.into();
        let records = 120_000 + 12_345 * second;
        all["status"]["totals"]["records"] = records.into();
        all["status"]["totals"]["rows"] = (9_000 + 410 * second).into();
        all["status"]["totals"]["anomalies"] = (80 + second / 2).into();
        let reading = all["partitions"]["partitions"][0].clone();
        let partition = |number: u64| {
            let mut partition = reading.clone();
            partition["partition"] = (first + number).into();
            partition["owner"] = instance.into();
            partition["worker"] = (number % 2).into();
            partition["position"] = (100_000 + number * 500 * second).into();
            partition["lag_records"] = (number * 1_250).into();
            partition["lag_seconds"] = json!(0.4 * number as f64);
            partition["clock_delay_seconds"] = json!(2.0 + 30.0 * number as f64);
            partition
        };
        all["partitions"]["partitions"] = (0..6).map(partition).collect();
        let steps = |of: fn(u64) -> u64| Value::from((0..40).map(of).collect::<Vec<_>>());
        all["throughput"]["records"] = steps(|step| 100_000 + step * step * 60);
        all["throughput"]["rows"] = steps(|step| 4_000 + 900 * (step % 4));
        all["throughput"]["anomalies"] = steps(|step| u64::from(step % 7 == 0) * 3);
        all["throughput"]["quarantined"] = steps(|_| 0);
        let found = all["anomalies"]["anomalies"][0].clone();
        let anomaly = |number: u64| {
            let mut anomaly = found.clone();
            anomaly["device"] = format!("pump-{number}").into();
            anomaly["severity"] = json!(9.0 - 0.2 * number as f64);
            anomaly
        };
        all["anomalies"]["anomalies"] = (1..=30).map(anomaly).collect();
        all["models"] = json!({ "state": "loaded", "set": "0c5f4e1d2a90", "count": 2_400, "age_seconds": 260_000.0 });
    })
}

/// A partition that cannot go on, and records that are refused.
pub(in super::super) fn in_trouble() -> Documents {
    said(|all| {
        let halted = &mut all["partitions"]["partitions"][1];
        let why = "records 700 to 912 expired before they were read; look at what is missing, then go on behind them \
                   with `atalaia state accept-gap --partition 3 --apply`";
        halted["why"] = why.into();
        all["status"]["ready"] = json!({ "ok": false, "why": format!("partition `readings/3` is halted: {why}") });
    })
}

pub(in super::super) fn watched(said: impl Fn(u64) -> Documents) -> View {
    let mut view = View::of(&["http://127.0.0.1:9465".to_owned()]);
    view.keys = true;
    for second in 0..=3 {
        view.take(0, second as f64, Ok(said(second)));
    }
    view
}

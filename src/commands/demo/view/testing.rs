//! For tests: a fleet half a day into the stream.

use super::*;

pub(in super::super) const NOON: Micros = 1_769_947_200_000_000;

pub(in super::super) fn partition(index: u32) -> PartitionId {
    PartitionId { topic: "readings".into(), index }
}

pub(in super::super) fn anomaly(device: u32, minutes_ago: i64) -> Anomaly {
    Anomaly {
        partition: partition(device % 2),
        device: format!("device-{device:04}"),
        sensor: Some(["temperature", "flow"][device as usize % 2].into()),
        window_start: NOON - (minutes_ago + 5) * 60_000_000,
        window_end: NOON - minutes_ago * 60_000_000,
        readings: 30,
        decision: Some(-0.4),
        severity: Some(1.5 + f64::from(device)),
        threshold: Some(1.5),
        top_feature: Some(score::TopFeature {
            name: "std_pop".into(),
            value: 4.25,
            mean: 0.31,
            decision_rise: 0.4,
            severity_fall: Some(1.0),
        }),
        model: None,
        model_set: "0c5f4e1d2a90".into(),
        scored_at: NOON,
    }
}

/// Before anything was seen.
pub(in super::super) fn fresh(devices: u32) -> View {
    let numbers = (0..devices).map(|device| (format!("device-{device:04}"), device as usize)).collect();
    View { numbers, ..View::of(devices, 1) }
}

/// Half a day into the stream, where some devices are odd.
pub(in super::super) fn busy(devices: u32) -> View {
    let mut view = fresh(devices);
    let counts = |step: u64| Counts {
        records: 90_000 * step,
        rows: 3_600 * step,
        anomalies: step * step / 4,
        late: 40 * step,
        quarantined: 9 * step,
        ..Counts::default()
    };
    for step in 1..=12_u64 {
        view.take(Sample {
            at: 4.0 + step as f64 * STEP_SECONDS,
            stage: Stage::Streaming,
            stage_began: 4.0,
            steps: Some((90_000 * step, 1_800_000)),
            counts: counts(step),
            refused: vec![(Reason::InvalidJson, 5 * step), (Reason::Empty, 4 * step)],
            clocks: [(partition(0), NOON), (partition(1), NOON + 60_000_000)].into(),
            new: Vec::new(),
            stopping: false,
        });
    }
    let mut last = view.now.clone();
    let many = (0..8).map(|window| anomaly(7, 45 - 5 * window));
    last.new = [anomaly(1, 600), anomaly(3, 90)].into_iter().chain(many).chain([anomaly(4, 3)]).collect();
    last.new.retain(|anomaly| view.numbers.contains_key(&anomaly.device));
    view.take(last);
    view
}

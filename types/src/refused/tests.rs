//! What is kept of refusals, and in which order.

use std::time::{Duration, Instant};

use super::*;

fn refusal(reason: Reason, position: i64) -> Refusal<'static> {
    Refusal { reason, position, index: None, broker_time: None, detail: "", payload: b"a\x1b\xff" }
}

#[test]
fn runs_count_exactly_and_sample_within_a_bound() {
    let mut quarantine = Quarantine::default();
    for position in 0..1000 {
        let reason = if position % 2 == 0 { Reason::BadTime } else { Reason::Empty };
        quarantine.add(refusal(reason, position));
    }
    quarantine.add(refusal(Reason::Empty, 1000));
    assert_eq!(quarantine.count(), 1001);
    assert_eq!(quarantine.runs().len(), 1000);
    let samples = quarantine.runs().iter().filter(|run| run.sample.is_some()).count();
    assert_eq!(samples, 2 * Quarantine::SAMPLES_PER_REASON);
    assert_eq!(quarantine.runs()[0].sample.as_deref(), Some("a\\u{1b}\\xff"));
    let last = quarantine.runs().last().expect("runs");
    assert_eq!((last.first, last.last, last.count), (999, 1000, 2));
}

/// By looking at every run, as memory is not counted in production.
fn text_bytes(quarantine: &Quarantine) -> usize {
    quarantine.runs().iter().map(|run| run.detail.len() + run.sample.as_ref().map_or(0, String::len)).sum()
}

#[test]
fn a_flood_of_changing_reasons_takes_time_by_its_length_only() {
    let begun = Instant::now();
    let mut quarantine = Quarantine::default();
    for position in 0..200_000 {
        let reason = Reason::ALL[position as usize % Reason::ALL.len()];
        quarantine.add(Refusal { detail: "no", ..refusal(reason, position) });
    }
    assert_eq!((quarantine.count(), quarantine.runs().len()), (200_000, 200_000));
    let samples = quarantine.runs().iter().filter(|run| run.sample.is_some()).count();
    assert_eq!(samples, Reason::ALL.len() * Quarantine::SAMPLES_PER_REASON);
    assert_eq!(quarantine.bytes(), 200_000 * size_of::<QuarantineRun>() + text_bytes(&quarantine));
    // Looking at all runs for each new one took minutes.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn what_is_restored_counts_on_as_if_never_written() {
    let (mut whole, mut restored) = (Quarantine::default(), Quarantine::default());
    for position in 0..100 {
        let reason = if position % 2 == 0 { Reason::BadTime } else { Reason::Empty };
        whole.add(refusal(reason, position));
        restored.add(refusal(reason, position));
        let written = serde_json::to_string(&restored).expect("json");
        assert!(written.starts_with(r#"{"runs":["#) && !written.contains("text_bytes"), "{written}");
        restored = serde_json::from_str(&written).expect("json");
        assert_eq!(restored, whole);
    }
}

#[test]
fn the_first_are_taken_and_the_rest_goes_on() {
    let mut late = LateReadings::default();
    let mut quarantine = Quarantine::default();
    for index in 0..5 {
        let reading = Reading { device: "pump-1", sensor: "tag", time: 5, value: 1.5 };
        let (window_start, closed_to, closed_by) = (0, 9, ClosedBy::Floor);
        late.push(LateReading { reading, window_start, closed_to, closed_by, position: 7, index });
        quarantine.add(refusal(Reason::ALL[index as usize], i64::from(index)));
    }
    let (bytes, counts) = (late.bytes(), quarantine.count());
    let (first, runs) = (late.take_first(2), quarantine.take_first(2));
    assert_eq!((first.index.as_slice(), late.index.as_slice()), (&[0, 1][..], &[2, 3, 4][..]));
    assert_eq!(first.bytes() + late.bytes(), bytes);
    assert_eq!((runs.runs().len(), quarantine.runs().len()), (2, 3));
    assert_eq!(runs.count() + quarantine.count(), counts);
    assert_eq!((late.take_first(9).len(), late.len()), (3, 0));
}

#[test]
fn late_readings_know_how_much_they_hold() {
    let mut late = LateReadings::default();
    assert_eq!(late.bytes(), 0);
    for index in 0..3 {
        let reading = Reading { device: "pump-1", sensor: "tag", time: 5, value: 1.5 };
        let (window_start, closed_to, closed_by) = (0, 9, ClosedBy::Floor);
        late.push(LateReading { reading, window_start, closed_to, closed_by, position: 7, index });
    }
    assert_eq!((late.len(), late.index.as_slice()), (3, &[0, 1, 2][..]));
    assert_eq!(late.bytes(), 3 * (LateReadings::ROW_BYTES + "pump-1tag".len()));
    let written = serde_json::to_string(&late).expect("json");
    let restored: LateReadings = serde_json::from_str(&written).expect("json");
    assert_eq!(restored, late);
    assert_eq!(restored.bytes(), late.bytes());
}

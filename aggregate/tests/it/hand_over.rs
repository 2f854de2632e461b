//! Two pipelines share one log at a boundary: together they say what each would say alone, and every reading is of one of them.

use aggregate::{Error, Settings, Windows};
use proptest::prelude::*;
use types::Micros;

use crate::support;
use crate::support::random::{SECOND, log, settings};
use crate::support::{Entry, Late, Line, Pause, Tally};

/// The least boundary until which the pipeline can drain at this place of the log; some boundary if any will do.
fn least_boundary(settings: Settings, log: &[Entry]) -> Micros {
    let mut windows = Windows::new(settings);
    log.iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
    let far = -1_000_000 * settings.window + settings.offset;
    match windows.drain_until(far) {
        Err(Error::DrainTooEarly { least, .. }) => least,
        Ok(()) => settings.offset,
        Err(error) => panic!("{error}"),
    }
}

fn positions(log: &[Entry]) -> Vec<i64> {
    let position = |entry: &Entry| if let Entry::Record { position, .. } = entry { Some(*position) } else { None };
    log.iter().filter_map(position).collect()
}

fn readings(log: &[Entry], keeps: impl Fn(Micros) -> bool) -> usize {
    let kept = |entry: &Entry| match entry {
        Entry::Record { readings: Some(readings), undecodable: None, tombstone: false, .. } => {
            readings.iter().filter(|(_, _, time, _)| keeps(*time)).count()
        }
        _ => 0,
    };
    log.iter().map(kept).sum()
}

/// Without the tally, and with each reading's place in its record taken for nothing.
fn bare(lines: &[Line]) -> Vec<Line> {
    let without_index = |line: &Line| match line.clone() {
        Line::Late(late) => Line::Late(Late { index: 0, ..late }),
        Line::Rejected { position, device, sensor, t, value, reason, .. } => {
            Line::Rejected { position, index: 0, device, sensor, t, value, reason }
        }
        line => line,
    };
    lines.iter().filter(|line| !matches!(line, Line::Tally(_))).map(without_index).collect()
}

fn tally(lines: &[Line]) -> Tally {
    match lines.last() {
        Some(Line::Tally(tally)) => *tally,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_together_say_what_each_says_alone(
        old in settings(),
        new in settings(),
        log in log(),
        at in any::<prop::sample::Index>(),
        windows_on in 0..4i64,
        stops in prop::collection::vec(any::<bool>(), 122),
    ) {
        let at = at.index(log.len() + 1);
        let (before, after) = log.split_at(at);
        let until = least_boundary(old, before) + windows_on * old.window;
        let restored = |number: usize, _: &_| if stops[number] { Pause::Restore } else { Pause::None };

        // The old pipeline: of an undisturbed run, what ends by the boundary, to the last bit.
        let undisturbed = support::run(old, &log, |_, _| Pause::None);
        let is_before = positions(before);
        let stays = |line: &Line| match line {
            Line::Row(row) => row.end <= until,
            Line::Late(Late { position, t, .. }) | Line::Rejected { position, t, .. } => is_before.contains(position) || *t < until,
            Line::Undecodable { position, .. } => is_before.contains(position),
            Line::DrainRefused { .. } | Line::Tally(_) => false,
        };
        let want: Vec<Line> = undisturbed.iter().filter(|line| stays(line)).cloned().collect();
        let draining: Vec<Entry> = [before, &[Entry::Drain { drain: until }], after].concat();
        let drained = support::run(old, &draining, restored);
        prop_assert_eq!(&drained[..drained.len() - 1], &want[..]);

        // Its successor, perhaps of other windows: as if what came before the boundary had never been sent.
        let new = Settings { offset: until.rem_euclid(new.window), ..new };
        let mut successor = Windows::new(new);
        successor.set_not_before(until).expect("on the grid of both");
        let followed = support::run_from(new, successor, after, restored);
        let alone: Vec<Entry> = after.iter().cloned().map(|mut entry| {
            if let Entry::Record { readings: Some(readings), .. } = &mut entry {
                readings.retain(|(_, _, time, _)| *time >= until);
            }
            entry
        }).collect();
        prop_assert_eq!(bare(&followed), bare(&support::run(new, &alone, |_, _| Pause::None)));

        // Every reading after the place is left by exactly one, and so is what could not be read.
        let (drained, followed) = (tally(&drained), tally(&followed));
        let refused = followed.refused;
        prop_assert_eq!(drained.left - refused, readings(after, |time| time >= until) as u64);
        prop_assert_eq!(followed.left, readings(after, |time| time < until) as u64);
        prop_assert_eq!(drained.left_records, followed.undecodable);
        prop_assert_eq!(drained.refused + refused, tally(&undisturbed).refused);
    }

    /// A drain is over when nothing before its boundary is open, and late is what still comes for a closed window.
    #[test]
    fn a_drain_ends_with_the_arrival_clock(settings in settings(), log in log(), at in any::<prop::sample::Index>()) {
        let mut windows = Windows::new(Settings { max_past: None, ..settings });
        let (before, after) = log.split_at(at.index(log.len() + 1));
        before.iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
        let until = least_boundary(settings, before);
        // Of a pipeline that refused nothing as too old, the least boundary may be another.
        prop_assume!(windows.drain_until(until).is_ok());
        prop_assert!(windows.boundaries().until == Some(until));
        after.iter().for_each(|entry| support::step(&mut windows, entry, &mut Vec::new()));
        let due = windows.arrival_clock().is_some_and(|now| now >= until + settings.close_after);
        prop_assert_eq!(windows.is_drained(), due && windows.open_windows() == 0);
        let known = windows.arrival_clock();
        windows.tick(until + 1_000_000 * SECOND);
        let facts = windows.snapshot(&mut Vec::new());
        prop_assert!(windows.is_drained() || windows.open_windows() > 0, "{known:?}");
        prop_assert!(facts.complete_to.is_some_and(|to| to <= until));
    }
}

//! Smoothing depends on a key's own windows in their order, and on nothing else.

use proptest::prelude::*;

use super::*;
use crate::Key;

const MINUTE: i64 = 60_000_000;
const WINDOWS: u32 = 3;

fn smoothed(device: &str, sensor: &str) -> Model {
    let mut model = rbf(device, sensor);
    model.intercept = -1.0;
    model.threshold = Some(Threshold { value: 0.5, how: "a test".into(), smoothing: WINDOWS });
    model
}

/// One window of one series; `is_adjacent`: the series has the window right before.
#[derive(Debug, Clone, Copy)]
struct Window {
    series: u32,
    number: i64,
    value: f64,
    is_adjacent: bool,
    readings: u64,
}

fn window_rows(windows: &[Window]) -> WindowRows {
    let mut rows = WindowRows { width: MINUTE, ..WindowRows::default() };
    for window in windows {
        push_row(&mut rows, window.series, window.value);
        let row = rows.len() - 1;
        rows.start[row] = window.number * MINUTE;
        rows.delta[row] = window.is_adjacent.then_some(0.0);
        rows.count[row] = window.readings;
    }
    rows
}

/// The rule, from the whole history of each series at once.
fn expected(windows: &[Window], raw: &[Option<f64>]) -> Vec<Option<f64>> {
    let mean_at = |at: usize| {
        let window = windows[at];
        let mut run = vec![raw[at]?];
        let (mut newest, mut is_adjacent) = (window, window.is_adjacent);
        for before in (0..at).rev().filter(|&before| windows[before].series == window.series) {
            let is_run = is_adjacent && windows[before].number + 1 == newest.number;
            let Some(severity) = raw[before].filter(|_| is_run && run.len() < WINDOWS as usize) else { break };
            run.push(severity);
            (newest, is_adjacent) = (windows[before], windows[before].is_adjacent);
        }
        run.reverse();
        Some(run.iter().sum::<f64>() / run.len() as f64)
    };
    (0..windows.len()).map(mean_at).collect()
}

fn a_history() -> impl Strategy<Value = Vec<Window>> {
    // Mostly the next window; now and then a gap, a device that was forgotten, too few readings.
    let step = (0..3_u32, prop_oneof![9 => Just(1_i64), 1 => 2..4_i64], -3.0..3.0_f64, 0..10_u8, 0..8_u8);
    prop::collection::vec(step, 1..60).prop_map(|steps| {
        let mut next = [0; 3];
        let mut has_one = [false; 3];
        let mut windows = Vec::new();
        for (series, step, value, forgotten, few) in steps {
            let place = series as usize;
            next[place] += step;
            let is_adjacent = has_one[place] && step == 1 && forgotten > 0;
            windows.push(Window {
                series,
                number: next[place],
                value,
                is_adjacent,
                readings: if few == 0 { 1 } else { 5 },
            });
            has_one[place] = true;
        }
        windows
    })
}

fn scored(scorer: &mut Scorer, windows: &[Window], names: &Names) -> Scores {
    scorer.score(&window_rows(windows), names)
}

proptest! {
    #[test]
    fn batches_and_restarts_change_nothing(
        windows in a_history(),
        cuts in prop::collection::vec((1..9_usize, any::<bool>()), 1..40),
        by_device in any::<bool>(),
    ) {
        let names = names(&[("a", "s"), ("b", "s"), ("c", "s")]);
        let keys = ["a", "b", "c"];
        let model = |device: &&str| {
            let mut model = smoothed(device, "s");
            if by_device {
                model.key.sensor = None;
                model.features = Some(vec!["s.mean".parse().expect("a feature")]);
            }
            model
        };
        let set = set(keys.iter().map(model).collect());
        let key = if by_device { Key::Device } else { Key::Series };
        let config = Config { key, min_readings: 2, ..Config::default() };

        // Severities as they are without smoothing.
        let unsmoothed = |device: &&str| {
            let mut plain = model(device);
            plain.threshold = None;
            plain
        };
        let plain = Arc::new(ModelSet::from_models(keys.iter().map(unsmoothed).collect()).expect("good models"));
        // Of whole devices rows come out by device: one window at a time keeps them in order.
        let raw: Vec<Option<f64>> = windows
            .iter()
            .map(|window| scored(&mut Scorer::new(plain.clone(), &config), &[*window], &names).severity[0])
            .collect();
        let expected = expected(&windows, &raw);

        let mut scorer = Scorer::new(set.clone(), &config);
        let mut found = vec![None; windows.len()];
        let (mut at, mut cuts) = (0, cuts.into_iter().cycle());
        while at < windows.len() {
            let (batch, restarts) = cuts.next().expect("without end");
            let part = &windows[at..windows.len().min(at + batch)];
            let scores = scored(&mut scorer, part, &names);
            for row in 0..scores.len() {
                found[at + scores.window_row(row)] = scores.severity[row];
            }
            at += part.len();
            if restarts {
                let trails = scorer.trails(|| [2, 0, 1].into_iter(), &names);
                scorer = Scorer::new(set.clone(), &config);
                scorer.resume(trails, || [2, 0, 1].into_iter());
            }
        }
        for (found, expected) in found.iter().zip(&expected) {
            match (found, expected) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0)),
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }
    }
}

#[test]
fn another_model_begins_anew_and_series_that_went_away_are_not_kept() {
    let names = names(&[("a", "s"), ("b", "s")]);
    let window = |series, number, is_adjacent| Window { series, number, value: 2.0, is_adjacent, readings: 5 };
    let mut scorer = Scorer::new(set(vec![smoothed("a", "s"), smoothed("b", "s")]), &Config::default());
    let first = scored(&mut scorer, &[window(0, 0, false), window(1, 0, false)], &names).severity[0];
    assert_eq!(scorer.trails(|| [1].into_iter(), &names).len(), 1, "of the series that is known");

    let mut other = smoothed("a", "s");
    (other.version, other.intercept) = ("w".into(), -2.0);
    scorer.swap(set(vec![other]));
    let after = scored(&mut scorer, &[window(0, 1, true)], &names).severity[0];
    let (first, after) = (first.expect("scored"), after.expect("scored"));
    assert!((after - first - 2.0_f64.ln()).abs() < 1e-12, "its own severity alone");
}

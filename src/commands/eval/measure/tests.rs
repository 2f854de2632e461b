//! The figures are scikit-learn's and numpy's; what these do not count (episodes, delays) is counted by hand.

use serde_json::Value;

use super::*;

/// Made by `make.py` beside it.
const FIGURES: &str = include_str!("../../../../tests/data/evaluation/figures.json");

fn judged(at: Micros, is_positive: bool, alarm: bool, score: Option<f64>) -> Judged {
    Judged { start: at, end: at + 1, known: at, is_positive, alarm, score }
}

fn near(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() < 1e-12, "{what}: {found} instead of {expected}");
}

fn list<'a>(case: &'a Value, name: &str) -> &'a [Value] {
    case[name].as_array().expect("a list")
}

fn track(case: &Value) -> Track {
    let columns = list(case, "label").iter().zip(list(case, "alarm")).zip(list(case, "score")).enumerate();
    let judged =
        columns.map(|(at, ((label, alarm), score))| judged(at as Micros, *label == 1, *alarm == 1, score.as_f64()));
    Track { judged: judged.collect(), ..Track::default() }
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let file: Value = serde_json::from_str(FIGURES).expect("JSON");
    let cases = list(&file, "cases");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let track = track(case);
        let f = Figures::of(std::slice::from_ref(&track));
        let c = f.counts;
        let counts =
            [("tp", c.true_positives), ("fp", c.false_positives), ("fn", c.false_negatives), ("tn", c.true_negatives)];
        for (what, found) in counts.into_iter().chain([("episodes", f.episodes)]) {
            assert_eq!(case[what].as_u64(), Some(found), "{name}: {what}");
        }
        for (what, found) in [
            ("precision", c.precision()),
            ("recall", c.recall()),
            ("f1", c.f1()),
            ("far", c.far()),
            ("mar", c.mar()),
            ("auc", f.auc),
            ("average_precision", f.average_precision),
            ("coverage", f.coverage()),
        ] {
            near(found.expect(what), &case[what], &format!("{name}: {what}"));
        }
        let curve = Ranked::of(&[track]).curve();
        let expected = list(case, "curve");
        assert_eq!(curve.len(), expected.len(), "{name}");
        for (point, expected) in curve.iter().zip(expected) {
            for (found, expected) in
                [point.score, point.precision, point.recall].into_iter().zip(expected.as_array().unwrap())
            {
                near(found, expected, name);
            }
        }
    }
}

#[test]
fn quantiles_are_those_of_numpy() {
    let file: Value = serde_json::from_str(FIGURES).expect("JSON");
    for case in list(&file, "delays") {
        let delays: Vec<Micros> = list(case, "delays").iter().map(|n| n.as_i64().expect("a number")).collect();
        for (share, what) in [(0.5, "median"), (0.9, "p90")] {
            let found = quantile(&delays, share).expect("there are some") as f64;
            let expected = case[what].as_f64().expect("a number");
            assert!((found - expected).abs() <= 0.5, "{what} of {delays:?}: {found} instead of {expected}");
        }
    }
    assert_eq!(quantile(&[], 0.5), None);
}

/// `.` is normal, `#` labelled; below, `!` is an alarm.
fn drawn(labels: &str, alarms: &str) -> Track {
    let judged: Vec<Judged> = labels
        .chars()
        .zip(alarms.chars())
        .enumerate()
        .map(|(at, (label, alarm))| {
            judged(10 * at as Micros, label == '#', alarm == '!', Some(f64::from(u8::from(alarm == '!'))))
        })
        .collect();
    let runs = judged.chunk_by(|a, b| a.is_positive == b.is_positive).filter(|run| run[0].is_positive);
    let intervals = runs.map(|run| (run[0].start, run[run.len() - 1].start)).collect();
    Track { name: "drawn".into(), span: 10 * judged.len() as Micros, judged, intervals }
}

#[test]
fn episodes_are_alarms_that_begin_outside_and_delays_end_with_the_first_true_alarm() {
    for (labels, alarms, episodes, hit, delays) in [
        ("..####..", "........", 0, 0, (None, None)),
        ("..####..", "...!.!..", 0, 1, (Some(10), Some(10))),
        // One that goes on behind a labelled window began inside; one that begins before is false, and is there at once.
        ("..####..", "....!!!.", 0, 1, (Some(20), Some(20))),
        ("..####..", ".!!!!...", 1, 1, (Some(0), Some(0))),
        ("..####..", "!.!.!.!!", 2, 1, (Some(0), Some(0))),
        ("##..##..", "!.!!.!!.", 1, 2, (Some(5), Some(9))),
        ("........", "!.!.!.!.", 4, 0, (None, None)),
    ] {
        let f = Figures::of(&[drawn(labels, alarms)]);
        assert_eq!((f.episodes, f.windows_hit), (episodes, hit), "{labels} {alarms}");
        assert_eq!((f.delay_median, f.delay_p90), delays, "{labels} {alarms}");
    }
}

#[test]
fn tracks_are_pooled_and_do_not_run_into_each_other() {
    let tracks = [drawn("..##", "...!"), drawn("##..", "!..!"), drawn("....", "....")];
    let f = Figures::of(&tracks);
    assert_eq!((f.windows, f.windows_hit, f.episodes), (2, 2, 1));
    assert_eq!(f.counts, Counts { true_positives: 2, false_positives: 1, false_negatives: 2, true_negatives: 7 });
    assert_eq!(f.span, 120);
    let a_day = Track { span: DAY, ..drawn("....", "!.!.") };
    assert_eq!(Figures::of(&[a_day]).episodes_a_day(), Some(2.0));
}

#[test]
fn detectors_without_sense_have_the_figures_that_they_must_have() {
    let tracks = [drawn("..###", "..!!."), drawn("#....", ".....")];
    let always = Figures::of(&constant(&tracks, true));
    assert_eq!(always.counts, Counts { true_positives: 4, false_positives: 6, ..Counts::default() });
    assert_eq!((always.counts.far(), always.counts.mar(), always.auc), (Some(1.0), Some(0.0), Some(0.5)));
    assert_eq!((always.windows_hit, always.delay_median, always.episodes), (2, Some(0), 1));
    let never = Figures::of(&constant(&tracks, false));
    assert_eq!((never.counts.precision(), never.counts.f1(), never.counts.far()), (None, Some(0.0), Some(0.0)));
    assert_eq!((never.windows_hit, never.delay_median, never.auc), (0, None, Some(0.5)));
}

#[test]
fn what_is_not_defined_is_none() {
    let f = Figures::of(&[drawn("....", "....")]);
    assert_eq!((f.counts.recall(), f.counts.f1(), f.auc, f.average_precision), (None, None, None, None));
    let f = Figures::of(&[]);
    assert_eq!((f.coverage(), f.episodes_a_day(), f.counts.far()), (None, None, None));
}

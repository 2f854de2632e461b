//! Who speaks for which row, and when; compared with a search over all windows for each row.

use super::*;
use crate::commands::eval::measure::Figures;
use crate::commands::eval::windows::Score;
use crate::commands::predictions::Row;

const JUDGE: Judge = Judge { score: Score::Decision, threshold: None };

fn rules(causal: Causal) -> Rules {
    Rules { causal, part: Part::default(), judge: JUDGE }
}

fn scored<'a>(device: &'a str, sensor: Option<&'a str>, start: Micros, decision: Option<f64>) -> Row<'a> {
    let is_anomaly = decision.is_some_and(|decision| decision <= 0.0);
    let status = if decision.is_some() { "scored" } else { "no_model" };
    Row {
        device,
        sensor,
        start,
        end: start + 10,
        decision,
        severity: None,
        threshold: None,
        is_anomaly,
        status,
        model_key: None,
    }
}

fn dataset(rows: &[(&str, Option<&str>, Micros, Option<f64>)]) -> Dataset {
    let mut dataset = Dataset::default();
    rows.iter().for_each(|&(device, sensor, start, decision)| dataset.add(scored(device, sensor, start, decision)));
    dataset
}

fn whom(device: Option<&str>, sensor: Option<&str>) -> Whom {
    Whom { device: device.map(str::to_owned), sensor: sensor.map(str::to_owned) }
}

fn labelled(device: Option<&str>, times: &[(Micros, bool)]) -> Labels {
    let row = |&(time, is_anomaly): &(Micros, bool)| LabelledRow { whom: whom(device, None), time, is_anomaly };
    Labels::Rows(times.iter().map(row).collect())
}

fn window(start: Micros, end: Micros, alarm: bool) -> Window {
    Window { start, end, alarm, score: Some(0.0) }
}

#[test]
fn each_rule_finds_the_window_that_a_search_finds() {
    // A gap, rows at both edges of windows, a window without rows, rows before and behind all windows.
    let windows = [window(10, 20, false), window(20, 30, true), window(60, 70, false), window(70, 80, true)];
    let times = [5, 10, 15, 19, 20, 20, 29, 30, 45, 70, 75, 79, 80, 200];
    let last_in = |w: &Window| times.iter().copied().filter(|&t| t >= w.start && t < w.end).max();
    for causal in [Causal::Strict, Causal::LastRow, Causal::Window] {
        let found = speakers(&times, &windows, causal);
        for (&time, found) in times.iter().zip(found) {
            let expected = windows.iter().filter(|w| match causal {
                Causal::Strict => w.end <= time,
                // It holds nothing that comes later.
                Causal::LastRow => last_in(w).map_or(w.end <= time, |last| last <= time),
                Causal::Window => w.start <= time && time < w.end,
            });
            assert_eq!(found, expected.max_by_key(|w| w.end), "{causal:?} at {time}");
        }
    }
}

#[test]
fn by_default_no_row_knows_what_comes_behind_it() {
    // Verdicts that depend on a window's own rows must not reach rows of the same window.
    let data = dataset(&[("d", None, 0, Some(1.0)), ("d", None, 10, Some(-1.0)), ("d", None, 20, Some(1.0))]);
    let labels = labelled(None, &[(5, false), (12, true), (18, true), (22, false), (28, false), (31, false)]);
    let alarms = |causal| {
        let tracks = tracks(&data, &labels, &rules(causal)).expect("tracks");
        tracks[0].judged.iter().map(|judged| judged.alarm).collect::<Vec<_>>()
    };
    assert_eq!(alarms(Causal::default()), [false, false, false, true, true, false]);
    assert_eq!(alarms(Causal::LastRow), [false, false, true, true, false, false]);
    assert_eq!(alarms(Causal::Window), [false, true, true, false, false, false]);
}

#[test]
fn a_verdict_on_a_rows_own_window_counts_from_the_windows_end() {
    let data = dataset(&[("d", None, 0, Some(-1.0))]);
    let labels = labelled(None, &[(2, true), (4, true)]);
    let tracks = tracks(&data, &labels, &rules(Causal::Window)).expect("tracks");
    assert_eq!(tracks[0].intervals, [(2, 4)]);
    assert_eq!(Figures::of(&tracks).delay_median, Some(8));
}

#[test]
fn labels_of_a_device_take_all_its_series_together() {
    let data = dataset(&[
        ("d", Some("a"), 0, Some(1.0)),
        ("d", Some("a"), 10, Some(0.5)),
        ("d", Some("b"), 0, Some(-2.0)),
        ("d", Some("b"), 10, None),
        ("e", Some("a"), 0, None),
    ]);
    let labels = labelled(None, &[(3, true), (13, false)]);
    let both = tracks(&data, &labels, &rules(Causal::Window)).expect("tracks");
    assert_eq!(both.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(), ["d", "e"]);
    let seen = |track: &Track| track.judged.iter().map(|j| (j.alarm, j.score)).collect::<Vec<_>>();
    assert_eq!(seen(&both[0]), [(true, Some(2.0)), (false, Some(-0.5))]);
    assert_eq!(seen(&both[1]), [(false, None), (false, None)], "what is not scored is no alarm");
    assert_eq!(Figures::of(&both).coverage(), Some(0.5));

    let mut of_series = labels;
    of_series.whom_mut().for_each(|whom| whom.sensor = Some("a".into()));
    let each = tracks(&data, &of_series, &rules(Causal::Window)).expect("tracks");
    assert_eq!(each.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(), ["d/a", "e/a"]);
    assert_eq!(seen(&each[0]), [(false, Some(-1.0)), (false, Some(-0.5))]);
}

#[test]
fn outside_of_intervals_all_is_normal_and_the_windows_are_counted() {
    let decisions = [1.0, -1.0, 1.0, -1.0, -1.0, 1.0];
    let rows: Vec<_> = (0..).zip(decisions).map(|(n, decision)| ("d", Some("s"), 10 * n, Some(decision))).collect();
    let data = dataset(&rows);
    // Both ends are included: the window that ends where the interval begins is not in it, the one that begins at its end is.
    let labels = Labels::Intervals(vec![Interval { whom: whom(None, None), kind: None, from: 10, to: 20 }]);
    let tracks = tracks(&data, &labels, &rules(Causal::Strict)).expect("tracks");
    let positive: Vec<bool> = tracks[0].judged.iter().map(|judged| judged.is_positive).collect();
    assert_eq!(positive, [false, true, true, false, false, false]);
    let f = Figures::of(&tracks);
    assert_eq!((f.windows, f.windows_hit, f.delay_median, f.episodes), (1, 1, Some(10), 1));
    assert_eq!(f.span, 60);
}

#[test]
fn what_models_were_trained_on_is_left_out() {
    let rows: Vec<_> = (0..6).map(|n| ("d", None, 10 * n, Some(1.0))).collect();
    let data = dataset(&rows);
    let interval = |from, to| Interval { whom: whom(None, None), kind: None, from, to };
    let intervals = Labels::Intervals(vec![interval(0, 5), interval(15, 25), interval(55, 58)]);
    let labels = labelled(None, &[(1, true), (11, true), (21, false), (31, true), (41, false), (51, true)]);
    let part = |skip, from, to| Part { skip, from, to };
    for (part, starts, runs, kept) in [
        (part(0, None, None), vec![1, 11, 21, 31, 41, 51], vec![(1, 11), (31, 31), (51, 51)], 3),
        (part(2, None, None), vec![21, 31, 41, 51], vec![(31, 31), (51, 51)], 2),
        (part(0, Some(30), None), vec![31, 41, 51], vec![(31, 31), (51, 51)], 1),
        (part(1, Some(10), Some(50)), vec![11, 21, 31, 41], vec![(11, 11), (31, 31)], 1),
    ] {
        let rules = Rules { part, ..rules(Causal::Strict) };
        let of_rows = &tracks(&data, &labels, &rules).expect("tracks")[0];
        assert_eq!(of_rows.judged.iter().map(|judged| judged.start).collect::<Vec<_>>(), starts, "{part:?}");
        assert_eq!(of_rows.intervals, runs, "{part:?}");
        let of_windows = &tracks(&data, &intervals, &rules).expect("tracks")[0];
        assert_eq!(of_windows.judged.len(), starts.len(), "{part:?}");
        assert_eq!(of_windows.intervals.len(), kept, "{part:?}");
    }
}

#[test]
fn devices_that_are_missing_on_either_side_are_not_overlooked() {
    let data = dataset(&[("d", None, 0, Some(-1.0)), ("e", None, 0, Some(-1.0))]);
    // Rows speak for their own device only; intervals say of all others that they are normal.
    let rows = tracks(&data, &labelled(Some("d"), &[(11, true)]), &rules(Causal::Strict)).expect("tracks");
    assert_eq!(rows.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(), ["d"]);
    let interval = |device| Interval { whom: whom(Some(device), None), kind: None, from: 0, to: 5 };
    let labels = Labels::Intervals(vec![interval("d"), interval("gone")]);
    let intervals = tracks(&data, &labels, &rules_strict()).expect("tracks");
    assert_eq!(intervals.iter().map(|track| track.name.as_str()).collect::<Vec<_>>(), ["d", "e", "gone"]);
    let f = Figures::of(&intervals);
    assert_eq!((f.windows, f.windows_hit, f.counts.false_positives), (2, 1, 1));
    let error = tracks(&data, &labelled(Some("x"), &[(0, true)]), &rules_strict()).expect_err("no device in common");
    assert!(error.to_string().contains("the labels name `x`, the predictions `d`"), "{error}");
}

fn rules_strict() -> Rules {
    rules(Causal::Strict)
}

#[test]
fn a_threshold_takes_the_place_of_the_verdicts() {
    let mut data = Dataset::default();
    for (start, severity) in [(0, 0.5), (10, 1.5), (20, 2.5)] {
        data.add(Row { severity: Some(severity), threshold: Some(2.0), ..scored("d", None, start, Some(1.0)) });
    }
    assert_eq!(Score::finest([data.has()].into_iter()), Score::Excess);
    for (score, threshold, expected) in [
        (Score::Severity, None, [false, false, false]),
        (Score::Severity, Some(1.0), [false, true, true]),
        (Score::Excess, Some(0.0), [false, false, true]),
        (Score::Decision, Some(-1.5), [true, true, true]),
        (Score::Decision, Some(-1.0), [false, false, false]),
    ] {
        let windows = data.of_device("d", Judge { score, threshold });
        let alarms: Vec<bool> = windows.iter().map(|window| window.alarm).collect();
        assert_eq!(alarms, expected, "{score:?} {threshold:?}");
    }
    data.add(scored("d", None, 30, Some(1.0)));
    assert_eq!(Score::finest([data.has()].into_iter()), Score::Decision, "one scored row has no severity");
}

#[test]
fn labels_of_sensors_are_labels_of_devices_that_are_scored_as_a_whole() {
    let data = dataset(&[("d", None, 0, Some(1.0)), ("d", None, 10, Some(-1.0)), ("e", None, 10, Some(1.0))]);
    let interval = |sensor| Interval { whom: whom(Some("d"), Some(sensor)), kind: None, from: 12, to: 13 };
    let labels = Labels::Intervals(vec![interval("temp"), interval("flow")]);
    let tracks = tracks(&data, &labels, &rules(Causal::default())).expect("tracks");
    let positive: Vec<Vec<bool>> =
        tracks.iter().map(|track| track.judged.iter().map(|judged| judged.is_positive).collect()).collect();
    assert_eq!(positive, [vec![false, true], vec![false]], "one track a device, whatever the sensor");
}

#[test]
fn labels_of_nothing_that_was_scored_are_named() {
    let data = dataset(&[("pump", Some("flow"), 0, Some(1.0)), ("pump", Some("temp"), 0, Some(1.0))]);
    let about = |names: &[(Option<&str>, Option<&str>)]| {
        let interval = |&(device, sensor)| Interval { whom: whom(device, sensor), kind: None, from: 0, to: 1 };
        strangers(&data, &Labels::Intervals(names.iter().map(interval).collect()))
    };
    let known = [(None, None), (Some("pump"), None), (None, Some("temp")), (Some("pump"), Some("flow"))];
    assert_eq!(about(&known).expect("known names"), None);
    for (stranger, example) in
        [((Some("pmp"), None), "`pmp`"), ((Some("pump"), Some("tmp")), "`pump/tmp`"), ((None, Some("tmp")), "`*/tmp`")]
    {
        let warning = about(&[known[1], stranger, stranger]).expect("one is known").expect("one is not");
        assert!(warning.starts_with("2 of 3 labels are of 1 devices or series"), "{warning}");
        assert!(warning.contains(&format!("such as {example}:")), "{warning}");
    }
    let refused = about(&[(Some("pump"), Some("tmp"))]).expect_err("none is known").to_string();
    assert!(refused.contains("`pump/tmp`, the predictions `pump/flow`"), "{refused}");
}

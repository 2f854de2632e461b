//! How good predictions are, why a row is an anomaly, which models are to be trained again: on what the program itself scored.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use score::{Feature, Kernel, Model, ModelKey, Statistic, Step, Threshold};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::golden::{reference, reference_config};
use crate::support::Atalaia;

/// The reference's readings, scored; a model can be left out.
fn scored(without: Option<&str>) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = folder.path().join("models");
    fs::create_dir(&models).expect("it is ours");
    for entry in fs::read_dir(reference("models")).expect("the reference has models") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("a name").to_owned();
        if without.is_none_or(|without| name != without) {
            fs::copy(&path, models.join(name)).expect("it is ours");
        }
    }
    Atalaia::new("score")
        .arg("-c")
        .arg(reference_config())
        .set("ingest.files.path", reference("sensor_data.csv").display())
        .set("score.models", models.display())
        .set("sink.url", folder.path().display())
        .run()
        .success();
    folder
}

/// What scikit-learn said serves as labels: time, series, whether it is an anomaly.
fn labels() -> Vec<(jiff::Timestamp, (String, String), bool)> {
    let csv = fs::read_to_string(reference("golden_predictions.csv")).expect("the reference's data are in the tree");
    let row = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let [time, device, tag, _, _, prediction] = fields[..] else { panic!("six fields expected: {line}") };
        let time = format!("{}Z", time.replace(' ', "T")).parse().expect("a time");
        (time, (device.to_owned(), tag.to_owned()), prediction == "1")
    };
    csv.lines().skip(1).map(row).collect()
}

fn eval(folder: &Path) -> Atalaia {
    Atalaia::new("eval")
        .arg("--predictions")
        .arg(folder.join("predictions"))
        .arg("--labels")
        .arg(reference("golden_predictions.csv"))
        .args(["--time-column", "TS", "--label-column", "Prediction"])
        .args(["--device-column", "Device", "--sensor-column", "Tag"])
}

fn json_of(command: Atalaia) -> Value {
    command.args(["--format", "json"]).run().success().json_lines().remove(0)
}

#[test]
fn predictions_are_judged_by_what_scikit_learn_said() {
    let folder = scored(None);
    // Each window holds one reading: its own verdict is the golden one.
    for causal in ["window", "last-row"] {
        let shown = json_of(eval(folder.path()).args(["--causal", causal]));
        let own = &shown["predictions"];
        let counts = ["true_positives", "false_positives", "false_negatives", "true_negatives"].map(|name| &own[name]);
        assert_eq!(counts, [&json!(6757), &json!(0), &json!(0), &json!(11_011)], "{causal}: {shown}");
        assert_eq!((own["f1"].as_f64(), own["far"].as_f64(), own["mar"].as_f64()), (Some(1.0), Some(0.0), Some(0.0)));
        assert_eq!(own["windows"], own["windows_hit"]);
        assert_eq!((own["episodes"].as_u64(), own["coverage"].as_f64()), (Some(0), Some(1.0)));
        assert_eq!(shown["always_alarm"]["false_positives"], 11_011);
        assert_eq!(shown["never_alarm"]["recall"], 0.0);
        assert_eq!(shown["evaluated"]["devices"], 15);
    }

    // By default a row has the verdict of the newest window that has ended: searched for here row by row.
    let labels = labels();
    let mut series: BTreeMap<&(String, String), Vec<(jiff::Timestamp, bool)>> = BTreeMap::new();
    for (time, key, is_anomaly) in &labels {
        series.entry(key).or_default().push((*time, *is_anomaly));
    }
    let window = |time: jiff::Timestamp| time.as_second().div_euclid(5) * 5;
    let mut expected = [0_u64; 4];
    for rows in series.values() {
        for (time, is_anomaly) in rows {
            let ended = rows.iter().filter(|(other, _)| window(*other) + 5 <= time.as_second());
            let alarm = ended.max_by_key(|(other, _)| *other).is_some_and(|(_, verdict)| *verdict);
            expected[usize::from(!alarm) * 2 + usize::from(*is_anomaly != alarm)] += 1;
        }
    }
    let [true_alarms, false_alarms, true_normal, missed] = expected;
    let own = json_of(eval(folder.path()))["predictions"].clone();
    let counts =
        ["true_positives", "false_positives", "true_negatives", "false_negatives"].map(|name| own[name].as_u64());
    assert_eq!(counts, [true_alarms, false_alarms, true_normal, missed].map(Some));
    assert!(false_alarms > 0 && missed > 0, "a verdict that comes later is not the same");
}

#[test]
fn bounds_decide_the_exit_status_and_plots_are_written() {
    let folder = scored(Some("model_2_3"));
    let page = folder.path().join("report.html");
    let outcome = eval(folder.path())
        .args([
            "--causal",
            "window",
            "--min-f1",
            "85%",
            "--max-far",
            "0.135",
            "--min-coverage",
            "1",
            "--each",
            "--plot",
        ])
        .arg(&page)
        .run()
        .status_is(3);
    let kept: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("kept")).collect();
    let broken: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("not kept")).collect();
    assert_eq!((kept.len(), broken.len()), (2, 1), "{}", outcome.stdout);
    assert!(broken[0].contains("coverage is 0.9") && broken[0].contains("--min-coverage"), "{}", broken[0]);
    assert!(outcome.stdout.contains("looks ahead by up to 5.0s"), "{}", outcome.stdout);
    let page = fs::read_to_string(page).expect("the page was written");
    assert!(page.matches("class=\"label\"").count() > 15 && page.contains("</svg>"), "15 series are drawn");

    // Intervals, and several datasets: all twice.
    let intervals = folder.path().join("failures.csv");
    fs::write(&intervals, "device,sensor,from,to\n1,1,2018-08-28T23:00:00Z,2018-08-28T23:01:00Z\n")
        .expect("it is ours");
    let predictions = folder.path().join("predictions");
    let of = |times: usize| {
        let mut command = Atalaia::new("eval").arg("--labels").arg(&intervals);
        for _ in 0..times {
            command = command.arg("--predictions").arg(&predictions);
        }
        json_of(command)
    };
    let (once, twice) = (of(1), of(2));
    assert_eq!(once["evaluated"]["unit"], "window");
    let positives = |shown: &Value| {
        let own = &shown["predictions"];
        own["true_positives"].as_u64().zip(own["false_negatives"].as_u64()).map(|(hit, missed)| hit + missed)
    };
    let labels = labels();
    let inside = labels.iter().filter(|(time, key, _)| {
        let seconds = time.as_second() - 1_535_497_200;
        *key == ("1".into(), "1".into()) && (0..65).contains(&seconds)
    });
    assert_eq!(positives(&once), Some(inside.count() as u64), "the window that begins at the end is in it too");
    assert_eq!(positives(&twice), positives(&once).map(|count| 2 * count));
    assert_eq!(twice["predictions"]["windows"], 2);

    let parent = Atalaia::new("eval").arg("--labels").arg(&intervals).arg("--predictions").arg(folder.path());
    let outcome = parent.run().status_is(1);
    assert!(outcome.stderr.contains("name the folder `predictions` in it"), "{}", outcome.stderr);

    // A name that was mistyped is said; one that is all there is, refused.
    let mistyped = folder.path().join("mistyped.csv");
    let line = "2018-08-28T23:00:00Z,2018-08-28T23:01:00Z\n";
    let judged = |lines: &str| {
        fs::write(&mistyped, format!("device,sensor,from,to\n{lines}")).expect("it is ours");
        Atalaia::new("eval").arg("--labels").arg(&mistyped).arg("--predictions").arg(&predictions).run()
    };
    let outcome = judged(&format!("1,1,{line}1,11,{line}")).success();
    assert!(outcome.stderr.contains("1 of 2 labels are of 1 devices or series"), "{}", outcome.stderr);
    let outcome = judged(&format!("1,11,{line}")).status_is(1);
    assert!(outcome.stderr.contains("the labels name `1/11`, the predictions `1/1`"), "{}", outcome.stderr);

    // Figures that say nothing, of another year or without any score, are called that.
    let outcome = judged("1,1,2017-08-28T23:00:00Z,2017-08-28T23:01:00Z\n").success();
    let expected = "no window touches any of the 1 labelled intervals, which lie between 2017-08-28T23:00:00Z and";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("has a score"), "of the other series: {}", outcome.stderr);
    fs::write(&mistyped, "ts,device,sensor,anomaly\n2018-08-28T23:30:00Z,2,3,1\n").expect("it is ours");
    let of_rows = Atalaia::new("eval").arg("--labels").arg(&mistyped).arg("--predictions").arg(&predictions);
    let outcome = of_rows.run().success();
    assert!(outcome.stderr.contains("nothing that is evaluated has a score"), "{}", outcome.stderr);

    let outcome = eval(folder.path()).args(["--from", "2030-01-01T00:00:00Z"]).run().status_is(1);
    assert!(outcome.stderr.contains("nothing is left to evaluate"), "{}", outcome.stderr);
}

// === three features ===

const WINDOW: i64 = 60;
const START: i64 = 1_700_000_040;

fn three_features(trained_at: &str) -> Model {
    Model {
        key: ModelKey::series("d", "s"),
        features: Some([Statistic::Mean, Statistic::Max, Statistic::StdPop].map(Feature::from).into()),
        steps: vec![Step::Subtract(vec![10.0, 12.0, 1.5]), Step::Divide(vec![2.0, 2.5, 0.5])],
        kernel: Kernel::Rbf { gamma: 0.25 },
        support_vectors: vec![0.0, 0.1, -0.2, 0.9, -0.4, 0.3, -0.8, 0.5, 0.6],
        coefficients: vec![1.0, 0.7, 0.3],
        intercept: -1.2,
        threshold: None,
        version: "v1".into(),
        source: "a test".into(),
        trained_at: Some(trained_at.parse::<jiff::Timestamp>().expect("a time").as_microsecond()),
        rows: Some(3),
    }
}

/// Four readings a window; the last window but one has a peak.
fn readings() -> Vec<(i64, f64)> {
    let value = |window: i64, n: i64| match (window, n) {
        (3, 2) => 31.0,
        _ => 10.0 + [-2.0, 0.5, 1.5, 0.25][n as usize] + window as f64 / 10.0,
    };
    (0..5).flat_map(|window| (0..4).map(move |n| (START + window * WINDOW + n * 15, value(window, n)))).collect()
}

fn registry(folder: &Path, models: &[Model]) -> PathBuf {
    let place = folder.join("registry");
    fs::create_dir(&place).expect("it is ours");
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&place).expect("a folder"));
    let root = object_store::path::Path::default();
    let write = score::write_registry(models, &store, &root);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(write).expect("models are written");
    place
}

/// The readings, judged by the model; gives the configuration.
fn judged(folder: &Path, model: &Model) -> PathBuf {
    let models = registry(folder, std::slice::from_ref(model));
    let input = folder.join("readings.jsonl");
    let line = |(time, value)| format!("{{\"device\":\"d\",\"sensor\":\"s\",\"ts\":{time},\"value\":{value}}}\n");
    fs::write(&input, readings().into_iter().map(line).collect::<String>()).expect("it is ours");
    let config = folder.join("pipeline.toml");
    let text = format!(
        "[ingest]\nsource = \"files\"\nfiles.path = {input:?}\n[aggregate]\nwindow = \"1m\"\n[score]\nmodels = {models:?}\n[sink]\nurl = {:?}\n",
        folder.join("out")
    );
    fs::write(&config, text).expect("it is ours");
    Atalaia::new("score").arg("-c").arg(&config).run().success();
    config
}

#[test]
fn a_verdict_that_smoothing_carried_over_is_told_from_a_windows_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let threshold = Threshold { value: 0.5, how: "a test".into(), smoothing: 3 };
    let model = Model { threshold: Some(threshold), ..three_features("2020-01-01T00:00:00Z") };
    let config = judged(folder.path(), &model);
    let explain = |window: i64| {
        let start = (START + window * WINDOW).to_string();
        Atalaia::new("explain").arg("-c").arg(&config).args(["--device", "d", "--window", &start])
    };
    // The peak is in the fourth window, and the mean of three windows holds it for the fifth.
    for (window, is_anomaly, is_turned, expected) in [
        (2, false, false, "  normal\n"),
        (3, true, false, "  an anomaly\n"),
        (4, true, true, "  an anomaly by the windows before it: alone this one would be normal\n"),
    ] {
        let shown = json_of(explain(window));
        let verdict = (&shown["row"]["is_anomaly"], &shown["turned_by_windows_before"]);
        assert_eq!(verdict, (&json!(is_anomaly), &json!(is_turned)), "{window}: {shown}");
        let text = explain(window).run().success().stdout;
        assert!(text.contains(expected), "{window}: {text}");
    }
}

#[test]
fn a_verdict_is_explained_as_by_hand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = three_features("2020-01-01T00:00:00Z");
    let config = judged(folder.path(), &model);

    let explain = || Atalaia::new("explain").arg("-c").arg(&config).args(["--device", "d"]);
    let start = START + 3 * WINDOW;
    // Any time in the window will do, and the only sensor need not be named.
    let shown = json_of(explain().args(["--window", &(start + 37).to_string()]));
    let values: Vec<f64> =
        readings().iter().filter(|(time, _)| (start..start + WINDOW).contains(time)).map(|r| r.1).collect();
    let mean = values.iter().sum::<f64>() / 4.0;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
    let x = [mean, 31.0, deviation];
    let sum = |x: [f64; 3]| {
        let z = [(x[0] - 10.0) / 2.0, (x[1] - 12.0) / 2.5, (x[2] - 1.5) / 0.5];
        let term =
            |(v, a): (&[f64], &f64)| a * (-0.25 * v.iter().zip(z).map(|(v, z)| (v - z).powi(2)).sum::<f64>()).exp();
        model.support_vectors.chunks(3).zip(&model.coefficients).map(term).sum::<f64>()
    };
    let decision = |x: [f64; 3]| sum(x) - 1.2;
    let near = |found: &Value, expected: f64| {
        let found = found.as_f64().expect("a number");
        assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{found} instead of {expected}");
    };
    near(&shown["decision"], decision(x));
    near(&shown["row"]["decision"], decision(x));
    assert_eq!(shown["row"]["is_anomaly"], true);
    assert_eq!(shown["model"], json!({ "key": "d/s", "version": "v1", "scored_the_row": true }));
    let contributions = shown["contributions"].as_array().expect("means are known");
    let usual = BTreeMap::from([
        ("mean", (x[0], 10.0, [10.0, x[1], x[2]])),
        ("max", (x[1], 12.0, [x[0], 12.0, x[2]])),
        ("std_pop", (x[2], 1.5, [x[0], x[1], 1.5])),
    ]);
    assert_eq!(contributions.len(), 3);
    for c in contributions {
        let (value, mean, variant) = usual[c["feature"].as_str().expect("a name")];
        near(&c["value"], value);
        near(&c["mean"], mean);
        near(&c["decision"], decision(variant));
        near(&c["severity"], 1.2_f64.ln() - sum(variant).ln());
    }
    let first = &contributions[0];
    assert!(usual.values().all(|(_, _, variant)| decision(*variant) <= first["decision"].as_f64().unwrap() + 1e-12));
    assert_eq!(shown["row"]["top_feature"], first["feature"], "as the service says");

    let text = explain().args(["--sensor", "s", "--window", &start.to_string()]).run().success().stdout;
    assert!(text.contains("an anomaly") && text.contains("version v1, that scored the row"), "{text}");
    // With another model at hand, that is said.
    let other = tempfile::tempdir().expect("a temporary folder");
    let mut unlike = Model { version: "v2".into(), ..model.clone() };
    unlike.steps = vec![Step::Multiply(vec![0.1; 3])];
    let place = registry(other.path(), &[unlike]);
    let text = explain().args(["--window", &start.to_string(), "--models"]).arg(place).run().success().stdout;
    assert!(text.contains("version v2: the present one; the row was scored by version v1"), "{text}");
    assert!(text.contains("does not begin by subtracting means"), "{text}");
    for (arguments, expected) in
        [(vec!["--sensor", "t"], "has no window of `t`"), (vec!["--set", "sink.url=elsewhere"], "elsewhere")]
    {
        let outcome = explain().args(["--window", &start.to_string()]).args(arguments).run().status_is(1);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    }
    let outcome = explain().args(["--window", "2023-11-15T00:00:00Z"]).run().status_is(1);
    assert!(outcome.stderr.contains("holds no window of `d`"), "{}", outcome.stderr);

    // The same models are too old, and make too much of what they see.
    let stale = || Atalaia::new("models").args(["stale", "-c"]).arg(&config);
    let shown = json_of(stale().args(["--min-rows", "5", "--max-anomalous", "19%"]));
    assert_eq!(shown["stale"][0]["reasons"], json!(["too_old", "anomalous"]), "{shown}");
    assert_eq!(shown["oldest_trained_at"], "2020-01-01T00:00:00Z");
    let csv =
        stale().args(["--format", "csv", "--min-rows", "5", "--max-anomalous", "20%", "--check"]).run().status_is(1);
    let lines: Vec<&str> = csv.stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], "d,s,too_old,2020-01-01T00:00:00Z,d/s,5,5,0,0.2");
}

#[test]
fn the_verdict_on_a_whole_device_is_explained_as_by_hand() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["flow.mean", "temp.max", "temp.min"];
    let model = Model {
        key: ModelKey::device("d"),
        features: Some(names.iter().map(|name| name.parse().expect("a feature")).collect()),
        steps: vec![Step::Subtract(vec![5.0, 80.0, 80.0]), Step::Divide(vec![1.0, 4.0, 40.0])],
        kernel: Kernel::Rbf { gamma: 0.5 },
        support_vectors: vec![0.0, 0.2, 0.0, -0.3, 0.8, 0.1, 0.5, -0.6, -0.1],
        ..three_features("2024-01-01T00:00:00Z")
    };
    let models = registry(folder.path(), std::slice::from_ref(&model));
    let input = folder.path().join("readings.jsonl");
    // In the second window `flow` is silent: its mean in training stands in.
    let readings = [
        (0, "flow", 5.5),
        (1, "flow", 9.5),
        (2, "temp", 81.0),
        (62, "temp", 99.0),
        (122, "temp", 80.0),
        (123, "flow", 5.0),
    ];
    let line = |(time, sensor, value): (i64, &str, f64)| {
        format!("{{\"device\":\"d\",\"sensor\":\"{sensor}\",\"ts\":{},\"value\":{value}}}\n", START + time)
    };
    fs::write(&input, readings.into_iter().map(line).collect::<String>()).expect("it is ours");
    let config = folder.path().join("pipeline.toml");
    let text = format!(
        "[ingest]\nsource = \"files\"\nfiles.path = {input:?}\n[aggregate]\nwindow = \"1m\"\n[score]\nmodels = {models:?}\nkey = \"device\"\nmissing_feature = \"mean\"\nfeatures = [\"flow.mean\"]\n[sink]\nurl = {:?}\n",
        folder.path().join("out")
    );
    fs::write(&config, text).expect("it is ours");
    Atalaia::new("score").arg("-c").arg(&config).run().success();
    let decision = |x: [f64; 3]| {
        let z = [x[0] - 5.0, (x[1] - 80.0) / 4.0, (x[2] - 80.0) / 40.0];
        let term =
            |(v, a): (&[f64], &f64)| a * (-0.5 * v.iter().zip(z).map(|(v, z)| (v - z).powi(2)).sum::<f64>()).exp();
        model.support_vectors.chunks(3).zip(&model.coefficients).map(term).sum::<f64>() - 1.2
    };
    for (window, x) in [(0, [7.5, 81.0, 81.0]), (1, [5.0, 99.0, 99.0]), (2, [5.0, 80.0, 80.0])] {
        let at = (START + window * WINDOW).to_string();
        let shown = json_of(Atalaia::new("explain").arg("-c").arg(&config).args(["--device", "d", "--window", &at]));
        assert_eq!(shown["sensor"], Value::Null);
        let near = |found: &Value, expected: f64| {
            let found = found.as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-12, "window {window}: {found} instead of {expected}");
        };
        near(&shown["decision"], decision(x));
        near(&shown["row"]["decision"], decision(x));
        for c in shown["contributions"].as_array().expect("means are known") {
            let place = names.iter().position(|name| c["feature"] == *name).expect("a feature of the model");
            let mut usual = x;
            usual[place] = [5.0, 80.0, 80.0][place];
            near(&c["value"], x[place]);
            near(&c["decision"], decision(usual));
        }
        if window < 2 {
            assert_eq!(shown["row"]["is_anomaly"], true, "{shown}");
            assert_eq!(shown["contributions"][0]["feature"], names[window as usize]);
            assert_eq!(shown["row"]["top_feature"], names[window as usize], "as the service says");
        }
    }
    // Where there is no pipeline, models of devices are as good as others.
    let alone = Atalaia::new("explain").arg("--predictions").arg(folder.path().join("out/predictions"));
    let alone = alone.arg("--models").arg(&models).args(["--device", "d", "--window", &START.to_string()]);
    assert_eq!(json_of(alone)["sensor"], Value::Null);
    // Labels of the device judge its rows.
    let labels = folder.path().join("labels.json");
    let interval = json!({ "d": { "windows": [[START, START + 119]] } });
    fs::write(&labels, interval.to_string()).expect("it is ours");
    let own = json_of(Atalaia::new("eval").arg("-c").arg(&config).arg("--labels").arg(labels))["predictions"].clone();
    assert_eq!((own["true_positives"].as_u64(), own["windows_hit"].as_u64()), (Some(2), Some(1)), "{own}");
}

#[test]
fn series_without_a_model_are_named() {
    let folder = scored(Some("model_2_3"));
    let command = || {
        Atalaia::new("models")
            .arg("stale")
            .arg("--from")
            .arg(folder.path().join("models"))
            .arg("--predictions")
            .arg(folder.path().join("predictions"))
    };
    let shown = json_of(command().args(["--max-anomalous", "100%"]));
    let stale = shown["stale"].as_array().expect("a list");
    assert_eq!(stale.len(), 1, "{shown}");
    assert_eq!((&stale[0]["device"], &stale[0]["sensor"]), (&json!("2"), &json!("3")));
    assert_eq!(stale[0]["reasons"], json!(["no_model"]));
    assert_eq!((&shown["models"], &shown["undated"], &shown["keys"]), (&json!(14), &json!(14), &json!(15)));
    assert_eq!(shown["rows"], 17_768);
    let missing = labels().iter().filter(|(_, key, _)| *key == ("2".into(), "3".into())).count();
    assert_eq!(shown["no_model"].as_u64(), Some(missing as u64));
    let text = command().args(["--max-anomalous", "100%", "--check"]).run().status_is(1).stdout;
    assert!(text.contains("2/3") && text.contains("windows without a model"), "{text}");
    command().args(["--no-predictions", "--check"]).run().status_is(2);
}

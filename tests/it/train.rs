//! From a file of readings to models to alarms: `train` and `score` as a user runs them, on a made-up machine with a known fault.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Atalaia;

const START: i64 = 1_700_000_000;
/// The machine runs well for so long, and then again from the fault's end on.
const HEALTHY: i64 = 1_200;
const FAULT: std::ops::Range<i64> = 1_500..1_560;
const SECONDS: i64 = 1_800;

const CONFIG: &str = r#"
[ingest]
source = "files"
[ingest.decode]
format = "csv"
shape = "wide"
delimiter = ";"
device_name = "pump"
time = "datetime"
sensors = ["temp", "flow"]
[aggregate]
window = "10s"
[score]
key = "device"
missing_feature = "mean"
"#;

/// Two sensors that go together, but for the fault; `spoilt` is a stretch of the fault in between.
fn readings(folder: &Path, name: &str, spoilt: std::ops::Range<i64>) -> PathBuf {
    let mut text = String::from("datetime;temp;flow;note\r\n");
    let mut state = 7_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
    };
    for second in 0..SECONDS {
        let load = (second as f64 / 60.0).sin();
        let temp = 60.0 + 5.0 * load + noise();
        let faulty = FAULT.contains(&second) || spoilt.contains(&second);
        let flow = if faulty { 40.0 - 2.0 * load } else { 30.0 + 2.0 * load } + noise();
        let time = START + second;
        writeln!(text, "{time};{temp};{flow};running\r").expect("a text");
    }
    let file = folder.join(name);
    fs::write(&file, text).expect("a file");
    file
}

fn train(readings: &Path, models: &Path, options: &[&str]) -> Atalaia {
    let command = Atalaia::new("train").config(CONFIG).set("ingest.files.path", readings.display());
    command.arg("--to").arg(models).args(["--format", "json"]).args(options)
}

fn summary(command: Atalaia) -> Value {
    command.run().success().json_lines().remove(0)
}

/// How many windows are anomalies.
fn anomalies(readings: &Path, models: &Path, results: &Path) -> i64 {
    let command = Atalaia::new("score").config(CONFIG).set("ingest.files.path", readings.display());
    let command = command.set("score.models", models.display()).set("sink.url", results.display());
    let counts = summary(command.args(["--format", "json"]))["counts"].clone();
    assert_eq!(counts["unscored"], 0);
    counts["anomalies"].as_i64().expect("a number")
}

#[test]
fn a_machine_is_learned_from_its_file_and_its_fault_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let file = readings(folder.path(), "readings.csv", 0..0);
    let rows = HEALTHY.to_string();
    let report = at("report.parquet").display().to_string();
    let trained = summary(train(&file, &at("models"), &["--rows", &rows, "--report", &report]));
    assert_eq!((&trained["trained"], &trained["kept"]), (&1.into(), &0.into()));
    // The newest window of either sensor may lack readings.
    assert_eq!((&trained["partial"], &trained["windows"]), (&2.into(), &(2 * (HEALTHY / 10 - 1)).into()), "{trained}");
    let found = anomalies(&file, &at("models"), &at("results"));
    // Six windows of the fault, and what smoothing adds behind it.
    assert!((6..=9).contains(&found), "{found}");

    // The predictions hold what was looked at: the same models come of them.
    let predictions = at("results").join("predictions").display().to_string();
    let until = "2023-11-14T22:33:10Z";
    let again = Atalaia::new("train").config(CONFIG).arg("--to").arg(at("again")).args(["--format", "json"]);
    let again = summary(again.args(["--from-predictions", &predictions, "--until", until]));
    assert_eq!((&again["trained"], &again["windows"]), (&1.into(), &trained["windows"]), "{again}");
    let found_again = anomalies(&file, &at("again"), &at("results-again"));
    assert_eq!(found_again, found);

    // What the service does not judge is not trained on, whichever way it comes.
    let few = |command: &str| Atalaia::new(command).config(CONFIG).set("score.min_readings", "11");
    let scored = few("score").set("ingest.files.path", file.display()).set("score.models", at("models").display());
    let counts = summary(scored.set("sink.url", at("few").display()).args(["--format", "json"]))["counts"].clone();
    assert_eq!(counts["unscored"], SECONDS / 10, "{counts}");
    let predictions = at("few").join("predictions").display().to_string();
    let refused = few("train").arg("--to").arg(at("none")).args(["--from-predictions", &predictions]).run();
    let expected = "no whole window was left (2 partial ones, 358 of too few readings)";
    assert!(!refused.status.success() && refused.stderr.contains(expected), "{}", refused.stderr);

    // The same input and options, the same model.
    summary(train(&file, &at("twin"), &["--rows", &rows]));
    let version = |models: &str| {
        let list = Atalaia::new("models").arg("list").arg("--from").arg(at(models)).set("score.key", "device");
        summary(list.args(["--format", "json"]))["version"].as_str().expect("a version").to_owned()
    };
    assert_eq!(version("twin"), version("models"));
}

#[test]
fn what_is_known_to_be_faulty_is_not_trained_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    // The fault was there while the history was taken, too.
    let file = readings(folder.path(), "spoilt.csv", 600..660);
    let rows = HEALTHY.to_string();
    let faults = at("faults.csv");
    let (from, to) = (START + 600, START + 660);
    let time = |seconds: i64| jiff::Timestamp::from_second(seconds).expect("a time");
    fs::write(&faults, format!("device,from,to\npump,{},{}\n", time(from), time(to))).expect("a file");
    let faults = faults.display().to_string();

    let plain = summary(train(&file, &at("plain"), &["--rows", &rows, "--trim", "none"]));
    let careful = summary(train(&file, &at("careful"), &["--rows", &rows, "--trim", "none", "--exclude", &faults]));
    // Six windows, and the one before, which ends as the fault begins, stays; each of two sensors.
    let windows = |summary: &Value| summary["windows"].as_i64().expect("a number");
    assert_eq!(windows(&plain) - windows(&careful), 14, "{careful}");
    let found = |models: &str| anomalies(&file, &at(models), &at(&format!("results-{models}")));
    // Both faults are found only by the model that did not take one of them for ordinary.
    let (of_plain, of_careful) = (found("plain"), found("careful"));
    assert!(of_careful >= 12, "{of_careful}");
    assert!(of_plain < of_careful / 2, "{of_plain} and {of_careful}");
    // And by one that trims what stands out.
    summary(train(&file, &at("robust"), &["--rows", &rows, "--trim", "outstanding:0.1:4"]));
    assert!(found("robust") >= 12);
}

#[test]
fn fresh_models_are_kept_as_they_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let file = readings(folder.path(), "readings.csv", 0..0);
    let rows = HEALTHY.to_string();
    summary(train(&file, &at("old"), &["--rows", &rows]));
    let old = at("old").display().to_string();
    let with_fan = |command: Atalaia| command.set("score.models", &old).set("ingest.decode.device_name", "fan");
    // Another device than the one that there is a model of.
    let grown = summary(with_fan(train(&file, &at("grown"), &["--rows", &rows, "--only", "new"])));
    assert_eq!((&grown["trained"], &grown["kept"]), (&1.into(), &1.into()), "{grown}");
    let grown = at("grown").display().to_string();
    let again =
        |only: &[&str], to: &str| train(&file, &at(to), only).args(["--rows", &rows]).set("score.models", &grown);
    let fresh = ["--only", "stale", "--max-age", "1h"];
    let said = summary(again(&fresh, "none"));
    assert_eq!((&said["trained"], &said["kept"], &said["set"]), (&0.into(), &2.into(), &Value::Null), "{said}");
    assert!(!at("none").join("current").exists(), "nothing is published");
    // In place: the set before is kept for whoever rolls back.
    let renewed = summary(again(&["--only", "stale", "--max-age", "0s"], "grown"));
    assert_eq!(
        (&renewed["trained"], &renewed["kept"], &renewed["number"]),
        (&1.into(), &1.into(), &2.into()),
        "{renewed}"
    );
}

#[test]
fn what_cannot_be_trained_this_time_keeps_its_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let whole = readings(folder.path(), "readings.csv", 0..0);
    // One sensor falls silent early.
    let text = fs::read_to_string(&whole).expect("readings");
    let silent = text.lines().enumerate().map(|(number, line)| match line.split(';').collect::<Vec<_>>()[..] {
        [time, temp, _, note] if number > 200 => format!("{time};{temp};;{note}\n"),
        _ => format!("{line}\n"),
    });
    let silent: String = silent.collect();
    fs::write(at("silent.csv"), silent).expect("a file");
    let series = |readings: &Path, device: &str, options: &[&str]| {
        let command = train(readings, &at("models"), options).set("score.key", "series");
        summary(command.set("ingest.decode.device_name", device))
    };
    let counts = |summary: &Value| [&summary["trained"], &summary["kept"], &summary["number"]].map(Value::as_u64);
    let before = series(&whole, "pump", &[]);
    assert_eq!(counts(&before), [Some(2), Some(0), Some(1)], "{before}");
    let report = at("report.parquet").display().to_string();
    let after = series(&at("silent.csv"), "pump", &["--report", &report]);
    assert_eq!(counts(&after), [Some(1), Some(1), Some(2)], "{after}");
    let failure = &after["failed"][0];
    assert_eq!((&failure["sensor"], &failure["kept"]), (&"flow".into(), &true.into()), "{after}");
    assert!(failure["failure"].as_str().is_some_and(|text| text.contains("too few")), "{after}");
    // A device that is not in the input at all.
    let other = series(&whole, "fan", &[]);
    assert_eq!(counts(&other), [Some(2), Some(2), Some(3)], "{other}");
    let alone = series(&at("silent.csv"), "pump", &["--drop-missing"]);
    assert_eq!(counts(&alone), [Some(1), Some(0), Some(4)], "{alone}");
    assert_eq!(alone["failed"][0]["kept"], false, "{alone}");
    // The first models of all: what is configured is not there yet.
    let absent = at("absent").display().to_string();
    let first = train(&whole, &at("first"), &["--rows", "1200"]).set("score.models", &absent);
    assert_eq!(counts(&summary(first)), [Some(1), Some(0), Some(1)]);
}

#[test]
fn what_cannot_be_trained_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let file = readings(folder.path(), "readings.csv", 0..0);
    for (options, expected) in [
        (&["--rows", "200"][..], "too few, at least 40 are needed"),
        (&["--features", "mean"], "names no sensor, but `score.key` is `device`"),
        (&["--until", "2001-01-01T00:00:00Z"], "no whole window was left"),
        (&["--nu", "1.5"], "nu is `1.5`, which is out of range"),
        (&["--set", "score.min_readings=11"], "no whole window was left (2 partial ones, 358 of too few readings)"),
        (&["--only", "new"], "`score.models` is empty"),
    ] {
        let outcome = train(&file, &at("models"), options).run();
        assert!(!outcome.status.success(), "{options:?}");
        assert!(outcome.stderr.contains(expected), "{options:?}: {}", outcome.stderr);
    }
}

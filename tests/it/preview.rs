//! What `preview` foretells is what the service does: the reference's predictions, from its file and from a topic. And it is there
//! at once, within 80 columns, and leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::golden::{records, reference, reference_config, run_on};
use crate::support::{Atalaia, Kafka, Message, Topic};

/// By device, tag and the start of the window: decision, anomaly or not, and the value that is the window's mean.
type Golden = BTreeMap<(String, String, i64), (f64, bool, f64)>;

fn golden() -> Golden {
    let text =
        fs::read_to_string(reference("golden_predictions.csv")).expect("the reference's predictions are in the tree");
    let row = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let [time, device, tag, value, decision, prediction] = fields[..] else {
            panic!("six fields expected: {line}")
        };
        let start: jiff::Timestamp = format!("{}Z", time.replace(' ', "T")).parse().expect("a time");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        let key = (device.to_owned(), tag.to_owned(), start.as_microsecond());
        (key, (number(decision), prediction == "1", number(value)))
    };
    text.lines().skip(1).map(row).collect()
}

/// Holds every window to the golden predictions, and returns how many there were.
#[track_caller]
fn judge(lines: &[Value]) -> usize {
    let golden = golden();
    let windows: Vec<&Value> = lines.iter().filter_map(|line| line.get("window")).collect();
    for window in &windows {
        let text = |name: &str| window[name].as_str().unwrap_or_default().to_owned();
        let key = (text("device"), text("sensor"), window["start_us"].as_i64().expect("a start"));
        let (decision, is_anomaly, value) = golden.get(&key).unwrap_or_else(|| panic!("no golden row for {key:?}"));
        let found = window["decision"].as_f64().unwrap_or_else(|| panic!("no decision: {window}"));
        // As in judges/golden.py.
        assert!((found - decision).abs() <= 1e-12 * 0.05, "{key:?}: {found} is not {decision}");
        assert_eq!((&window["is_anomaly"], &window["mean"]), (&(*is_anomaly).into(), &(*value).into()), "{key:?}");
        assert_eq!(window["model"]["key"], format!("{}/{}", key.0, key.1));
    }
    windows.len()
}

fn on_reference(format: &str) -> Atalaia {
    Atalaia::new("preview")
        .arg("-c")
        .arg(reference_config())
        .args(["--format", format])
        .set("ingest.files.path", reference("sensor_data.csv").display())
        .set("score.models", reference("models").display())
        .set("sink.url", "results")
}

#[test]
fn of_the_references_file_it_foretells_the_golden_predictions() {
    let preview = on_reference("json").start();
    let folder = preview.folder();
    let lines = preview.wait(Duration::from_secs(120)).success().json_lines();
    assert_eq!(judge(&lines), 17_768);
    assert!(!folder.join("results").exists(), "a preview writes nothing");
    let summary = &lines.last().expect("a summary")["summary"];
    let said = (&summary["records"], &summary["anomalies"], &summary["windows_so_far"], &summary["models"]["models"]);
    assert_eq!(said, (&17_768.into(), &6_757.into(), &0.into(), &15.into()));
    // Of the first records windows may be cut off, but here each holds one reading.
    let lines = on_reference("json").args(["--limit", "300"]).run().success().json_lines();
    assert_eq!(judge(&lines), 300);
    assert_eq!(lines.last().expect("a summary")["summary"]["windows_so_far"], 300);
}

#[test]
fn of_a_topic_it_foretells_the_golden_predictions() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(8);
    topic.produce(records());
    let command = |topic: &Topic| {
        Atalaia::new("preview")
            .arg("-c")
            .arg(reference_config())
            .args(["--format", "json"])
            .set_all(topic.settings())
            .set("score.models", reference("models").display())
    };
    let lines = command(&topic).run().success().json_lines();
    assert_eq!(judge(&lines), 17_768);
    // A service that comes after it finds everything as it was.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = run_on(&topic)
        .args(["--until-idle", "--close", "all"])
        .set("score.models", "")
        .set("sink.url", folder.path().display())
        .run()
        .success();
    assert!(outcome.stderr.contains("rows=17768 "), "{}", outcome.stderr);
}

/// By the broker's times, and devices that send into two partitions.
#[test]
fn what_a_topic_would_have_refused_is_shown_with_its_remedy() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    const T: i64 = 1_769_925_600_000_000;
    let reading = |time: i64| format!("{{\"device\":\"d\",\"sensor\":\"s\",\"ts\":{},\"value\":1}}", time / 1000);
    let hour = 3_600_000_000;
    topic.produce([
        Message::keyed("d", reading(T)).at(T).in_partition(0),
        Message::keyed("d", reading(T + 2 * hour)).at(T).in_partition(0),
        Message::keyed("d", reading(T + 400_000_000)).at(T + 400_000_000).in_partition(0),
        Message::keyed("d", reading(T + 1)).at(T + 400_000_000).in_partition(0),
        Message::keyed("d", reading(T)).at(T).in_partition(1),
    ]);
    let preview = |format: &str| {
        Atalaia::new("preview")
            .config("[aggregate]\nwindow = \"1m\"\nout_of_orderness = \"0s\"\n[sink]\nurl = \"unused\"\n")
            .args(["--format", format])
            .set_all(topic.settings())
            .run()
            .success()
    };
    let lines = preview("json").json_lines();
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!((&summary["refused"]["future"]["count"], &summary["late"]), (&1.into(), &1.into()), "{summary}");
    assert_eq!(summary["refused"]["late"]["example"]["position"], 3);
    assert_eq!(summary["split_devices"], serde_json::json!(["d"]));
    let text = preview("text");
    for words in [
        "refused, future: its time is 2h ahead of its arrival",
        "is it local time without its offset?",
        "refused, late: ",
    ] {
        assert!(text.stdout.contains(words), "`{words}` is missing in\n{}", text.stdout);
    }
    assert!(text.stderr.contains("device `d` shows up in two partitions"), "{}", text.stderr);
}

#[test]
fn text_shows_at_once_though_the_pipe_stays_open_and_models_are_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let mut preview = on_reference("text").set("ingest.files.path", fifo.display()).start();
    let mut pipe = fs::OpenOptions::new().write(true).open(&fifo).expect("somebody reads");
    pipe.write_all(b"TS,Device,Tag,Value\n2018-08-28 23:00:05.000,1,1,10.16\n").expect("somebody reads");
    preview
        .wait_until("the record", Duration::from_secs(20), |preview| preview.stdout().contains("1 / 1").then_some(()));
    assert!(!preview.stdout().contains("Windows"), "{}", preview.stdout());
    drop(pipe);
    let outcome = preview.wait(Duration::from_secs(20)).success();
    assert!(outcome.stdout.contains("model `1/1`"), "{}", outcome.stdout);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let run = |variables: &[(&str, &str)]| {
        let command = on_reference("text").args(["--limit", "3"]);
        variables.iter().fold(command, |command, (name, value)| command.env(name, value)).run().success().stdout
    };
    let plain = run(&[]);
    assert!(!plain.contains('\x1b') && plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains("\x1b["));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\x1b'));
}

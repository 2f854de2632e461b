//! `init`: what it writes from a sample is read by the other commands as it is, and gives the rows that one counts by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Atalaia, Kafka, Message, Outcome};

const START: i64 = 1_767_571_200;

/// Two machines, a reading each 30 s for half an hour; windows of 10 minutes hold 20 each, so that there are 6 of them.
fn readings() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for step in 0..60 {
        for machine in ["press-1", "press-2"] {
            let (time, value) = (START + step * 30, 20.0 + step as f64 / 8.0);
            let line = format!(
                "{{\"machine\":\"{machine}\",\"metric\":\"temp\",\"when\":{time},\"val\":{value},\"q\":\"ok\"}}"
            );
            all.push((machine.to_owned(), line));
        }
    }
    all
}

fn sample(folder: &Path) -> String {
    let mut text = String::new();
    for (at, (_, line)) in readings().iter().enumerate() {
        if at == 40 {
            text.push_str("{\"machine\":\"press-1\",\"metric\":\"temp\",\"when\":1767571800,\"val\":\"n/a\"}\n");
        }
        let _ = writeln!(text, "{line}");
    }
    fs::write(folder.join("readings.jsonl"), &text).expect("a sample");
    text
}

fn init(folder: &Path) -> Atalaia {
    Atalaia::new("init").current_dir(folder)
}

fn json(outcome: &Outcome) -> Value {
    outcome.json_lines().remove(0)
}

/// Of a preview, which has lines for windows as well.
fn records(outcome: &Outcome) -> Vec<Value> {
    outcome.json_lines().into_iter().filter(|line| line["position"].is_number()).collect()
}

#[test]
fn from_a_file_to_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    let told = init(folder).args(["--sample", "readings.jsonl", "--set", "score.models="]).run().success().stdout;
    assert!(told.contains("120 of 121 records decode into 120 readings of 2 devices, 1 sensor"), "{told}");
    assert!(told.contains("1 refused as bad_value (record 41: `val` is `n/a`"), "{told}");
    assert!(told.contains("atalaia preview -c pipeline.toml"), "{told}");

    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    assert!(text.contains("120 of 121 records decode"), "{text}");
    assert!(text.contains("window = \"10m\""), "{text}");
    for command in ["validate", "preview", "score"] {
        let outcome =
            Atalaia::new(command).current_dir(folder).args(["-c", "pipeline.toml", "--format", "json"]).run().success();
        match command {
            "preview" => {
                let shown = records(&outcome);
                let refused = shown.iter().filter(|record| !record["reject"].is_null()).count();
                let events: usize = shown.iter().map(|record| record["events"].as_array().map_or(0, Vec::len)).sum();
                assert_eq!((shown.len(), refused, events), (121, 1, 120));
            }
            "score" => {
                let counts = &json(&outcome)["counts"];
                assert_eq!(counts["records"], 121, "{counts}");
                assert_eq!(counts["readings"], 120, "{counts}");
                assert_eq!(counts["quarantined"], 1, "{counts}");
                assert_eq!(counts["rows"], 6, "{counts}");
                assert_eq!(counts["unscored"], 6, "{counts}");
            }
            _ => {}
        }
    }
}

#[test]
fn from_a_topic_to_rows() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    topic.produce(readings().into_iter().map(|(machine, line)| Message::keyed(machine, line)));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = init(folder)
        .args(["--sample", &topic.name, "--brokers", &topic.brokers, "-o", "plant.toml"])
        .args(["--set", "ingest.kafka.properties.\"fetch.wait.max.ms\"=50", "--set", "score.models="])
        .run()
        .success()
        .stdout;
    assert!(told.contains("120 of 120 records decode into 120 readings of 2 devices, 1 sensor"), "{told}");
    assert!(told.contains("atalaia run -c plant.toml"), "{told}");
    let text = fs::read_to_string(folder.join("plant.toml")).unwrap();
    assert!(text.contains("[ingest.kafka.properties]\n\"fetch.wait.max.ms\" = \"50\""), "{text}");
    Atalaia::new("validate").current_dir(folder).args(["-c", "plant.toml", "--online"]).run().success();
    let preview =
        Atalaia::new("preview").current_dir(folder).args(["-c", "plant.toml", "--format", "json"]).run().success();
    let good = records(&preview).iter().filter(|record| record["reject"].is_null()).count();
    assert_eq!(good, 120);
    // Of a topic, windows that may still grow are not closed unless asked for.
    let job =
        Atalaia::new("score").current_dir(folder).args(["-c", "plant.toml", "--close", "all", "--format", "json"]);
    let job = job.run().success();
    let counts = &json(&job)["counts"];
    assert_eq!((&counts["readings"], &counts["rows"]), (&Value::from(120), &Value::from(6)), "{counts}");

    // The same by a URL, and nothing was committed under the group of the pipeline.
    let again = format!("kafka://{}/{}", topic.brokers, topic.name);
    let shown = init(folder).args(["--sample", &again, "-o", "-"]).run().success().stdout;
    assert!(shown.contains("device = \"machine\""), "{shown}");
}

#[test]
fn a_file_that_is_there_stays_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    fs::write(folder.join("pipeline.toml"), "mine").unwrap();
    let refused = init(folder).args(["--sample", "readings.jsonl"]).run().status_is(1);
    assert!(refused.stderr.contains("`pipeline.toml` is there already"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(folder.join("pipeline.toml")).unwrap(), "mine");
    init(folder).args(["--sample", "readings.jsonl", "--force"]).run().success();
    assert!(fs::read_to_string(folder.join("pipeline.toml")).unwrap().contains("[ingest.decode]"));
}

#[test]
fn standard_input_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    let input = folder.join("readings.jsonl");
    let outcome = init(folder).args(["--sample", "-", "-o", "-"]).stdin(&input).run().success();
    assert!(outcome.stdout.contains("\ndevice = \"machine\""), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("120 of 121 records decode"), "{}", outcome.stderr);
    fs::write(folder.join("p.toml"), &outcome.stdout).unwrap();
    let preview = Atalaia::new("preview").args(["--format", "json", "-c"]).arg(folder.join("p.toml")).stdin(&input);
    assert_eq!(records(&preview.run().success()).len(), 121);
}

#[test]
fn without_a_sample_every_setting_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    init(folder).run().success();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipeline.example.toml");
    let written = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    assert_eq!(written, fs::read_to_string(example).unwrap());
    Atalaia::new("validate").current_dir(folder).args(["-c", "pipeline.toml"]).run().success();
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("empty.csv"), "").unwrap();
    fs::write(folder.join("noise.bin"), [1, 0xff, 0xfe, 0, 2, b'\n', 0x80].repeat(100)).unwrap();
    fs::write(folder.join("wide.txt"), [0xff, 0xfe, b'a', 0, b';', 0, b'\n', 0]).unwrap();
    fs::write(folder.join("line.json"), "x".repeat(40 << 20)).unwrap();
    for (file, told) in [
        ("empty.csv", "there are no records in the sample"),
        ("noise.bin", "neither JSON nor rows of CSV"),
        ("wide.txt", "UTF-16"),
        ("line.json", "neither JSON nor rows of CSV"),
        ("nowhere.csv", "there is no `nowhere.csv`"),
        ("kafka://broker", "names no topic"),
    ] {
        let outcome = init(folder).args(["--sample", file]).run().status_is(1);
        assert!(outcome.stderr.contains(told) && outcome.stderr.contains("hint: "), "{file}: {}", outcome.stderr);
        assert!(!folder.join("pipeline.toml").exists());
    }
}

#[test]
fn a_device_that_only_the_service_names_is_found_in_files_of_capture() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/tests/avro/capture-0.avro");
    init(folder).arg("--sample").arg(&capture).args(["--set", "score.models="]).run().success();
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    assert!(text.contains("\ndevice_property = \"iothub-connection-device-id\""), "{text}");
    Atalaia::new("score").current_dir(folder).args(["-c", "pipeline.toml"]).run().success();
}

#[test]
fn a_preview_that_reads_nothing_suggests_settings_that_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    let preview = |settings: &[&str]| {
        let preview = Atalaia::new("preview").current_dir(folder).config("[ingest]\nsource = \"files\"\n");
        let preview = preview.set("ingest.files.path", "readings.jsonl").set("sink.url", "out").set("score.models", "");
        settings.iter().fold(preview, |preview, setting| preview.args(["--set", *setting])).run().success().stdout
    };
    let told = preview(&[]);
    assert!(told.contains("\ndevice = \"machine\"") && told.contains("\nvalue = \"val\""), "{told}");
    assert!(told.contains("atalaia init --sample readings.jsonl"), "{told}");
    let fits = ["device=machine", "sensor=metric", "time=when", "value=val"].map(|s| format!("ingest.decode.{s}"));
    let told = preview(&fits.each_ref().map(String::as_str));
    assert!(!told.contains("atalaia init"), "{told}");
}

/// The example of docs/init.md, from a spreadsheet to rows: decimal commas, the day first, a column of words, cells that are empty.
#[test]
fn an_export_of_a_spreadsheet_loses_no_cell() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::copy(root.join("tests/data/init/european.csv"), folder.join("export.csv")).unwrap();
    let told = init(folder).args(["--sample", "export.csv"]).run().success().stdout;
    let early = Atalaia::new("score").current_dir(folder).args(["-c", "pipeline.toml"]).run().status_is(1);
    assert!(early.stderr.contains("atalaia train"), "no rows before there are models: {}", early.stderr);
    assert!(told.contains("10 of 10 records decode into 18 readings of 2 devices, 2 sensors; 1 refused"), "{told}");
    let text = fs::read_to_string(folder.join("pipeline.toml")).unwrap();
    assert!(text.contains("`Zustand` (words)"), "{text}");
    let written: toml::Table = text.parse().unwrap();
    assert_eq!(written["score"]["features"].to_string(), r#"["mean", "std_pop", "count"]"#);
    let page = fs::read_to_string(root.join("docs/init.md")).unwrap();
    let shown: toml::Table =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().parse().unwrap();
    assert_eq!(shown["ingest"]["decode"], written["ingest"]["decode"], "as docs/init.md shows it");

    let score = |set: &[&str]| {
        let job = Atalaia::new("score").current_dir(folder).args(["-c", "pipeline.toml", "--format", "json"]);
        let job = job.args(["--set", "score.models="]);
        json(&set.iter().fold(job, |job, set| job.args(["--set", set])).run().success())["counts"].clone()
    };
    // Twenty cells of sensors, of which one is empty and one `n/a`; ten of words.
    let counts = score(&["sink.url=listed"]);
    assert_eq!(
        (&counts["readings"], &counts["quarantined"], &counts["ignored_cells"]),
        (&19.into(), &1.into(), &11.into())
    );
    let counts = score(&["sink.url=free", "ingest.decode.sensors="]);
    assert_eq!(
        (&counts["readings"], &counts["quarantined"], &counts["ignored_cells"]),
        (&29.into(), &11.into(), &1.into())
    );
    let counts = score(&["sink.url=ignoring", "ingest.decode.sensors=", "ingest.decode.ignore=Zustand"]);
    assert_eq!(
        (&counts["readings"], &counts["quarantined"], &counts["ignored_cells"]),
        (&19.into(), &1.into(), &11.into())
    );

    let preview = Atalaia::new("preview").current_dir(folder).args(["-c", "pipeline.toml"]).run().success().stdout;
    assert!(
        preview.contains("export.csv:7") && !preview.contains("0:5"),
        "the record of the reject, by file and line: {preview}"
    );
    assert!(preview.contains("10 cells of columns that are not in `sensors`: `Zustand`"), "{preview}");
    assert!(preview.contains("1 cell of sensors with nothing in it: `Druck`"), "{preview}");
}

#[test]
fn a_sample_in_another_encoding_is_told_and_writes_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::copy(root.join("tests/data/init/latin1.csv"), folder.join("latin1.csv")).unwrap();
    let refused = init(folder).args(["--sample", "latin1.csv"]).run().status_is(1).stderr;
    assert!(refused.contains("12 of 13 records of the sample are text that is not UTF-8"), "{refused}");
    assert!(refused.contains("iconv -f WINDOWS-1252") && !folder.join("pipeline.toml").exists(), "{refused}");
    fs::copy(root.join("tests/data/init/latin1_some.csv"), folder.join("some.csv")).unwrap();
    let told = init(folder).args(["--sample", "some.csv"]).run().success().stdout;
    assert!(told.contains("note: 2 of 12 records are not UTF-8"), "{told}");
}

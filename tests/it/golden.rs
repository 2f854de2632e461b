//! The reference: 17,768 readings, 15 models pickled by scikit-learn 0.19, and what it said of each reading.

use std::path::{Path, PathBuf};

use crate::support::{Atalaia, Azurite, Container, Judge, Kafka, Message, Topic};

/// Folder of the reference's data and models.
pub(crate) fn reference(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference").join(file)
}

/// The configuration that ships for the reference's job.
pub(crate) fn reference_config() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/reference.toml")
}

/// The reference's rows as the JSON records of a gateway, keyed by device, in the order of the file.
pub(crate) fn records() -> Vec<Message> {
    let csv = std::fs::read_to_string(reference("sensor_data.csv")).expect("the reference's data are in the tree");
    let record = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let [time, device, tag, value] = fields[..] else { panic!("four fields expected: {line}") };
        Message::keyed(device, format!(r#"{{"TS":"{time}","Device":"{device}","Tag":"{tag}","Value":{value}}}"#))
    };
    csv.lines().skip(1).map(record).collect()
}

pub(crate) fn run_on(topic: &Topic) -> Atalaia {
    Atalaia::new("run").arg("-c").arg(reference_config()).set_all(topic.settings())
}

fn judge_golden(judge: &Judge, predictions: &Path) {
    let golden = reference("golden_predictions.csv");
    println!("{}", judge.run("judges/golden.py", [predictions, &golden]));
}

fn no_late_and_none_refused(container: &Container) {
    assert_eq!(container.list("scored/late/"), Vec::<String>::new(), "in-order input has no late readings");
    assert_eq!(container.list("scored/quarantine/"), Vec::<String>::new());
}

#[test]
fn kafka_to_blobs_with_models_in_blobs() {
    let (Some(kafka), Some(azurite), Some(judge)) = (Kafka::for_test(), Azurite::for_test(), Judge::for_test()) else {
        return;
    };
    let topic = kafka.topic(8);
    assert_eq!(topic.produce(records()), 17_768);
    let container = azurite.container();
    assert_eq!(container.upload(&reference("models"), "models/"), 15);

    let outcome = run_on(&topic)
        .args(["--until-idle", "--close", "all"])
        .set_all(azurite.settings())
        .set("score.models", container.url("models"))
        .set("sink.url", container.url("scored"))
        .run()
        .success();
    assert!(outcome.stderr.contains("rows=17768 anomalies=6757 late=0"), "{}", outcome.stderr);

    no_late_and_none_refused(&container);
    let folder = tempfile::tempdir().expect("a temporary folder");
    container.download("scored/predictions/", folder.path());
    judge_golden(&judge, &folder.path().join("scored/predictions"));
}

#[test]
fn the_csv_file_itself() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scored = Atalaia::new("score")
        .arg("-c")
        .arg(reference_config())
        .args(["--format", "json"])
        .set("ingest.files.path", reference("sensor_data.csv").display())
        .set("score.models", reference("models").display())
        .set("sink.url", folder.path().display())
        .run()
        .success();
    let counts = &scored.json_lines()[0]["counts"];
    assert_eq!((counts["rows"].as_u64(), counts["anomalies"].as_u64()), (Some(17_768), Some(6_757)), "{counts}");
    assert_eq!((counts["late"].as_u64(), counts["quarantined"].as_u64()), (Some(0), Some(0)), "{counts}");
    judge_golden(&judge, &folder.path().join("predictions"));
}

/// Batches are what the source happens to hand over: they must not show in what comes out.
#[test]
fn hourly_windows_whatever_the_poll_size() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(8);
    topic.produce(records());
    for poll_size in [1, 100, 10_000] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let outcome = run_on(&topic)
            .args(["--until-idle", "--close", "all"])
            .set("run.batch_records", poll_size)
            .set("ingest.kafka.group", format!("{}-{poll_size}", topic.name))
            .set("aggregate.window", "1h")
            .set("score.models", reference("models").display())
            .set("sink.url", folder.path().display())
            .run()
            .success();
        assert!(outcome.stderr.contains("rows=75 ") && outcome.stderr.contains(" late=0 "), "{}", outcome.stderr);
        let predictions = folder.path().join("predictions");
        println!("{}", judge.run("judges/windows.py", [&predictions, &reference("sensor_data.csv"), Path::new("1h")]));
    }
}

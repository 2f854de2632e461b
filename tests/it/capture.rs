//! A folder of Event Hubs Capture files, scored as a backfill: the rows are those of the same events as JSON lines.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use crate::support::{Atalaia, Judge};

fn score(input: &str, results: &Path) -> Atalaia {
    Atalaia::new("score")
        .config("[ingest]\nsource = \"files\"\n[aggregate]\nwindow = \"10s\"\n")
        .set("ingest.files.path", input)
        .set("sink.url", results.display())
        .args(["--format", "json"])
}

fn parquet_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            parquet_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
}

/// All predictions, whole, in an order of their own.
fn rows(results: &Path) -> Vec<String> {
    let mut files = Vec::new();
    parquet_files(&results.join("predictions"), &mut files);
    let mut rows = Vec::new();
    for file in files {
        let reader = SerializedFileReader::new(File::open(file).expect("a file")).expect("Parquet");
        rows.extend(reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()));
    }
    rows.sort();
    rows
}

#[test]
fn a_folder_of_capture_files_scores_as_the_same_events_in_json_lines() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/tests/avro");
    let mut lines = String::new();
    let (mut records, mut nameless) = (0, 0);
    for partition in 0..2 {
        let day = folder.path().join(format!("plant/telemetry/{partition}/2018/08/22"));
        fs::create_dir_all(&day).unwrap();
        fs::copy(fixtures.join(format!("capture-{partition}.avro")), day.join("13.avro")).unwrap();
        // What fastavro reads of it: the bodies, and the device that the service names.
        for line in fs::read_to_string(fixtures.join(format!("capture-{partition}.jsonl"))).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            records += 1;
            let Some(body) = event["payload"].as_str() else { continue };
            let Some(device) = event["device"].as_str() else {
                nameless += 1;
                continue;
            };
            let mut reading: Value = serde_json::from_str(body).unwrap();
            reading["device"] = device.into();
            lines += &format!("{reading}\n");
        }
    }
    let json = folder.path().join("events.jsonl");
    fs::write(&json, &lines).unwrap();

    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let glob = folder.path().join("plant/telemetry/*/2018/**/*.avro").display().to_string();
    let from_capture = score(&glob, &ours)
        .set("ingest.decode.device_property", "iothub-connection-device-id")
        .run()
        .success()
        .json_lines();
    score(&json.display().to_string(), &theirs).run().success();

    let counts = &from_capture[0]["counts"];
    assert_eq!(counts["records"], records);
    assert_eq!(counts["readings"], lines.lines().count());
    assert_eq!(counts["late"], 0, "several partitions in one input are in no order, and need none");
    assert_eq!(from_capture[0]["refused"]["missing_field"], nameless);
    assert!(nameless > 0);
    let theirs = rows(&theirs);
    assert!(theirs.len() > 10, "{} rows", theirs.len());
    assert_eq!(rows(&ours), theirs);
}

/// What is committed is what fastavro makes and reads today.
#[test]
fn the_committed_avro_files_are_those_of_the_script() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    judge.run("../ingest/tests/avro/make.py", [folder.path()]);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/tests/avro");
    for name in
        ["types.jsonl", "capture-0.jsonl", "capture-1.jsonl", "types-null.avro", "capture-0.avro", "routed.avro"]
    {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), fs::read(fixtures.join(name)).unwrap(), "{name}");
    }
}

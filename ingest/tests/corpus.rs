//! Every case of the events corpus, through the decoder and through the files source, with a table of what came out.
//!
//! `cargo test -p atalaia-ingest --test corpus -- --nocapture` prints the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ingest::decode::{self, Config, Decoded, Decoder, Format, Shape, TimeUnit};
use ingest::files::{self, FilesSource};
use ingest::{Polled, RawRecord, Records, Source};
use serde_json::Value;
use types::{PartitionId, Position, Reading};

#[derive(Debug, Clone, PartialEq)]
struct Event {
    device: String,
    sensor: String,
    time: i64,
    value: f64,
}

#[derive(Debug, Default)]
struct Outcome {
    events: Vec<Event>,
    reasons: Vec<&'static str>,
    details: Vec<String>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/events")
}

fn cases(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(testdata().join(file)).expect(file);
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

fn config(case: &Value) -> Config {
    let mut config = Config::default();
    let given = &case["config"];
    let strings = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap_or_default() };
    if case["format"] == "csv" {
        config.format = Format::Csv;
        config.columns = strings(&given["columns"]);
    }
    if case["shape"].as_str().is_some_and(|shape| shape.starts_with("wide")) {
        config.shape = Shape::Wide;
        config.sensors = strings(&given["sensors"]);
    }
    let path = |name: &str| given["paths"].get(name).map(|keys| decode::Path::Keys(strings(keys)));
    config.device = path("device").unwrap_or(config.device);
    config.sensor = path("sensor").unwrap_or(config.sensor);
    config.time = path("time").unwrap_or(config.time);
    config.value = path("value").unwrap_or(config.value);
    if let Some(unit) = given.get("time_unit") {
        config.time_unit = serde_json::from_value(unit.clone()).expect("a unit");
    }
    if let Some(delimiter) = given["delimiter"].as_str() {
        config.delimiter = delimiter.chars().next().expect("a character");
    }
    config
}

fn payload(case: &Value) -> Option<Vec<u8>> {
    if let Some(text) = case["payload"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(text) = case["payload_base64"].as_str() {
        return Some(STANDARD.decode(text).expect("base64"));
    }
    let parts = case["payload_recipe"]["parts"].as_array()?;
    let repeated = parts.iter().map(|part| {
        let times = usize::try_from(part[1].as_u64().expect("times")).expect("times");
        part[0].as_str().expect("text").repeat(times)
    });
    Some(repeated.collect::<String>().into_bytes())
}

fn decoded(decoder: &mut Decoder, payload: Option<&[u8]>) -> Outcome {
    let event = |reading: Reading<'_>| Event {
        device: reading.device.to_owned(),
        sensor: reading.sensor.to_owned(),
        time: reading.time,
        value: reading.value,
    };
    let Some(payload) = payload else {
        return Outcome { reasons: vec!["tombstone"], ..Outcome::default() };
    };
    match decoder.decode(payload) {
        Decoded::One(reading) => Outcome { events: vec![event(reading)], ..Outcome::default() },
        Decoded::Many(many) => Outcome {
            events: many.iter().map(|(_, reading)| event(reading)).collect(),
            reasons: many.rejects().iter().map(|(_, reject)| reject.reason.as_str()).collect(),
            details: many.rejects().iter().map(|(_, reject)| reject.detail.clone()).collect(),
        },
        Decoded::Reject(reject) => {
            Outcome { reasons: vec![reject.reason.as_str()], details: vec![reject.detail], ..Outcome::default() }
        }
    }
}

/// Whether these events are the expected ones, in this order if they come from an array.
fn are(events: &[Event], expected: &Value, in_order: bool) -> bool {
    let Some(expected) = expected.as_array() else { return false };
    let same = |event: &Event, expected: &Value| {
        let also = expected["time_us_also"].as_array();
        let time =
            expected["time_us"] == event.time || also.is_some_and(|also| also.iter().any(|time| *time == event.time));
        expected["device"] == *event.device
            && expected["sensor"] == *event.sensor
            && expected["value"].as_f64() == Some(event.value)
            && time
    };
    if events.len() != expected.len() {
        return false;
    }
    if in_order {
        return events.iter().zip(expected).all(|(event, expected)| same(event, expected));
    }
    let mut left: Vec<&Value> = expected.iter().collect();
    events
        .iter()
        .all(|event| left.iter().position(|expected| same(event, expected)).map(|at| left.swap_remove(at)).is_some())
}

fn refused(outcome: &Outcome, reasons: &Value) -> bool {
    let listed = |reason: &str| reasons.as_array().is_some_and(|list| list.iter().any(|other| other == reason));
    // A record of too many fields is one that is too large, in the words of the corpus.
    let known = |reason: &&str| listed(reason) || **reason == *"too_many_fields" && listed("too_large");
    outcome.events.is_empty() && !outcome.reasons.is_empty() && outcome.reasons.iter().all(known)
}

/// What is said in `expected` by `events`, `reasons` or `accept`.
fn allowed(outcome: &Outcome, expected: &Value, in_order: bool) -> bool {
    if let Some(accept) = expected["accept"].as_array() {
        return accept.iter().any(|one| {
            // Beside the events, the rest of the record may have been refused.
            are(&outcome.events, &one["events"], in_order) || refused(outcome, &one["reasons"])
        });
    }
    if expected["events"].is_array() {
        return outcome.reasons.is_empty() && are(&outcome.events, &expected["events"], in_order);
    }
    refused(outcome, &expected["reasons"])
}

#[test]
fn every_record_comes_out_as_allowed() {
    let mut table: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in ["records_json.jsonl", "records_csv.jsonl"] {
        for case in cases(file) {
            let payload = payload(&case);
            let in_order = case["shape"] == "array";
            // The unit as it is said, and found by magnitude; the latter only where the times are not near 1970.
            let said = config(&case);
            let found = Config { time_unit: TimeUnit::Auto, ..said.clone() };
            let near_1970 = ["time-epoch-zero", "time-epoch-negative", "bad-time-huge-i64-max-s"];
            let apart = near_1970.iter().any(|id| case["id"] == **id);
            for config in [Some(&said), (!apart).then_some(&found)].into_iter().flatten() {
                let mut decoder = Decoder::new(config).expect("a configuration");
                // Twice: the second time the record may take the fast path.
                for _ in 0..2 {
                    let outcome = decoded(&mut decoder, payload.as_deref());
                    assert!(outcome.details.iter().all(|detail| detail.len() < 400), "{outcome:?}");
                    if !allowed(&outcome, &case, in_order) {
                        wrong.push(format!("{}: {outcome:?}, not {case:?}", case["id"]));
                    }
                }
            }
            let outcome = decoded(&mut Decoder::new(&said).expect("a configuration"), payload.as_deref());
            let what = match outcome.reasons.first() {
                None => "events".to_owned(),
                Some(reason) if outcome.events.is_empty() => (*reason).to_owned(),
                Some(reason) => format!("events and {reason}"),
            };
            let text = |key: &str| case[key].as_str().expect(key).to_owned();
            *table.entry((text("format"), text("verdict"), what)).or_default() += 1;
            count += 1;
        }
    }
    println!("{:<6} {:<8} {:<22} records", "format", "verdict", "outcome");
    for ((format, verdict, outcome), count) in &table {
        println!("{format:<6} {verdict:<8} {outcome:<22} {count:>7}");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(count, 717);
}

/// One decoder over all records of the default configuration: what it learns from one must not change another.
#[test]
fn records_do_not_depend_on_those_before() {
    let cases: Vec<Value> = cases("records_json.jsonl").into_iter().filter(|case| case["config"].is_null()).collect();
    let mut decoder = Decoder::new(&Config::default()).expect("the default");
    for round in 0..3 {
        for case in cases.iter().filter(|case| !case["shape"].as_str().is_some_and(|shape| shape.starts_with("wide"))) {
            let outcome = decoded(&mut decoder, payload(case).as_deref());
            assert!(allowed(&outcome, case, case["shape"] == "array"), "round {round}: {} {outcome:?}", case["id"]);
        }
    }
}

#[test]
fn every_file_comes_out_as_allowed() {
    let text = std::fs::read_to_string(testdata().join("files.json")).expect("files.json");
    let list: Value = serde_json::from_str(&text).expect("files.json");
    let list = list["files"].as_array().expect("files");
    for case in list {
        let path = testdata().join(case["file"].as_str().expect("file"));
        let decode = config(case);
        for batch_records in [1, 7, 4096] {
            let outcomes = file_outcomes(&path, &decode, batch_records);
            let rows = case["rows"].as_array().expect("rows");
            assert_eq!(outcomes.len(), rows.len(), "{}", path.display());
            for (outcome, row) in outcomes.iter().zip(rows) {
                assert!(allowed(outcome, row, true), "{}: {outcome:?}, not {row}", path.display());
            }
        }
    }
    assert_eq!(list.len(), 12);
}

fn file_outcomes(path: &Path, decode: &Config, batch_records: usize) -> Vec<Outcome> {
    let config = files::Config { path: path.display().to_string(), assume_sorted: false };
    let mut source = FilesSource::new(&config, decode, batch_records).expect("a source");
    let mut decoder = Decoder::new(decode).expect("a decoder");
    let mut outcomes = Vec::new();
    loop {
        match source.poll(Duration::ZERO).expect("poll") {
            Polled::Gained(partitions) => source.start(&partitions[0], Position(0)).expect("start"),
            Polled::Records(records) => {
                decoder.begin(&records);
                outcomes.extend(records.iter().map(|record| decoded(&mut decoder, record.payload)));
            }
            Polled::Ended { .. } => return outcomes,
            other => panic!("{other:?}"),
        }
    }
}

/// Whole records as a broker would hand them over take their columns from the configuration.
#[test]
fn columns_come_from_the_batch_or_the_configuration() {
    let partition = PartitionId { topic: "t".into(), index: 0 };
    let csv = Config { format: Format::Csv, ..Config::default() };
    let mut decoder = Decoder::new(&csv).expect("csv");
    let row = b"2018-08-28T23:00:05Z,d,s,1";
    assert_eq!(decoded(&mut decoder, Some(row)).reasons, ["invalid_csv"], "no names are known");

    let names: Vec<String> = ["ts", "device", "sensor", "value"].map(str::to_owned).to_vec();
    let mut records = Records::new(partition.clone()).with_columns(Some(names.into()));
    records.push(RawRecord { position: 0, broker_time: None, key: &[], payload: Some(row) });
    decoder.begin(&records);
    assert_eq!(decoded(&mut decoder, Some(row)).events.len(), 1);
    decoder.begin(&Records::new(partition));
    assert_eq!(decoded(&mut decoder, Some(row)).reasons, ["invalid_csv"], "the next batch has none");
}

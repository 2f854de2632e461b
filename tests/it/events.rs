//! The events corpus through the built binary: each record to a real topic, and what `preview` makes of it.
//!
//! `cargo test --test it -- events --nocapture` prints the table of outcomes. What each record must give is in
//! `ingest/testdata/events`; the decoder by itself is held to it in `ingest/tests/corpus.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Atalaia, Kafka, Message, Outcome};

/// A broker takes records up to about a megabyte; larger ones come as files.
const TOPIC_RECORD_BYTES: usize = 900_000;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/testdata/events")
}

fn cases() -> Vec<Value> {
    let text = |file: &str| std::fs::read_to_string(corpus().join(file)).expect(file);
    let parse = |line: &str| serde_json::from_str(line).expect("a case");
    ["records_json.jsonl", "records_csv.jsonl"]
        .iter()
        .flat_map(|file| text(file).lines().map(parse).collect::<Vec<_>>())
        .collect()
}

/// The settings that a case asks for, as `--set` has them.
fn settings(case: &Value) -> Vec<(&'static str, String)> {
    let given = &case["config"];
    let mut settings = vec![("ingest.decode.format", case["format"].as_str().expect("a format").to_owned())];
    if case["shape"].as_str().is_some_and(|shape| shape.starts_with("wide")) {
        settings.push(("ingest.decode.shape", "wide".to_owned()));
    }
    let lists = [
        ("ingest.decode.device", &given["paths"]["device"]),
        ("ingest.decode.sensor", &given["paths"]["sensor"]),
        ("ingest.decode.time", &given["paths"]["time"]),
        ("ingest.decode.value", &given["paths"]["value"]),
        ("ingest.decode.sensors", &given["sensors"]),
        ("ingest.decode.columns", &given["columns"]),
    ];
    settings.extend(lists.into_iter().filter(|(_, list)| list.is_array()).map(|(key, list)| (key, list.to_string())));
    for (key, value) in
        [("ingest.decode.time_unit", &given["time_unit"]), ("ingest.decode.delimiter", &given["delimiter"])]
    {
        settings.extend(value.as_str().map(|text| (key, text.to_owned())));
    }
    settings
}

fn payload(case: &Value) -> Option<Vec<u8>> {
    if let Some(text) = case["payload"].as_str() {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(text) = case["payload_base64"].as_str() {
        return Some(STANDARD.decode(text).expect("base64"));
    }
    let parts = case["payload_recipe"]["parts"].as_array()?;
    let times = |part: &Value| usize::try_from(part[1].as_u64().expect("times")).expect("times");
    Some(parts.iter().map(|part| part[0].as_str().expect("text").repeat(times(part))).collect::<String>().into_bytes())
}

fn preview() -> Atalaia {
    Atalaia::new("preview").config("[sink]\nurl = \"unused\"\n").args(["--format", "json"])
}

/// What was said of records; the rest is of windows.
fn records(outcome: &Outcome) -> Vec<Value> {
    outcome.json_lines().into_iter().filter(|line| line["position"].is_i64()).collect()
}

/// Whether these events are the expected ones, in this order if they come from an array.
fn are(events: &Value, expected: &Value, in_order: bool) -> bool {
    let (Some(events), Some(expected)) = (events.as_array(), expected.as_array()) else { return false };
    let same = |event: &Value, expected: &Value| {
        let also = expected["time_us_also"].as_array();
        let time = expected["time_us"] == event["time_us"] || also.is_some_and(|also| also.contains(&event["time_us"]));
        let text = expected["device"] == event["device"] && expected["sensor"] == event["sensor"];
        text && time && expected["value"].as_f64() == event["value"].as_f64()
    };
    if in_order || events.len() != expected.len() {
        return events.len() == expected.len() && events.iter().zip(expected).all(|(event, one)| same(event, one));
    }
    let mut left: Vec<&Value> = expected.iter().collect();
    events.iter().all(|event| left.iter().position(|one| same(event, one)).map(|at| left.swap_remove(at)).is_some())
}

fn is_refused(shown: &Value, reasons: &Value) -> bool {
    let no_events = shown["events"].as_array().is_some_and(Vec::is_empty);
    let Some(reason) = shown["reject"]["reason"].as_str().filter(|_| no_events) else { return false };
    let listed = |word: &str| reasons.as_array().is_some_and(|list| list.iter().any(|other| other == word));
    // A record of too many fields is one that is too large, in the words of the corpus.
    listed(reason) || reason == "too_many_fields" && listed("too_large")
}

/// What `expected` says by `events`, `reasons` or `accept`.
fn is_allowed(shown: &Value, expected: &Value, in_order: bool) -> bool {
    if let Some(accept) = expected["accept"].as_array() {
        // Beside the events, the rest of the record may have been refused.
        return accept
            .iter()
            .any(|one| are(&shown["events"], &one["events"], in_order) || is_refused(shown, &one["reasons"]));
    }
    if expected["events"].is_array() {
        return shown["reject"].is_null() && are(&shown["events"], &expected["events"], in_order);
    }
    is_refused(shown, &expected["reasons"])
}

/// How many cases of which verdict came out how; and those that should not have.
#[derive(Default)]
struct Findings {
    table: BTreeMap<[String; 3], usize>,
    wrong: Vec<String>,
}

impl Findings {
    fn add(&mut self, case: &Value, shown: &Value) {
        let outcome = match (shown["reject"]["reason"].as_str(), shown["events"].as_array().is_some_and(Vec::is_empty))
        {
            (None, _) => "events".to_owned(),
            (Some(reason), true) => reason.to_owned(),
            (Some(reason), false) => format!("events and {reason}"),
        };
        let text = |key: &str| case[key].as_str().expect(key).to_owned();
        *self.table.entry([text("format"), text("verdict"), outcome]).or_default() += 1;
        if !is_allowed(shown, case, case["shape"] == "array") {
            self.wrong.push(format!("{}: {shown}, not {case}", case["id"]));
        }
    }
}

/// Cases of the same settings, each with its payload; by those settings.
type Groups = BTreeMap<Vec<(&'static str, String)>, Vec<(Value, Option<Vec<u8>>)>>;

/// One partition of a topic for each group of settings; what does not fit into a topic, as a file.
#[test]
fn every_record_of_the_corpus_comes_out_as_allowed() {
    let Some(kafka) = Kafka::for_test() else { return };
    let mut groups = Groups::new();
    let mut large = Vec::new();
    for case in cases() {
        let payload = payload(&case);
        match payload {
            Some(payload) if payload.len() > TOPIC_RECORD_BYTES => large.push((case, payload)),
            payload => groups.entry(settings(&case)).or_default().push((case, payload)),
        }
    }
    let mut findings = Findings::default();
    for (settings, cases) in &groups {
        let topic = kafka.topic(1);
        let messages = cases.iter().map(|(_, payload)| Message { payload: payload.clone(), ..Message::default() });
        topic.produce(messages);
        let outcome = preview().set_all(topic.settings()).set_all(settings.clone()).run().success();
        let shown = records(&outcome);
        assert_eq!(shown.len(), cases.len(), "an object a record: {}", outcome.description);
        for (position, ((case, _), shown)) in cases.iter().zip(&shown).enumerate() {
            assert_eq!(shown["position"], position);
            findings.add(case, shown);
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (case, payload) in &large {
        let path = folder.path().join("record.jsonl");
        std::fs::write(&path, payload).expect("the folder is ours");
        let files = [("ingest.source", "files".to_owned()), ("ingest.files.path", path.display().to_string())];
        let shown = records(&preview().set_all(files).set_all(settings(case)).run().success());
        assert_eq!(shown.len(), 1, "{}", case["id"]);
        findings.add(case, &shown[0]);
    }
    println!("{:<6} {:<8} {:<28} records", "format", "verdict", "outcome");
    for ([format, verdict, outcome], count) in &findings.table {
        println!("{format:<6} {verdict:<8} {outcome:<28} {count:>7}");
    }
    println!("{} groups in topics, {} records as files", groups.len(), large.len());
    assert!(findings.wrong.is_empty(), "{} wrong:\n{}", findings.wrong.len(), findings.wrong.join("\n"));
    assert_eq!(findings.table.values().sum::<usize>(), 717);
}

#[test]
fn every_file_of_the_corpus_comes_out_as_allowed() {
    let text = std::fs::read_to_string(corpus().join("files.json")).expect("files.json");
    let list: Value = serde_json::from_str(&text).expect("files.json");
    let list = list["files"].as_array().expect("files");
    for case in list {
        let path = corpus().join(case["file"].as_str().expect("file"));
        let files = [("ingest.source", "files".to_owned()), ("ingest.files.path", path.display().to_string())];
        let shown = records(&preview().set_all(files).set_all(settings(case)).run().success());
        let rows = case["rows"].as_array().expect("rows");
        assert_eq!(shown.len(), rows.len(), "{}", path.display());
        for (shown, row) in shown.iter().zip(rows) {
            assert!(is_allowed(shown, row, true), "{}: {shown}, not {row}", path.display());
        }
        println!("{:<28} {:>4} rows as expected", case["file"].as_str().expect("file"), rows.len());
    }
    assert_eq!(list.len(), 12);
}

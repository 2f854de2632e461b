//! Whole previews of small inputs, as text, compared with frames that somebody looked at.

use std::fs;

use super::*;
use crate::terminal::testing::check;

const JSON: &str = r#"
pipeline = "p"
[ingest]
source = "files"
[aggregate]
window = "5m"
out_of_orderness = "0s"
[sink]
url = "unused"
"#;

/// The models of the reference: of `device/tag` and `mean`.
const MODELS: &str = r#"
[score]
models = "tests/data/reference/models"
"#;

struct Case {
    name: &'static str,
    toml: String,
    input: String,
    limit: u64,
}

fn reading(device: &str, sensor: &str, time: &str, value: f64) -> String {
    format!("{{\"device\":\"{device}\",\"sensor\":\"{sensor}\",\"ts\":\"{time}\",\"value\":{value}}}\n")
}

fn cases() -> Vec<Case> {
    let case = |name, toml: String, input: String| Case { name, toml, input, limit: 20 };
    let good: String = (0..6)
        .map(|n| reading(&format!("{}", 1 + n % 2), "1", &format!("2018-08-28T23:0{n}:00Z"), 20.0 + f64::from(n)))
        .collect();
    let late = good.clone() + &reading("2", "1", "2018-08-28T23:00:30.5Z", 1.0);
    let refused = reading("1", "tag_1", "noon", 1.0)
        + "{\"Device\":\"1\",\"sensor\":\"tag_1\",\"ts\":1535497205,\"value\":1}\n"
        + "1;tag_1;1535497205;1\n"
        + "[{\"device\":\"1\",\"sensor\":\"tag_1\",\"ts\":1535497205,\"value\":1},{\"device\":\"1\",\"sensor\":\"tag_2\",\"ts\":1535497205,\"value\":\"NaN\"}]\n"
        + "{\"device\":\"esc\\u001b[2Jape\",\"sensor\":\"a sensor with quite a long name indeed\",\"ts\":1535497205.25,\"value\":58.690000000000005}\n";
    let without = reading("16", "1", "2018-08-28T23:00:00Z", 21.0)
        + &reading("1", "Tag-01", "2018-08-28T23:00:00Z", 21.0)
        + &reading("5", "1", "2018-08-28T23:00:00Z", 21.0);
    let wide: String = (0..2)
        .map(|n| {
            let fields: String = (0..12).map(|s| format!(",\"sensor_{s}\":{}.5", n + s)).collect();
            format!("{{\"device\":\"pump-1\",\"ts\":\"2026-01-05T00:00:0{n}Z\"{fields}}}\n")
        })
        .collect();
    let seconds = "{\"device\":\"1\",\"sensor\":\"tag_1\",\"ts\":1535497205,\"value\":1}\n".to_owned();
    vec![
        case("no_models", JSON.into(), good.clone()),
        case("scored", format!("{JSON}{MODELS}"), good.clone()),
        Case { limit: 3, ..case("limit", format!("{JSON}{MODELS}"), good) },
        case("late", JSON.replace("source = \"files\"", "source = \"files\"\nfiles.assume_sorted = true"), late),
        case("refused", JSON.into(), refused),
        case("nearest", format!("{JSON}{MODELS}"), without.clone()),
        case("unusable_models", format!("{JSON}[score]\nmodels = \"memory://absent/models\"\n"), without),
        case("wide", JSON.replace("[aggregate]", "[ingest.decode]\nshape = \"wide\"\n[aggregate]"), wide),
        case("unit", JSON.replace("[aggregate]", "[ingest.decode]\ntime_unit = \"ms\"\n[aggregate]"), seconds),
        case("empty", JSON.into(), String::new()),
    ]
}

fn preview(case: &Case, format: Format) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("input.jsonl");
    fs::write(&input, &case.input).expect("the folder is ours");
    let toml = folder.path().join("pipeline.toml");
    fs::write(&toml, &case.toml).expect("the folder is ours");
    let set = vec![format!("ingest.files.path={}", input.display())];
    let sources = config::Sources { file: Some(toml), set, ..Default::default() };
    let config = config::load(sources).expect("a configuration").config;
    let mut out = Vec::new();
    let shows = Shows { format, limit: case.limit, paint: Paint::PLAIN };
    look(&config, &Runtime::new().expect("threads"), &shows, Output::to(&mut out)).expect("a preview");
    String::from_utf8(out).expect("text")
}

#[test]
fn previews_are_as_they_were_when_somebody_looked_at_them() {
    for case in cases() {
        let text = preview(&case, Format::Text);
        for line in text.lines() {
            assert!(crate::terminal::words::columns(line) <= 80, "{}: {line}", case.name);
            assert!(!line.contains(|c: char| c.is_control()), "{}: {line:?}", case.name);
        }
        check(&format!("src/commands/preview/frames/{}.txt", case.name), &text);
    }
}

/// Text and JSON are of the same windows.
#[test]
fn json_has_a_line_for_each_record_and_window_and_the_summary_last() {
    for case in cases() {
        let lines: Vec<serde_json::Value> =
            preview(&case, Format::Json).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let summary = &lines.last().expect("a line")["summary"];
        let records = lines.iter().filter(|line| line["position"].is_i64()).count() as u64;
        let windows: Vec<&serde_json::Value> = lines.iter().filter(|line| line["window"].is_object()).collect();
        let shown = (records, windows.len() as u64, 1 + records + windows.len() as u64);
        let said = (&summary["records"], &summary["windows"], lines.len() as u64);
        assert_eq!(said, (&shown.0.into(), &shown.1.into(), shown.2), "{}", case.name);
        let read: u64 = windows.iter().filter_map(|line| line["window"]["count"].as_u64()).sum();
        let refused = |line: &serde_json::Value| {
            line["events"]
                .as_array()
                .map_or(0, |events| events.iter().filter(|event| event["refused"].is_object()).count() as u64)
        };
        let out: u64 = lines.iter().map(refused).sum();
        assert_eq!(
            summary["readings"].as_u64(),
            Some(read + out),
            "{}: each reading is in a window or refused",
            case.name
        );
    }
}

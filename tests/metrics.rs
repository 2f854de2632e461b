//! `docs/metrics.md` says what the code records: names, kinds, labels and descriptions are read from the sources, so that a
//! metric cannot be added, renamed or left without a description unnoticed.
//!
//! Only text is looked at; what a scrape of the running service looks like is the integration tests' to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = "docs/metrics.md";

/// Stages in the order of the flow, with what the page says over their table.
const STAGES: [(&str, &str); 5] = [
    (
        "ingest",
        "Records as they come, and what they were decoded to. Rebalances and broker errors are of Kafka; connections, links, thefts, management, tokens and ownership of Azure Event Hubs.",
    ),
    ("aggregate", "What is held in windows at present."),
    ("score", "Models, and the rows that they judged."),
    ("sink", "What became durable, and how long that took."),
    ("forward", "Anomalies on their way to receivers; there only with `[forward]`."),
];

const LABELS: [(&str, &str); 12] = [
    ("dataset", "`predictions`, `late` or `quarantine`"),
    (
        "kind",
        "of rebalances `gained`, `revoked` or `lost`; of broker errors the client's name for the error; of connections and links of Event Hubs the service's; of claims on its partitions `won` (nobody's), `taken` (from a member with more), `refused` (another was quicker), `lost` (to another), `expired` (not renewed in time) or `stolen` (another reader took the link); of failures `list`, `claim`, `renew`, `release` or `checkpoint`; of requests to stores `denied`, `missing` (the container, bucket or folder), `full`, `unresolved` (the name of the host), `unreachable`, `timeout`, `throttled`, `answer` (another refusal) or `unusable`",
    ),
    (
        "operation",
        "of requests to stores: `create` (if there is no such object), `put`, `get`, `head`, `list` or `delete`",
    ),
    (
        "outcome",
        "of requests to Event Hubs: `ok`, else `failed` or what failed; of reloads of the configuration `applied`, `unchanged` or `failed`",
    ),
    ("model_set", "id of the set of models in use, as in the column of that name; `none` without models"),
    (
        "partition",
        "number of the partition; 0 for files. Gauges of a partition that was given up disappear, until it is gained again",
    ),
    ("receiver", "of anomalies: `kafka` or `webhook`"),
    (
        "reason",
        "why a record or reading was refused, as in the column `reason` of the quarantine; of ignored cells `empty`, `ignore`, `unlisted`, `nameless` or `repeated`",
    ),
    ("signal", "`traces`, `logs` or `metrics`"),
    ("status", "as in the column `status` of the predictions"),
    ("version", "of the program"),
    ("worker", "number of the worker thread, from 0"),
];

#[derive(Debug, Default, PartialEq)]
struct Metric {
    kind: String,
    unit: Option<String>,
    description: String,
    labels: BTreeSet<String>,
}

/// What the sources describe, and what they record (with which labels).
#[derive(Debug, Default)]
struct Found {
    described: BTreeMap<String, Metric>,
    recorded: BTreeMap<String, BTreeSet<String>>,
}

#[test]
fn the_page_is_current() {
    let path = root().join(PAGE);
    let wanted = page(&metrics());
    if std::env::var_os("ATALAIA_BLESS").is_some() {
        fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{PAGE} is not what the code records; `ATALAIA_BLESS=1 cargo test --test metrics` rewrites it"
    );
}

#[test]
fn what_is_recorded_is_described_and_the_other_way_round() {
    let found = gather();
    let described: BTreeSet<_> = found.described.keys().collect();
    let recorded: BTreeSet<_> = found.recorded.keys().collect();
    assert!(described.len() > 20, "the sources were read: {described:?}");
    assert_eq!(described, recorded);
}

#[test]
fn names_say_stage_unit_and_kind() {
    for (name, metric) in metrics() {
        let plain = name.strip_prefix("atalaia_").unwrap_or_else(|| panic!("`{name}` is not ours"));
        let plain_chars = plain.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !plain.contains("__");
        assert!(plain_chars, "`{name}`");
        let stage = STAGES.iter().any(|(stage, _)| plain.starts_with(&format!("{stage}_")));
        let of_program = name == "atalaia_build_info" || plain.starts_with("process_") || plain.starts_with("config_");
        assert!(stage || of_program, "`{name}` begins with no stage");
        assert_eq!(name.ends_with("_total"), metric.kind == "counter", "`{name}` is a {}", metric.kind);
        let base = name.trim_end_matches("_total").trim_end_matches("_max");
        match metric.unit.as_deref() {
            Some("Bytes") => assert!(base.ends_with("_bytes"), "`{name}`"),
            Some("Seconds") => assert!(base.ends_with("_seconds"), "`{name}`"),
            Some("Count") | None => {}
            Some(unit) => panic!("`{name}` has the unit {unit}, which has no ending yet"),
        }
        assert!(metric.kind != "histogram" || unit(&name) == "seconds", "`{name}`: buckets are set for seconds only");
        let sentence = metric.description.starts_with(char::is_uppercase) && !metric.description.ends_with('.');
        assert!(sentence, "`{name}`: `{}`", metric.description);
        for label in &metric.labels {
            assert!(LABELS.iter().any(|(known, _)| known == label), "`{name}`: add the label `{label}` to `LABELS`");
            assert!(!["device", "sensor", "series"].contains(&label.as_str()), "`{name}`: labels stay few");
        }
    }
}

#[test]
fn the_reading_of_sources_sees_what_it_must_see() {
    let mut found = Found::default();
    let source = r#"
        const A: &str = "atalaia_x_total";
        describe_counter!(A, Unit::Count, "Things, (by kind)");
        metrics::describe_gauge!(
            "atalaia_y",
            "Others"
        );
        // gauge!("atalaia_commented").set(1);
        counter!(A, "kind" => f("x"), "b" => y.clone()).increment(1);
        gauge!("atalaia_y").set(0.0);
        gauge!(name, "partition" => 1).set(0.0);
    "#;
    read(source, &mut found);
    let x = Metric {
        kind: "counter".into(),
        unit: Some("Count".into()),
        description: "Things, (by kind)".into(),
        labels: BTreeSet::new(),
    };
    assert_eq!(found.described["atalaia_x_total"], x);
    assert_eq!(found.described["atalaia_y"].kind, "gauge");
    let labels = BTreeSet::from(["kind".to_owned(), "b".to_owned()]);
    assert_eq!(
        found.recorded,
        BTreeMap::from([("atalaia_x_total".to_owned(), labels), ("atalaia_y".to_owned(), BTreeSet::new())])
    );
}

// === the page ===

fn page(metrics: &BTreeMap<String, Metric>) -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         `atalaia run` exposes these at `/metrics`, on the address `telemetry.metrics`, in Prometheus' text format.\n\
         This page is made from the code: `ATALAIA_BLESS=1 cargo test --test metrics` rewrites it.\n\n\
         Names are `atalaia_<stage>_<what>_<unit>`, counters with `_total` behind; a device is never a label.\n\
         A metric appears with its first value. Counters begin at 0 when the program starts; what a commit did not make durable is read, and counted, again.\n\
         Histograms are exposed as `_bucket`, `_sum` and `_count`.\n",
    );
    for (stage, about) in STAGES {
        let prefix = format!("atalaia_{stage}_");
        page.push_str(&format!("\n## `{stage}`\n\n{about}\n\n"));
        table(&mut page, metrics.iter().filter(|(name, _)| name.starts_with(&prefix)));
    }
    page.push_str("\n## The program\n\n");
    let of_no_stage = |name: &str| !STAGES.iter().any(|(stage, _)| name.starts_with(&format!("atalaia_{stage}_")));
    table(&mut page, metrics.iter().filter(|(name, _)| of_no_stage(name)));
    page.push_str("\nBesides, the standard figures of a process, where the system tells them:\n\n| name | type | meaning |\n|---|---|---|\n");
    for (name, kind, meaning) in atalaia::process::STANDARD {
        page.push_str(&format!("| `{name}` | {kind} | {meaning} |\n"));
    }
    page.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    for (label, values) in LABELS {
        page.push_str(&format!("| `{label}` | {values} |\n"));
    }
    page
}

fn table<'a>(page: &mut String, metrics: impl Iterator<Item = (&'a String, &'a Metric)>) {
    page.push_str("| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for (name, metric) in metrics {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let Metric { kind, description, .. } = metric;
        page.push_str(&format!("| `{name}` | {kind} | {} | {} | {description} |\n", unit(name), labels.join(", ")));
    }
}

fn unit(name: &str) -> &'static str {
    let base = name.trim_end_matches("_total").trim_end_matches("_max");
    match () {
        () if base.ends_with("_seconds") => "seconds",
        () if base.ends_with("_bytes") => "bytes",
        () => "number",
    }
}

// === the sources ===

/// Every metric with its labels.
fn metrics() -> BTreeMap<String, Metric> {
    let Found { mut described, recorded } = gather();
    for (name, labels) in recorded {
        described.entry(name).or_default().labels = labels;
    }
    described
}

fn gather() -> Found {
    let mut found = Found::default();
    for folder in
        ["src", "ingest/src", "aggregate/src", "score/src", "sink/src", "forward/src", "store/src", "config/src"]
    {
        walk(&root().join(folder), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut Found) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            read(&fs::read_to_string(&path).expect("a file of the repository"), found);
        }
    }
}

fn read(source: &str, found: &mut Found) {
    let lines: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let source = lines.join("\n");
    let names: BTreeMap<&str, &str> = source
        .match_indices("const ")
        .filter_map(|(at, word)| source[at + word.len()..].split_once(';')?.0.split_once(": &str = \""))
        .map(|(constant, value)| (constant, value.trim_end_matches('"')))
        .collect();
    for kind in ["counter", "gauge", "histogram"] {
        let call = format!("{kind}!(");
        for (at, _) in source.match_indices(&call) {
            let arguments = arguments(&source[at + call.len()..]);
            let name = match arguments.first().map(String::as_str) {
                Some(literal) if literal.starts_with('"') => literal.trim_matches('"'),
                Some(constant) => match names.get(constant) {
                    Some(name) => name,
                    None => continue,
                },
                None => continue,
            };
            if source[..at].ends_with("describe_") {
                let description = arguments.last().expect("it has a name").trim_matches('"').to_owned();
                let unit = arguments.iter().find_map(|argument| argument.strip_prefix("Unit::")).map(str::to_owned);
                let metric = Metric { kind: kind.to_owned(), unit, description, labels: BTreeSet::new() };
                assert!(found.described.insert(name.to_owned(), metric).is_none(), "`{name}` is described twice");
            } else {
                let labels = arguments[1..].iter().filter_map(|argument| argument.split_once(" => "));
                let labels = labels.map(|(label, _)| label.trim_matches('"').to_owned());
                found.recorded.entry(name.to_owned()).or_default().extend(labels);
            }
        }
    }
}

/// The arguments of a call, from behind its opening parenthesis.
fn arguments(source: &str) -> Vec<String> {
    let (mut arguments, mut current) = (Vec::new(), String::new());
    let (mut depth, mut in_text) = (0, false);
    for c in source.chars() {
        match c {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                arguments.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    arguments.push(current);
    arguments.iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

//! The configuration as a page: what one would want to touch, each setting with a word on it, and what was given on the command line.

use config::{Config, Loaded, Origin};
use ingest::SourceKind;
use serde_json::{Map, Value};
use types::{Micros, Span};

use super::infer::{Guess, Rhythm};
use super::lines::{Entry, Lines, key, quoted};
use crate::commands::output::{escaped, grouped};

/// Readings of a series in a window, at least: enough for a mean and a deviation.
const READINGS_MIN: i64 = 20;
const WINDOWS: [u64; 9] = [60, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86_400];
const DISORDERS: [u64; 12] = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/// What is to be written.
pub(super) struct Document<'a> {
    pub(super) loaded: &'a Loaded,
    /// With the source of the sample.
    pub(super) config: &'a Config,
    pub(super) guess: &'a Guess,
}

/// Settings that stand in the page anyhow; those of `ingest.decode` are the guess.
const WRITTEN: [&str; 11] = [
    "pipeline",
    "ingest.source",
    "ingest.start",
    "ingest.decode",
    "ingest.files.path",
    "ingest.kafka.brokers",
    "ingest.kafka.topic",
    "ingest.kafka.group",
    "aggregate.window",
    "aggregate.out_of_orderness",
    "score.models",
];

impl Document<'_> {
    pub(super) fn text(&self, name: &str) -> String {
        let mut lines = Lines::default();
        let given = self.given();
        lines.comment(&format!(
            "Written by `atalaia init` from {}: {}.",
            self.place(),
            super::tally(&self.guess.tally)
        ));
        for remark in &self.guess.remarks {
            lines.comment(&format!("Note: {remark}."));
        }
        lines.comment(&format!("What each setting means, and all others: docs/configuration.md. Whether it can be run: atalaia validate -c {name}"));
        lines.blank();
        lines.entry(
            Entry::text("pipeline", &self.pipeline()).why("names results and state; one pipeline reads one topic"),
        );
        self.source(&mut lines, &given);
        lines.section(&self.guess.as_toml());
        self.windows(&mut lines, &given);
        lines.table("score");
        let models = &self.config.score.models;
        if self.is_given("score.models") {
            lines.entry(Entry::text("models", models));
        } else {
            let why = format!("made by: atalaia train -c {name} --to models; empty: windows without scores");
            lines.entry(Entry::text("models", "models").why(&why));
        }
        self.features(&mut lines);
        section(&mut lines, &given, "score");
        lines.table("sink");
        if !given_at(&given, "sink").is_some_and(|sink| sink.contains_key("url")) {
            let why = "results, as Parquet: a folder, az://container/prefix/, s3://bucket/prefix/";
            let url = &self.config.sink.url;
            lines.entry(Entry::text("url", if url.is_empty() { "out" } else { url }).why(why));
        }
        section(&mut lines, &given, "sink");
        for (name, value) in &given {
            if !matches!(name.as_str(), "ingest" | "aggregate" | "score" | "sink") && value.is_object() {
                tables(&mut lines, name, value, true);
            }
        }
        lines.finish()
    }

    /// Models that are there already know their features, and who names some has a reason.
    fn features(&self, lines: &mut Lines) {
        if !self.is_given("score.features") && !self.is_given("score.models") {
            let why = "by the mean alone a sensor that is stuck looks like a calm one, and one that falls silent like any: so its deviation and \
                       its count of readings are looked at too";
            lines.entry(Entry::new("features", r#"["mean", "std_pop", "count"]"#.into()).why(why));
        }
    }

    /// What was looked at.
    pub(super) fn place(&self) -> String {
        let ingest = &self.config.ingest;
        match ingest.source {
            SourceKind::Files if ingest.files.path == "-" => "standard input".to_owned(),
            SourceKind::Files => format!("`{}`", escaped(&ingest.files.path)),
            SourceKind::Kafka => format!("topic `{}`", escaped(&ingest.kafka.topic)),
            SourceKind::EventHubs => "the event hub".to_owned(),
            SourceKind::Simulated => "a simulated fleet".to_owned(),
        }
    }

    fn source(&self, lines: &mut Lines, given: &Map<String, Value>) {
        let ingest = &self.config.ingest;
        lines.table("ingest");
        let kind = match ingest.source {
            SourceKind::Kafka => "kafka",
            SourceKind::EventHubs => "event-hubs",
            SourceKind::Files => "files",
            SourceKind::Simulated => "simulated",
        };
        lines.entry(Entry::text("source", kind).why("kafka | event-hubs | files | simulated"));
        if matches!(ingest.source, SourceKind::Kafka | SourceKind::EventHubs) {
            let why = "where a new partition begins: earliest | latest | a time";
            lines.entry(Entry::text("start", &ingest.start.to_string()).why(why));
        }
        section(lines, given, "ingest");
        match ingest.source {
            SourceKind::Files => {
                lines.table("ingest.files");
                let why = "a file, a folder, a glob like \"data/*.csv.gz\", or \"-\"";
                lines.entry(Entry::text("path", &ingest.files.path).why(why));
                section(lines, given, "ingest.files");
            }
            SourceKind::Kafka => {
                let kafka = &ingest.kafka;
                lines.table("ingest.kafka");
                lines.entry(Entry::text("brokers", &kafka.brokers));
                lines.entry(Entry::text("topic", &kafka.topic));
                if self.is_given("ingest.kafka.group") {
                    lines.entry(Entry::text("group", &kafka.group).why("instances of this pipeline share it"));
                }
                section(lines, given, "ingest.kafka");
            }
            SourceKind::EventHubs => {
                lines.table("ingest.event_hubs");
                section(lines, given, "ingest.event_hubs");
            }
            SourceKind::Simulated => {
                if given_at(given, "ingest.simulated").is_some() {
                    lines.table("ingest.simulated");
                    section(lines, given, "ingest.simulated");
                }
            }
        }
    }

    fn windows(&self, lines: &mut Lines, given: &Map<String, Value>) {
        let aggregate = &self.config.aggregate;
        lines.table("aggregate");
        let (window, why) = match self.is_given("aggregate.window") {
            true => (aggregate.window, String::new()),
            false => window(&self.guess.rhythm),
        };
        lines.entry(Entry::text("window", &window.to_string()).why(&why));
        let (disorder, why) = match self.is_given("aggregate.out_of_orderness") {
            true => (aggregate.out_of_orderness, String::new()),
            false => disorder(&self.guess.rhythm),
        };
        lines.entry(Entry::text("out_of_orderness", &disorder.to_string()).why(&why));
        section(lines, given, "aggregate");
    }

    fn pipeline(&self) -> String {
        if self.is_given("pipeline") { self.config.pipeline.clone() } else { device_name(self.config) }
    }

    /// In a file or on the command line; the environment holds for later commands as well, and is not written down.
    fn is_given(&self, setting: &str) -> bool {
        matches!(self.loaded.origin(setting), Some(Origin::File { .. } | Origin::Set))
    }

    /// What was given beyond that which the page has anyhow.
    fn given(&self) -> Map<String, Value> {
        let tree = |config: &Config| serde_json::to_value(config).unwrap_or_default();
        let mut given = differing(&tree(&self.loaded.config), &tree(&Config::default()));
        self.prune(&mut given, "");
        match given {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn prune(&self, value: &mut Value, path: &str) {
        let Value::Object(map) = value else { return };
        map.retain(|name, value| {
            let path = if path.is_empty() { key(name) } else { format!("{path}.{}", key(name)) };
            let from_env = matches!(self.loaded.origin(&path), Some(Origin::Env { .. }));
            if WRITTEN.contains(&path.as_str()) || from_env {
                return false;
            }
            self.prune(value, &path);
            !value.as_object().is_some_and(Map::is_empty)
        });
    }
}

/// Letters, digits, `.`, `_` and `-` of where the sample comes from.
pub(super) fn device_name(config: &Config) -> String {
    let ingest = &config.ingest;
    let place = match ingest.source {
        SourceKind::Files => {
            let file = ingest.files.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            file.split('.').next().unwrap_or_default()
        }
        SourceKind::Kafka => &ingest.kafka.topic,
        SourceKind::EventHubs => ingest.event_hubs.hub.as_deref().unwrap_or_default(),
        SourceKind::Simulated => "simulated",
    };
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '-' };
    let name: String = place.chars().map(allowed).take(100).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "sample".to_owned() } else { name.to_owned() }
}

/// A window that holds some readings of a series.
fn window(rhythm: &Rhythm) -> (Span, String) {
    let Some(interval) = rhythm.interval else {
        return (Span::from_secs(3600), "no series has two readings in the sample: choose one that holds some".into());
    };
    let wanted = interval.saturating_mul(READINGS_MIN);
    let seconds = nice(&WINDOWS, wanted);
    let count = (i64::try_from(seconds).unwrap_or(i64::MAX) * 1_000_000 / interval).max(1);
    let why =
        format!("a series has a reading each {}: about {} in a window", span(interval), grouped(count.unsigned_abs()));
    (Span::from_secs(seconds), why)
}

/// How far back readings came in the sample, and then some.
fn disorder(rhythm: &Rhythm) -> (Span, String) {
    if rhythm.disorder == 0 {
        let why = "how far back a reading may come and still count; the sample is in order";
        return (Span::from_secs(DISORDERS[0]), why.into());
    }
    let seconds = nice(&DISORDERS, rhythm.disorder.saturating_mul(3) / 2);
    let why =
        format!("how far back a reading may come and still count; in the sample {} at most", span(rhythm.disorder));
    (Span::from_secs(seconds), why)
}

/// The first that is long enough, or the longest.
fn nice(spans: &[u64], wanted: Micros) -> u64 {
    let fits =
        |seconds: &&u64| i64::try_from(**seconds).is_ok_and(|seconds| seconds.saturating_mul(1_000_000) >= wanted);
    spans.iter().find(fits).or(spans.last()).copied().unwrap_or(3600)
}

/// Rounded to milliseconds, or to seconds where it is long.
fn span(micros: Micros) -> Span {
    let millis = u64::try_from(micros / 1000).unwrap_or(0).max(1);
    Span::from_millis(if millis >= 10_000 { millis / 1000 * 1000 } else { millis })
}

// === what was given ===

/// The parts of a tree that another one has not.
fn differing(value: &Value, usual: &Value) -> Value {
    let (Value::Object(map), Value::Object(usual)) = (value, usual) else { return value.clone() };
    let mut differs = Map::new();
    for (key, value) in map {
        let of_usual = usual.get(key).unwrap_or(&Value::Null);
        if value != of_usual {
            differs.insert(key.clone(), differing(value, of_usual));
        }
    }
    Value::Object(differs)
}

fn given_at<'a>(given: &'a Map<String, Value>, path: &str) -> Option<&'a Map<String, Value>> {
    path.split('.').try_fold(given, |at, key| at.get(key)?.as_object())
}

/// The settings of a section that has begun, and the tables in it that the page does not have.
fn section(lines: &mut Lines, given: &Map<String, Value>, path: &str) {
    if let Some(map) = given_at(given, path) {
        tables(lines, path, &Value::Object(map.clone()), false);
    }
}

fn tables(lines: &mut Lines, path: &str, value: &Value, titled: bool) {
    let Value::Object(map) = value else { return };
    let scalars: Vec<_> = map.iter().filter(|(_, value)| !value.is_object()).collect();
    if titled && !scalars.is_empty() {
        lines.table(path);
    }
    for (name, value) in scalars {
        if let Some(value) = toml(value) {
            lines.entry(Entry::new(&key(name), value));
        }
    }
    for (name, value) in map.iter().filter(|(_, value)| value.is_object()) {
        let own =
            path == "ingest" && matches!(name.as_str(), "files" | "kafka" | "event_hubs" | "simulated" | "decode");
        if !own {
            tables(lines, &format!("{path}.{}", key(name)), value, true);
        }
    }
}

fn toml(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::String(text) => Some(quoted(text)),
        Value::Array(items) => Some(format!("[{}]", items.iter().filter_map(toml).collect::<Vec<_>>().join(", "))),
        other => Some(other.to_string()),
    }
}

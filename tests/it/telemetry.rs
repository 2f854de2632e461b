//! What the program tells others: a collector, files in a store, and an operator who changes a setting.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::support::collector::{By, Collector, Received, attribute, text};
use crate::support::{Atalaia, Azurite, Judge, Kafka, fleet, http, services};

const MINUTE: Duration = Duration::from_secs(60);

/// A service that reads a small simulated fleet to its end.
fn simulated(results: &Path) -> Atalaia {
    fleet::eager("run")
        .args(["--until-idle", "--close", "all"])
        .set("ingest.source", "simulated")
        .set("ingest.simulated.devices", 3)
        .set("ingest.simulated.sensors", "[\"a\"]")
        .set("ingest.simulated.partitions", 1)
        .set("ingest.simulated.duration", "10m")
        .set("run.workers", 1)
        .set("sink.url", results.display())
}

fn export_to(command: Atalaia, collector: &Collector, by: By) -> Atalaia {
    command
        .set("telemetry.otlp.endpoint", format!("http://{}/", collector.address))
        .set("telemetry.otlp.protocol", if by == By::Grpc { "grpc" } else { "http" })
}

/// Those of commits.
fn commits(received: &Received) -> Vec<&Span> {
    received.spans.iter().filter(|span| span.kind == i32::from(SpanKind::Consumer)).collect()
}

/// The sum over all points of a counter or gauge.
fn number(metrics: &[Metric], name: &str) -> Option<f64> {
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    let points = match metric.data.as_ref()? {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        _ => return None,
    };
    let value = |value: Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        other => panic!("{other:?}"),
    };
    Some(points.iter().map(|point| value(point.value)).sum())
}

#[test]
fn a_collector_gets_commits_lines_and_metrics() {
    for by in [By::Grpc, By::Http] {
        let collector = Collector::start(by, 2);
        let results = tempfile::tempdir().expect("a temporary folder");
        let ended = export_to(simulated(results.path()), &collector, by)
            .env("OTLP_AUTHORIZATION", "Bearer canary-5f1c")
            .set("telemetry.otlp.headers", "{ authorization = \"env:OTLP_AUTHORIZATION\" }")
            .set("telemetry.otlp.attributes", "{ \"deployment.environment.name\" = \"test\" }")
            // The first requests are refused, and tried again before the end.
            .set("run.shutdown_grace", "60s")
            .run()
            .success();
        let received = collector.received();

        let commits = commits(&received);
        assert!(!commits.is_empty(), "{by:?}: {received:#?}");
        let rows: u64 = commits
            .iter()
            .filter_map(|span| attribute(&span.attributes, "atalaia.commit.rows")?.parse::<u64>().ok())
            .sum();
        assert_eq!(rows, fleet::figure(&ended.stderr, "rows"), "{by:?}");
        let mut records = 0;
        for span in &commits {
            let say = |key: &str| attribute(&span.attributes, key);
            assert_eq!(span.name, format!("process {}", say("messaging.destination.name").expect("a topic")));
            assert_eq!(say("messaging.destination.partition.id").as_deref(), Some("0"));
            assert_eq!(say("messaging.operation.type").as_deref(), Some("process"));
            assert!(span.parent_span_id.is_empty() && span.links.is_empty());
            assert!(
                span.end_time_unix_nano >= span.start_time_unix_nano
                    && span.start_time_unix_nano > 1_700_000_000_000_000_000
            );
            records += say("messaging.batch.message_count").expect("a count").parse::<u64>().expect("a number");
            let parts: BTreeSet<&str> = received
                .spans
                .iter()
                .filter(|part| part.parent_span_id == span.span_id && part.trace_id == span.trace_id)
                .map(|part| part.name.as_str())
                .collect();
            assert!(parts.is_superset(&["score", "encode", "storage create"].into()), "{by:?}: {parts:?}");
        }
        assert_eq!(records, fleet::figure(&ended.stderr, "records"), "{by:?}");
        let ids: BTreeSet<_> = received.spans.iter().map(|span| &span.span_id).collect();
        assert_eq!(ids.len(), received.spans.len(), "{by:?}: each span once");

        // Every line of standard error, once and in order.
        let lines: Vec<String> = received.logs.iter().filter_map(|log| text(log.body.as_ref())).collect();
        assert!(lines.last().is_some_and(|line| line == "stopped"), "{by:?}: {lines:#?}");
        let told: Vec<&str> = ended.stderr.lines().filter(|line| !line.contains("to the collector")).collect();
        // What is logged before the collector is known goes to standard error alone: warnings of the configuration.
        let told: Vec<&&str> = told.iter().skip_while(|line| !line.contains(lines[0].as_str())).collect();
        assert_eq!(told.len(), lines.len(), "{by:?}: {told:#?} {lines:#?}");
        assert!(told.iter().zip(&lines).all(|(told, line)| told.contains(line.as_str())), "{told:#?} {lines:#?}");
        let stopped = received.logs.last().expect("a line");
        assert_eq!(attribute(&stopped.attributes, "rows"), Some(rows.to_string()), "{by:?}");

        let metrics = received.metrics.last().expect("metrics at the end");
        assert_eq!(number(metrics, "atalaia_ingest_records_total"), Some(records as f64), "{by:?}");
        assert!(
            metrics.iter().any(|metric| metric.name == "atalaia_sink_commit_seconds"
                && matches!(metric.data, Some(Data::Histogram(_))))
        );

        for resource in &received.resources {
            let say = |key: &str| attribute(&resource.attributes, key);
            assert_eq!(say("service.name").as_deref(), Some("atalaia"));
            assert_eq!(say("atalaia.pipeline").as_deref(), Some("fleet"));
            assert_eq!(say("deployment.environment.name").as_deref(), Some("test"));
            assert_eq!(say("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
            assert!(say("service.instance.id").is_some_and(|id| !id.is_empty()));
        }
        assert!(received.authorizations.iter().all(|value| value == "Bearer canary-5f1c"), "{by:?}");
        assert!(received.authorizations.len() >= 3, "{by:?}: {:?}", received.authorizations);
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let collector = Collector::start(By::Http, 0);
    let results = tempfile::tempdir().expect("a temporary folder");
    export_to(simulated(results.path()), &collector, By::Http)
        .set("telemetry.otlp.sampling_ratio", 0)
        .set("telemetry.otlp.metrics", false)
        .run()
        .success();
    let received = collector.received();
    assert!(received.spans.is_empty() && received.metrics.is_empty(), "{received:#?}");
    assert!(!received.logs.is_empty());
}

#[test]
fn a_collector_that_is_away_or_hangs_costs_nothing_but_a_line() {
    // One refuses connections, one never answers.
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port is free").local_addr().expect("bound");
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    for (address, is_told) in [(closed, true), (hanging.local_addr().expect("bound"), false)] {
        let results = tempfile::tempdir().expect("a temporary folder");
        let ended =
            simulated(results.path()).set("telemetry.otlp.endpoint", format!("http://{address}")).run().success();
        assert!(fleet::figure(&ended.stderr, "rows") > 0);
        let told = ended.stderr.lines().filter(|line| line.contains("cannot be sent to the collector")).count();
        // One line a signal at most; who hangs until the end is not heard of.
        assert!(told <= 3 && (told > 0 || !is_told), "{}", ended.stderr);
    }
}

#[test]
fn a_commit_links_to_the_traces_of_its_records() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sent = folder.path().join("sent.json");
    let send = |count: &str| {
        let start = (fleet::start() / 1000).to_string();
        let args = [kafka.brokers.as_str(), &topic.name, sent.to_str().expect("a plain name"), &start, count];
        judge.run("judges/send_traced.py", args);
        serde_json::from_slice::<Vec<[String; 3]>>(&std::fs::read(&sent).expect("written")).expect("contexts")
    };
    let contexts = send("40");
    let collector = Collector::start(By::Grpc, 0);
    // One commit for all, at the end.
    let run = export_to(fleet::eager("run"), &collector, By::Grpc)
        .args(["--until-idle", "--close", "all"])
        .set_all(topic.settings())
        .set("run.workers", 1)
        .set("sink.commit_interval", "60s")
        .set("sink.min_rows", 100_000)
        .set("sink.max_delay", "60s")
        .set("sink.url", folder.path().join("out").display())
        .run()
        .success();
    assert_eq!(fleet::figure(&run.stderr, "records"), 40);
    let received = collector.received();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut links = Vec::new();
    for span in commits(&received) {
        let records = attribute(&span.attributes, "messaging.batch.message_count");
        assert!(span.links.len() <= 32 && (span.links.is_empty() || records.as_deref() != Some("0")), "{span:#?}");
        assert_eq!(attribute(&span.attributes, "messaging.system").as_deref(), Some("kafka"));
        links.extend(span.links.iter().map(|link| [hex(&link.trace_id), hex(&link.span_id), link.trace_state.clone()]));
    }
    assert_eq!(links, contexts);
    assert_eq!(contexts.len(), 24, "two of five, as sent: three of four, and four of five of these");
}

// === Lines in files ===

/// What the files hold, each line as JSON, in the order of their names.
fn lines_of(files: &[std::path::PathBuf]) -> Vec<serde_json::Value> {
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).expect("a file of lines")).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for day in std::fs::read_dir(folder).into_iter().flatten() {
        let day = day.expect("an entry").path();
        assert!(day.file_name().is_some_and(|name| name.to_string_lossy().starts_with("date=")), "{day:?}");
        found.extend(std::fs::read_dir(day).expect("a folder").map(|file| file.expect("an entry").path()));
    }
    found.sort();
    found
}

#[test]
fn lines_are_kept_in_files_and_a_failure_is_the_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logs = folder.path().join("logs");
    let ran = simulated(&folder.path().join("out")).set("telemetry.logs", logs.display()).run().success();
    let lines = lines_of(&files_below(&logs));
    let stopped = lines.last().expect("lines");
    assert_eq!((&stopped["message"], &stopped["level"]), (&"stopped".into(), &"INFO".into()), "{stopped}");
    assert_eq!(stopped["rows"], fleet::figure(&ran.stderr, "rows"));
    assert_eq!(
        lines.len(),
        ran.stderr.lines().skip_while(|line| !line.contains(lines[0]["message"].as_str().unwrap())).count()
    );

    // Another job, into the same folder; it fails.
    let failed = fleet::eager("score")
        .set("ingest.source", "files")
        .set("ingest.files.path", "nothing-there.csv")
        .set("sink.url", folder.path().join("scored").display())
        .set("telemetry.logs", logs.display())
        .run()
        .status_is(1);
    let files = files_below(&logs);
    assert!(files.len() >= 2, "{files:?}");
    let last: Vec<_> = files
        .iter()
        .map(|file| lines_of(std::slice::from_ref(file)))
        .filter_map(|lines| lines.last().cloned())
        .collect();
    let error = last.iter().find(|line| line["level"] == "ERROR").unwrap_or_else(|| panic!("{last:#?}"));
    let told = failed.stderr.lines().find_map(|line| line.strip_prefix("error: ")).expect("an error");
    assert_eq!(error["message"], told);
}

#[test]
fn lines_are_kept_in_blobs() {
    let Some(azurite) = Azurite::for_test() else { return };
    let container = azurite.container();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = simulated(&folder.path().join("out"))
        .set_all(azurite.settings())
        .set("telemetry.logs", container.url("logs"))
        .run()
        .success();
    let names = container.download("logs", folder.path());
    assert!(
        !names.is_empty() && names.iter().all(|name| name.starts_with("logs/date=") && name.ends_with(".jsonl")),
        "{names:?}"
    );
    let mut files: Vec<_> = names.iter().map(|name| folder.path().join(name)).collect();
    files.sort();
    let lines = lines_of(&files);
    assert_eq!(lines.last().expect("lines")["rows"], fleet::figure(&ran.stderr, "rows"));
}

#[test]
fn a_place_that_cannot_be_written_stops_nothing() {
    let Some(azurite) = Azurite::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nowhere = azurite.named(&services::unique_name());
    let ran = simulated(&folder.path().join("out"))
        .set_all(azurite.settings())
        .set("telemetry.logs", nowhere.url("logs"))
        .run()
        .success();
    assert!(ran.stderr.contains("log lines cannot be written to `telemetry.logs`"), "{}", ran.stderr);
}

// === SIGHUP ===

const SERVICE: &str = r#"
    pipeline = "hup"
    [ingest]
    source = "simulated"
    [ingest.simulated]
    devices = 2
    partitions = 1
    duration = "100d"
    speed = 1.0
    [run]
    workers = 1
    [sink]
    url = "out"
    commit_interval = "1s"
    [telemetry]
    log = "LEVEL"
"#;

#[test]
fn a_hangup_applies_what_can_be_applied_and_names_the_rest() {
    let mut service = Atalaia::new("run").config(&SERVICE.replace("LEVEL", "info")).start();
    let address = fleet::listener(&mut service);
    service.wait_for_log("running", MINUTE);
    let file = service.folder().join("pipeline.toml");
    let mut hangup = |text: String, answer: &str| {
        std::fs::write(&file, text).expect("the configuration can be written");
        service.signal("HUP");
        service.wait_for_log(answer, MINUTE);
    };
    hangup(
        SERVICE.replace("LEVEL", "info,ingest=debug").replace("workers = 1", "workers = 2"),
        "SIGHUP: the configuration was read again",
    );
    hangup("[telemetry]\nlog = \"loud\"\n".into(), "SIGHUP: the configuration cannot be used, and nothing has changed");
    // Levels hold from now on: of lines that say something, only errors come.
    std::fs::write(&file, SERVICE.replace("LEVEL", "error")).expect("the configuration can be written");
    service.signal("HUP");
    let outcome = |outcome: &str| {
        let metrics = http::get(&address, "/metrics")?.body;
        http::metric(&metrics, "atalaia_config_reloads_total", &format!("outcome=\"{outcome}\""))
    };
    service.wait_until("two reloads to be counted", MINUTE, |_| (outcome("applied") == Some(2.0)).then_some(()));
    assert_eq!((outcome("failed"), outcome("unchanged")), (Some(1.0), Some(0.0)));
    let ended = service.terminate(MINUTE).success();
    let log = &ended.stderr;
    assert!(log.contains("SIGHUP: `telemetry.log` is \"info,ingest=debug\" from now on"), "{log}");
    assert!(log.contains("SIGHUP: `run.workers` has changed, and needs a restart"), "{log}");
    assert!(log.contains("`loud` is no level"), "{log}");
    assert!(!log.contains(" stopped ") && !log.contains("stopping"), "levels have not changed: {log}");
}

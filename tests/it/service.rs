//! What a running service tells machines: probes, metrics, logs; and that it stays calm while its broker is away.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::fleet::{self, Fleet, MINUTE, SECOND, start};
use crate::support::{Atalaia, Judge, Kafka, Message, Running, Topic, http, wait};

const FLEET: Fleet = Fleet { devices: 6, sensors: 2, every: SECOND };

/// Passes connections on to the broker; what the client does next is up to the broker's own address.
fn forward(port: u16, broker: String) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port was free");
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
        });
    };
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&broker) else { continue };
            copy(client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            copy(server, client);
        }
    });
}

fn status(address: &str, path: &str) -> (u16, String) {
    let answer = http::get(address, path).expect("the service answers");
    (answer.status, answer.body)
}

fn wait_for_records(service: &mut Running, address: &str, records: u64) -> String {
    service.wait_until("the records to be read", Duration::from_secs(60), |_| {
        let metrics = http::get(address, "/metrics")?.body;
        (http::metric(&metrics, "atalaia_ingest_records_total", "")? >= records as f64).then_some(metrics)
    })
}

/// At first nothing listens where the broker should be; then it does.
#[test]
fn without_its_broker_it_stays_up_unready_and_quiet_and_goes_on_when_there_is_one() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    let produced = topic.produce(FLEET.records(start(), start() + MINUTE));
    let results = tempfile::tempdir().expect("a temporary folder");
    let port = wait::free_port();
    let mut service = fleet::eager("run")
        .set_all(topic.settings())
        .set("ingest.kafka.brokers", format!("127.0.0.1:{port}"))
        .set("ingest.kafka.properties", r#"{ "reconnect.backoff.max.ms" = "1000" }"#)
        .set("telemetry.log_format", "json")
        .set("sink.url", results.path().display())
        .start();
    let address = fleet::listener(&mut service);
    let observed = Duration::from_secs(10);
    let begun = Instant::now();
    while begun.elapsed() < observed {
        assert_eq!(status(&address, "/livez"), (200, "ok\n".to_owned()));
        let (unready, why) = status(&address, "/readyz");
        assert!(unready == 503 && why.starts_with("not ready: "), "{unready}: {why}");
        thread::park_timeout(Duration::from_millis(500));
    }
    let log = service.stderr();
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("Connection refused")).collect();
    println!("{} lines in {observed:?} without a broker", log.lines().count());
    complaints.iter().for_each(|line| println!("{line}"));
    // Two workers, and a line for each of four kinds of complaint in ten seconds, which begin and end with one; without a
    // limit it would be hundreds.
    assert!((1..=16).contains(&complaints.len()), "{log}");
    assert!(log.lines().count() < 32, "{log}");

    let why = service.wait_until("the reason", Duration::from_secs(60), |_| {
        let (_, why) = status(&address, "/readyz");
        why.starts_with("not ready: the source cannot be reached for ").then_some(why)
    });
    assert!(why.contains("Connection refused") && why.lines().count() == 1, "{why}");
    assert_eq!(status(&address, "/healthz"), (200, "ok\n".to_owned()), "no reason to start it anew");

    forward(port, kafka.brokers);
    service.wait_until("readiness", Duration::from_secs(60), |_| (status(&address, "/readyz").0 == 200).then_some(()));
    let metrics = wait_for_records(&mut service, &address, produced);
    assert!(http::metric(&metrics, "atalaia_ingest_broker_errors_total", "") > Some(0.0), "{metrics}");
    assert_eq!(http::metric(&metrics, "atalaia_process_ready", ""), Some(1.0));
    let left = service.terminate(Duration::from_secs(12)).success();

    for line in left.stderr.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        let has = |field: &str| parsed[field].is_string();
        assert!(has("timestamp") && has("level") && has("message") && has("target"), "{line}");
        assert_ne!(parsed["level"], "TRACE", "{line}");
    }
    assert!(left.stdout.is_empty(), "standard output is for data: {}", left.stdout);
}

/// A service that has seen good, bad, late and missing values, and has committed.
fn seasoned(topic: &Topic, results: &Path) -> (Running, String, String) {
    let mut produced = topic.produce(FLEET.records(start(), start() + 2 * MINUTE));
    produced += topic.produce([
        Message::keyed("d0", "{"),
        Message::keyed("d0", "").at(start() + MINUTE),
        fleet::record("d0", "s0", start()).at(start() + MINUTE),
        Message { key: Some(b"d0".to_vec()), ..Message::default() },
    ]);
    // With two workers partitions move once at the start, and what is read again is counted again.
    let one = fleet::eager("run").set("run.workers", 1);
    let mut service = one.set_all(topic.settings()).set("sink.url", results.display()).start();
    let address = fleet::listener(&mut service);
    wait_for_records(&mut service, &address, produced);
    let metrics = service.wait_until("everything to be counted", Duration::from_secs(30), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        let done = http::metric(&metrics, "atalaia_sink_rows_total", "dataset=\"late\"").is_some()
            && http::metric(&metrics, "atalaia_sink_rows_total", "dataset=\"quarantine\"").is_some()
            // Gauges follow once a second.
            && http::metric(&metrics, "atalaia_aggregate_series", "") >= Some((FLEET.devices * FLEET.sensors) as f64);
        done.then_some(metrics)
    });
    (service, address, metrics)
}

#[test]
fn metrics_have_their_families_histograms_their_buckets_and_no_device_a_label() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    let results = tempfile::tempdir().expect("a temporary folder");
    let (service, address, metrics) = seasoned(&topic, results.path());
    for family in [
        "atalaia_build_info",
        "atalaia_ingest_records_total",
        "atalaia_ingest_bytes_total",
        "atalaia_ingest_readings_total",
        "atalaia_ingest_rejects_total",
        "atalaia_ingest_tombstones_total",
        "atalaia_ingest_partitions_assigned",
        "atalaia_ingest_rebalances_total",
        "atalaia_aggregate_late_total",
        "atalaia_aggregate_open_windows",
        "atalaia_aggregate_closed_rows",
        "atalaia_aggregate_series",
        "atalaia_aggregate_devices",
        "atalaia_score_anomalies_total",
        "atalaia_score_rows_total",
        "atalaia_sink_commits_total",
        "atalaia_sink_rows_total",
        "atalaia_sink_files_total",
        "atalaia_sink_bytes_total",
        "atalaia_sink_commit_seconds_bucket",
        "atalaia_sink_commit_seconds_count",
        "atalaia_sink_close_to_durable_seconds_bucket",
        "atalaia_ingest_lag_seconds",
        "atalaia_ingest_paused_partitions",
        "atalaia_aggregate_clock_delay_seconds",
        "atalaia_aggregate_windows_closed_total",
        "atalaia_aggregate_series_max",
        "atalaia_score_batch_seconds_bucket",
        "atalaia_score_model_set_info",
        "atalaia_sink_uncommitted_seconds",
        "atalaia_sink_storage_request_seconds_bucket",
        "atalaia_process_ready",
    ] {
        assert!(http::metric(&metrics, family, "").is_some(), "no {family} in\n{metrics}");
    }
    for histogram in ["atalaia_sink_commit_seconds", "atalaia_sink_close_to_durable_seconds"] {
        let bucket = |le: &str| http::metric(&metrics, &format!("{histogram}_bucket"), &format!("le=\"{le}\""));
        assert_eq!(bucket("+Inf"), http::metric(&metrics, &format!("{histogram}_count"), ""), "{histogram}");
        assert!(bucket("0.001") <= bucket("60"), "{histogram}");
        assert!(metrics.contains(&format!("# TYPE {histogram} histogram")), "{histogram}");
    }
    let series = http::metric(&metrics, "atalaia_aggregate_series", "");
    assert_eq!(series, Some((FLEET.devices * FLEET.sensors) as f64));
    assert_eq!(http::metric(&metrics, "atalaia_aggregate_late_total", ""), Some(1.0));
    assert_eq!(http::metric(&metrics, "atalaia_ingest_tombstones_total", ""), Some(1.0));
    assert_eq!(http::metric(&metrics, "atalaia_ingest_rejects_total", ""), Some(2.0));
    for line in metrics.lines().filter(|line| line.starts_with("atalaia_")) {
        assert!(!line.contains("\"d0\"") && !line.contains("device="), "{line}");
    }
    for (figure, expected) in [
        ("atalaia_aggregate_window_seconds", 10.0),
        ("atalaia_sink_max_delay_seconds", 0.0),
        ("atalaia_sink_record_bytes_max", 268_435_456.0),
        // Each window that closed was judged.
        ("atalaia_score_rows_total", http::metric(&metrics, "atalaia_aggregate_windows_closed_total", "").unwrap()),
    ] {
        assert_eq!(http::metric(&metrics, figure, ""), Some(expected), "{figure}");
    }
    assert!(http::metric(&metrics, "atalaia_aggregate_clock_delay_seconds", "") > Some(86_400.0));
    for (name, kind, _) in atalaia::process::STANDARD {
        assert!(http::metric(&metrics, name, "") > Some(0.0), "{name}");
        assert!(metrics.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    promtool_agrees(&metrics);
    let kind = http::get(&address, "/nothing").expect("the service answers");
    assert_eq!(kind.status, 404);
    service.terminate(Duration::from_secs(12)).success();
}

/// Prometheus' own opinion, where its tool is installed.
fn promtool_agrees(metrics: &str) {
    let checker =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut checker) = checker else {
        println!("SKIPPED: promtool is not installed");
        return;
    };
    checker.stdin.take().expect("piped").write_all(metrics.as_bytes()).expect("promtool reads");
    let output = checker.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool check metrics: {said}");
    println!("promtool check metrics: {} {said}", output.status);
}

/// The partitions of which there is anything among the metrics, but for what the group itself counts.
fn partitions_shown(address: &str) -> Option<BTreeSet<String>> {
    let metrics = http::get(address, "/metrics")?.body;
    let partition = |line: &str| Some(line.split_once("partition=\"")?.1.split_once('"')?.0.to_owned());
    Some(metrics.lines().filter_map(partition).collect())
}

#[test]
fn what_is_said_of_a_partition_goes_with_it_and_comes_back() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    topic.produce(FLEET.records(start(), start() + MINUTE));
    let results = tempfile::tempdir().expect("a temporary folder");
    let instance = || {
        let one = fleet::eager("run").set("run.workers", 1).set("sink.url", results.path().display());
        one.set_all(topic.settings())
    };
    let mut first = instance().start();
    let address = fleet::listener(&mut first);
    let shown = |service: &mut Running, address: &str, partitions: &[&str]| {
        let wanted: BTreeSet<String> = partitions.iter().map(|&partition| partition.to_owned()).collect();
        service.wait_until(&format!("{partitions:?} to be shown"), Duration::from_secs(60), |_| {
            (partitions_shown(address)? == wanted).then_some(())
        });
    };
    shown(&mut first, &address, &["0", "1"]);

    let mut second = instance().start();
    let other = fleet::listener(&mut second);
    let kept = first.wait_until("one partition to go", Duration::from_secs(60), |_| {
        partitions_shown(&address).filter(|shown| shown.len() == 1)
    });
    let kept = kept.first().expect("one").clone();
    let given = if kept == "0" { "1" } else { "0" };
    shown(&mut second, &other, &[given]);
    second.terminate(Duration::from_secs(12)).success();
    shown(&mut first, &address, &["0", "1"]);
    first.wait_until("all series", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        (http::metric(&metrics, "atalaia_aggregate_series", "")? == (FLEET.devices * FLEET.sensors) as f64)
            .then_some(())
    });
    first.terminate(Duration::from_secs(12)).success();
}

#[test]
fn logs_as_text_and_their_level() {
    let Some(_judge) = Judge::for_test() else { return };
    let results = tempfile::tempdir().expect("a temporary folder");
    let run = |log: &str| {
        fleet::eager("run")
            .args(["--until-idle", "--close", "all"])
            .set("ingest.source", "files")
            .set("ingest.files.path", "-")
            .set("telemetry.log", log)
            .set("sink.url", results.path().display())
            .run()
            .success()
            .stderr
    };
    let told = run("info");
    assert!(told.contains(" INFO ") && !told.contains('\u{1b}'), "no colours in a file: {told}");
    assert!(!told.contains(" DEBUG "), "{told}");
    assert_eq!(run("off"), "");
}

/// Brokers that do not answer are waited for, longer than an orchestrator waits for who is to leave.
#[test]
fn a_simulator_without_brokers_leaves_when_it_is_told_to() {
    let broker = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = broker.local_addr().expect("it is bound").to_string();
    let simulator = Atalaia::new("simulate").args(["--kafka", &address, "--topic", "readings", "--endless"]).start();
    let _silent = broker.accept().expect("it looks for the broker");
    let left = simulator.terminate(Duration::from_secs(5)).status_is(130);
    assert!(left.stderr.contains("stopped: nothing had begun"), "{}", left.stderr);
}

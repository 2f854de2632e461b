//! The local stack without containers: the very commands and the configuration of `docker-compose.yml`, on services of
//! the test. Only addresses, names and waiting times are replaced.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Atalaia, Azurite, Container, Hub, Kafka, Running, http};

const WITHIN: Duration = Duration::from_secs(90);

#[test]
fn the_composed_commands_bring_rows_into_blobs() {
    let (Some(kafka), Some(azurite)) = (Kafka::for_test(), Azurite::for_test()) else { return };
    let topic = kafka.topic(8);
    let container = azurite.container();
    let pipeline = root().join("deploy/compose/pipeline.toml");
    let places = [
        ("kafka:9092", kafka.brokers.as_str()),
        ("readings", topic.name.as_str()),
        ("/etc/atalaia/pipeline.toml", pipeline.to_str().expect("the repository has a plain path")),
    ];

    let simulator = command("simulator", &places).start();
    let service = command("atalaia", &places).set_all(topic.settings());
    brings_rows(service, &azurite, &container).terminate(Duration::from_secs(15)).success();
    simulator.terminate(Duration::from_secs(15)).success();
}

#[test]
fn the_profile_of_event_hubs_does_as_well() {
    let Some(azurite) = Azurite::for_test() else { return };
    let hub = Hub::start("readings", 8);
    let (container, checkpoints) = (azurite.container(), azurite.container());
    let pipeline = root().join("deploy/compose/event-hubs.toml");
    let places = [("/etc/atalaia/pipeline.toml", pipeline.to_str().expect("the repository has a plain path"))];

    let connection = |command: Atalaia| command.env("EVENT_HUBS_CONNECTION", hub.connection_string());
    let simulator = connection(command("simulator-event-hubs", &places)).start();
    let service = connection(command("atalaia-event-hubs", &places))
        .set("ingest.event_hubs.ownership.url", format!("az://{}", checkpoints.name));
    brings_rows(service, &azurite, &container).terminate(Duration::from_secs(15)).success();
    simulator.terminate(Duration::from_secs(15)).success();
    assert_eq!(checkpoints.list("127.0.0.1/readings/atalaia/ownership/").len(), 8);
}

/// The service, once rows lie in the container and it has answered those who ask.
fn brings_rows(service: Atalaia, azurite: &Azurite, container: &Container) -> Running {
    let mut service = service
        .set_all(azurite.settings())
        .set("sink.url", container.url(""))
        .set("aggregate.window", "5s")
        .set("sink.commit_interval", "1s")
        .set("sink.max_delay", "1s")
        .start();
    let address = service.telemetry_address();
    let rows = service.wait_until("predictions", WITHIN, |_| {
        let names = container.list("predictions/");
        names.iter().any(|name| name.ends_with(".parquet")).then_some(names)
    });
    assert!(rows.iter().all(|name| name.starts_with("predictions/date=")), "{rows:?}");

    // The image's health check, and what Prometheus and an orchestrator ask.
    for probe in ["livez", "readyz"] {
        Atalaia::new("health").args(["--url", &format!("http://{address}/{probe}")]).run().success();
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(http::get(&address, path).map(|response| response.status), Some(200), "{path}");
    }
    service
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_exist() {
    let mut sources = String::new();
    for folder in ["src", "ingest/src", "aggregate/src", "score/src", "sink/src", "forward/src"] {
        gather(&root().join(folder), &mut sources);
    }
    let asked_for = metrics_asked_for();
    assert!(asked_for.len() > 40, "{asked_for:?}");
    let unknown: Vec<_> = asked_for.iter().filter(|name| !sources.contains(&format!("\"{name}\""))).collect();
    assert!(unknown.is_empty(), "no stage records {unknown:?}");
}

/// The service's `command: […]` in the compose file, with places replaced.
fn command(service: &str, places: &[(&str, &str)]) -> Atalaia {
    let compose = read("docker-compose.yml");
    let section = compose.split_once(&format!("\n  {service}:\n")).expect("the service exists").1;
    let list = section.split_once("command: [").expect("it has a command").1;
    let list = list.split_once(']').expect("the list ends").0;
    let mut words = list.split(", ").map(|word| {
        // `${NAME:-default}` is what somebody may set: here the default.
        let word = word.trim_matches('"').trim_end_matches('}');
        let word = word.split_once(":-").map_or(word, |(_, default)| default);
        places.iter().find(|(name, _)| *name == word).map_or(word, |(_, place)| place)
    });
    Atalaia::new(words.next().expect("a command has words")).args(words)
}

/// Every metric that dashboards and rules ask for, as it is recorded: a histogram's parts go by one name.
fn metrics_asked_for() -> BTreeSet<String> {
    let mut text = String::new();
    for folder in ["deploy/grafana/dashboards", "deploy/prometheus/rules"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder of the repository") {
            text.push_str(&std::fs::read_to_string(entry.expect("a readable entry").path()).expect("a readable file"));
        }
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let names = text.split(|c| !is_name(c)).filter(|name| name.starts_with("atalaia_") && !name.contains(':'));
    names.map(|name| name.trim_end_matches("_bucket").trim_end_matches("_count").to_owned()).collect()
}

/// All Rust files below the folder, one after the other.
fn gather(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).expect("a file of the repository"));
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("a file of the repository")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

//! The process dies or is asked to leave, in the middle of a topic: nothing is lost, whenever it happens.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::support::fleet::{self, Fleet, SECOND, start};
use crate::support::{Atalaia, Judge, Kafka, Running, Topic, http, wait};

const FLEET: Fleet = Fleet { devices: 40, sensors: 2, every: SECOND };
const PARTITIONS: usize = 8;

/// A process of the one pipeline that all processes of a test continue.
fn service(topic: &Topic, models: &Path, results: &Path) -> Atalaia {
    fleet::eager("run")
        .set_all(topic.settings())
        // A member that comes back under its name is given its partitions at once.
        .set("ingest.kafka.instance_id", "only")
        .set("score.models", models.display())
        .set("sink.url", results.display())
}

/// The judge's finding: every row there is right, none is missing.
fn verdict(judge: &Judge, topic: &Topic, results: &Path, models: &Path, duplicates: bool) -> serde_json::Value {
    let config = serde_json::json!({
        "window": 10 * SECOND, "close_after": 900 * SECOND, "max_future_skew": 300 * SECOND,
        "close": "all", "duplicates": duplicates, "models": models,
    });
    let (results, config) = (results.display().to_string(), config.to_string());
    let found = judge.run("judges/topic.py", [&topic.brokers, &topic.name, &results, &config]);
    println!("{found}");
    serde_json::from_str(&found).expect("the judge speaks JSON")
}

/// Where the partitions were first taken over, added up; `None` before all of them are.
fn resumed_at(log: &str) -> Option<u64> {
    let mut positions = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("partition resumed") || line.contains("partition begun")) {
        let mut words = line.split_whitespace();
        let partition = words.find_map(|word| word.strip_prefix("partition="))?;
        let position: u64 = words.find_map(|word| word.strip_prefix("position="))?.parse().ok()?;
        // Taken over again when partitions move between workers.
        positions.entry(partition).or_insert(position);
    }
    (positions.len() == PARTITIONS).then(|| positions.values().sum())
}

/// Kills come at moments that a seed decides, so that a failure can be looked for again.
fn moments(seed: u64) -> impl FnMut() -> Duration {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % 300)
    }
}

#[test]
fn killed_again_and_again_in_mid_topic() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(PARTITIONS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (models, results) = (fleet::models(&judge), folder.path().join("scored"));

    let seed = u64::from(std::process::id());
    let mut moment = moments(seed);
    let (mut deaths, mut produced) = (Vec::new(), 0);
    // Each life finds so much to read that is new: however fast it reads, its end comes in mid-topic.
    let mut produce = |life| {
        let from = start() + 250 * SECOND * life;
        produced += topic.produce(FLEET.records(from, from + 250 * SECOND));
        produced
    };
    for life in 0..8 {
        produce(life);
        // Small batches, so that a life lasts longer than it reads.
        let mut doomed = service(&topic, &models, &results).set("run.batch_records", 16).start();
        let at = doomed.wait_until("all partitions", Duration::from_secs(60), |it| resumed_at(&it.stderr()));
        std::thread::park_timeout(moment());
        assert!(doomed.is_running(), "{}", doomed.stderr());
        doomed.kill();
        deaths.push(at);
    }
    produce(8);
    let produced = produce(9);
    assert_eq!(produced, 200_000);
    let last = service(&topic, &models, &results).args(["--until-idle", "--close", "all"]).run().success();
    deaths.push(resumed_at(&last.stderr).expect("all partitions"));
    println!("seed {seed}: the lives began at {deaths:?} of {produced}");
    assert!(deaths.is_sorted(), "positions never go back");
    assert!(deaths.last() > Some(&0), "what a killed life committed, the next goes on from: {deaths:?}");

    let found = verdict(&judge, &topic, &results, &models, false);
    println!("{} kills, and each of {} rows once", deaths.len() - 1, found["rows"]);
    assert_eq!(found["rows"], 20_000);
    assert!(found["anomalies"].as_u64() > Some(0), "{found}");
}

fn records_read(service: &Running, address: &str) -> Option<f64> {
    assert!(!service.stderr().contains(" ERROR "), "{}", service.stderr());
    http::metric(&http::get(address, "/metrics")?.body, "atalaia_ingest_records_total", "")
}

/// Starts the service and waits until it has taken over all its partitions and read so much.
fn started(service: Atalaia, records: f64) -> Running {
    let mut service = service.start();
    let address = fleet::listener(&mut service);
    service.wait_until("records to be read", Duration::from_secs(90), |service| {
        let ready = http::get(&address, "/readyz").is_some_and(|answer| answer.status == 200);
        records_read(service, &address).filter(|read| ready && *read >= records)
    });
    service
}

#[test]
fn asked_to_leave_it_commits_what_is_due_and_the_next_start_goes_on() {
    const GRACE: Duration = Duration::from_secs(10);
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(PARTITIONS);
    let to = start() + 1000 * SECOND;
    let produced = topic.produce(FLEET.records(start(), to));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (models, results) = (fleet::models(&judge), folder.path().join("scored"));
    // By itself nothing would be committed for a long while: what is there afterwards, the stop has written.
    let patient = || {
        service(&topic, &models, &results)
            .set("sink.commit_interval", "1h")
            .set("sink.min_rows", 1_000_000)
            .set("sink.max_delay", "1h")
            // With one worker no partition moves, and what has moved is read again rather than committed.
            .set("run.workers", 1)
    };

    // In mid-topic (slowed down by tiny batches), and again when all is read.
    let mut at = 0;
    for (batch_records, until) in [(16, 8_000.0), (4096, 1.0), (4096, 0.0)] {
        let service = started(patient().set("run.batch_records", batch_records), until);
        if until == 0.0 {
            wait::poll(Duration::from_secs(3), || None::<()>);
        }
        let asked = std::time::Instant::now();
        let left = service.terminate(GRACE).success();
        println!("left after {:?}: {}", asked.elapsed(), left.stderr.lines().last().unwrap_or_default());
        let began = resumed_at(&left.stderr).expect("all partitions");
        assert_eq!(began, at, "it goes on where the one before ended, to the record");
        at += fleet::figure(&left.stderr, "records");
        if until > 1.0 {
            assert!(at < produced, "the first stop should come in mid-topic: {at}");
            assert!(fleet::figure(&left.stderr, "rows") > 0, "closed windows are due: {}", left.stderr);
        }
    }
    let last = patient().args(["--until-idle", "--close", "all"]).run().success();
    assert_eq!(resumed_at(&last.stderr), Some(at));
    let found = verdict(&judge, &topic, &results, &models, false);
    assert_eq!(found["records"], produced);
}

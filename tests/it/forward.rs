//! Anomalies to a topic and to a webhook: each of them at least once, whoever is killed or away, and nothing else.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, SECOND, start};
use crate::support::{Atalaia, Azurite, Hook, Judge, Kafka, Topic, http, wait};

const FLEET: Fleet = Fleet { devices: 12, sensors: 2, every: SECOND };

fn to(command: Atalaia, topic: &Topic, hook: &str) -> Atalaia {
    command
        .set("forward.from", "earliest")
        .set("forward.kafka.topic", &topic.name)
        .set("forward.kafka.brokers", &topic.brokers)
        .set("forward.webhook.url", hook)
}

/// Both receivers against the rows of the dataset, read by pyarrow.
fn verdict(judge: &Judge, predictions: &str, topic: &Topic, hook: &Hook) -> serde_json::Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bodies = folder.path().join("hook.jsonl");
    hook.write(&bodies);
    let bodies = bodies.display().to_string();
    let found = judge.run("judges/forward.py", [predictions, &topic.brokers, &topic.name, &bodies]);
    println!("{found}");
    serde_json::from_str(&found).expect("the judge speaks JSON")
}

#[test]
fn killed_in_mid_stream_each_anomaly_reaches_a_topic_and_a_webhook_that_fails() {
    let (Some(kafka), Some(azurite), Some(judge)) = (Kafka::for_test(), Azurite::for_test(), Judge::for_test()) else {
        return;
    };
    let (readings, anomalies) = (kafka.topic(4), kafka.topic(3));
    let (container, hook) = (azurite.container(), Hook::start(30));
    let models = fleet::models(&judge);
    let service = || {
        let service = fleet::eager("run")
            .set_all(readings.settings())
            .set_all(azurite.settings())
            .set("ingest.kafka.instance_id", "only")
            .set("run.batch_records", 64)
            .set("score.models", models.display())
            .set("sink.url", container.url("scored"));
        to(service, &anomalies, &hook.url())
    };
    for life in 0..4 {
        let from = start() + 100 * SECOND * life;
        readings.produce(FLEET.records(from, from + 100 * SECOND));
        let before = hook.count();
        let mut doomed = service().start();
        // In the midst of forwarding, as far as a few events tell.
        doomed.wait_until("some events", Duration::from_secs(60), |_| {
            (hook.count() > before + 10 * life as usize).then_some(())
        });
        doomed.kill();
    }
    let end = start() + 500 * SECOND;
    readings.produce(FLEET.records(start() + 400 * SECOND, end));
    service().set("forward.finish_within", "90s").args(["--until-idle", "--close", "all"]).run().success();
    let folder = tempfile::tempdir().expect("a temporary folder");
    container.download("scored/predictions", folder.path());
    let found = verdict(&judge, &folder.path().display().to_string(), &anomalies, &hook);
    assert!(found["anomalies"].as_u64() > Some(50), "{found}");
    assert!(found["kafka"]["repeated"].is_number() && found["webhook"]["repeated"].as_u64() > Some(0), "{found}");
}

#[test]
fn a_receiver_that_is_away_holds_back_no_other_and_is_told_by_the_next_run() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let (readings, anomalies) = (kafka.topic(2), kafka.topic(1));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let job = |command: &str, hook: &str| {
        let job = fleet::eager(command)
            .set_all(readings.settings())
            .set("score.models", models.display())
            .set("sink.url", folder.path().display())
            .args(["--close", "all"]);
        to(job, &anomalies, hook)
    };
    readings.produce(FLEET.records(start(), start() + 100 * SECOND));
    let nowhere = format!("http://127.0.0.1:{}/", wait::free_port());
    let fails = |job: Atalaia| {
        let failed = job.set("forward.finish_within", "2s").run().status_is(1);
        assert!(failed.stderr.contains("not all anomalies were forwarded to webhook within 2s"), "{}", failed.stderr);
        assert!(failed.stderr.contains("run it again"), "{}", failed.stderr);
        failed
    };
    // What was done is told all the same.
    let failed = fails(job("score", &nowhere));
    assert!(failed.stdout.contains(" in windows"), "{}", failed.stdout);
    let failed = fails(job("run", &nowhere).args(["--until-idle"]));
    assert!(failed.stderr.contains("stopped"), "{}", failed.stderr);
    let hook = Hook::start(0);
    job("score", &hook.url()).set("forward.webhook.batch", 7).run().success();
    let found = verdict(&judge, &folder.path().join("predictions").display().to_string(), &anomalies, &hook);
    assert_eq!((&found["kafka"]["repeated"], &found["webhook"]["repeated"]), (&0.into(), &0.into()), "{found}");
    assert!(found["webhook"]["requests"].as_u64() < found["anomalies"].as_u64(), "in arrays: {found}");
    let again = hook.count();
    job("score", &hook.url()).run().success();
    assert_eq!(hook.count(), again, "what was acknowledged is not sent by later runs");
}

#[test]
fn a_service_begins_at_the_present_and_shows_how_far_behind_it_is() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let (readings, folder) = (kafka.topic(1), tempfile::tempdir().expect("a temporary folder"));
    let models = fleet::models(&judge);
    let service = |subcommand| {
        fleet::eager(subcommand)
            .set_all(readings.settings())
            .set("score.models", models.display())
            .set("sink.url", folder.path().display())
    };
    readings.produce(FLEET.records(start(), start() + 100 * SECOND));
    service("run").args(["--until-idle", "--close", "due"]).run().success();
    let hook = Hook::start(0);
    let mut running = service("run").set("forward.webhook.url", hook.url()).start();
    let address = running.telemetry_address();
    readings.produce(FLEET.records(start() + 100 * SECOND, start() + 200 * SECOND));
    let shown = |name: &str| http::metric(&http::get(&address, "/metrics")?.body, name, "receiver=\"webhook\"");
    running.wait_until("events", Duration::from_secs(60), |_| {
        let is_sent = shown("atalaia_forward_events_total") > Some(0.0);
        (is_sent && shown("atalaia_forward_lag_commits") == Some(0.0)).then_some(())
    });
    assert_eq!(shown("atalaia_forward_lag_seconds"), Some(0.0));
    assert_eq!(shown("atalaia_forward_refused_total"), Some(0.0));
    let left = running.terminate(Duration::from_secs(20)).success();
    let begun = left.stderr.lines().find(|line| line.contains("forwarding of anomalies begins")).expect("it says so");
    assert!(begun.contains("receiver=\"webhook\"") || begun.contains("receiver=webhook"), "{begun}");
    assert!(!begun.contains("commit=0"), "what was there before is not sent: {begun}");
}

#[test]
fn receivers_are_asked_without_an_event() {
    let Some(kafka) = Kafka::for_test() else { return };
    let (readings, anomalies, hook) = (kafka.topic(1), kafka.topic(2), Hook::start(0));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let validate = |topic: &Topic, hook: &str| {
        let validate = fleet::eager("validate").arg("--online").set_all(readings.settings());
        to(validate, topic, hook).set("sink.url", folder.path().display())
    };
    let text = validate(&anomalies, &hook.url()).run().success().stdout;
    for words in [format!("topic `{}`", anomalies.name), "partitions: 2".to_owned(), "answers OPTIONS".to_owned()] {
        assert!(text.contains(&words), "`{words}` is missing in\n{text}");
    }
    assert_eq!(hook.count(), 1, "one OPTIONS");
    let absent = Topic { name: "absent-anomalies".into(), ..anomalies };
    let text = validate(&absent, &format!("http://127.0.0.1:{}/", wait::free_port())).run().status_is(1).stdout;
    for about in ["forward.kafka", "forward.webhook"] {
        assert!(text.contains(&format!("✗ problem  {about} ")), "nothing of `{about}` in\n{text}");
    }
}

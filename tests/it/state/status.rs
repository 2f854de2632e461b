//! What a running, a stopped and an unknown pipeline look like.

use crate::support::Kafka;
use crate::support::fleet::{MINUTE, start};

use super::{FLEET, Pipeline, next, wait_until_committed};

#[test]
fn of_a_running_and_a_stopped_pipeline() {
    let Some(kafka) = Kafka::for_test() else { return };
    let pipeline = Pipeline::new(kafka.topic(2));
    let produced = pipeline.topic.produce(FLEET.records(start(), start() + 2 * MINUTE));

    let nowhere = pipeline.state("status").run().status_is(1);
    assert!(nowhere.stderr.contains("/state` does not exist"), "{}", nowhere.stderr);
    std::fs::create_dir(pipeline.folder.path().join("state")).expect("the folder is ours");
    let before = pipeline.status(0);
    assert_eq!(before["partitions"].as_array().map(Vec::len), Some(2), "the topic's: {before:#}");
    assert!(before["partitions"][0]["seq"].is_null() && before["complete_to"].is_null());

    let service = pipeline.service().start();
    wait_until_committed(&pipeline, 0);
    wait_until_committed(&pipeline, 1);
    let running = pipeline.status(0);
    assert_eq!(next(&running, 0) + next(&running, 1), i64::try_from(produced).expect("few"));
    for partition in running["partitions"].as_array().expect("two") {
        assert_eq!(partition["kind"], "data");
        assert_eq!(partition["lag"], 0);
        assert!(partition["problems"].as_array().is_some_and(Vec::is_empty), "{partition:#}");
        assert!(partition["open_windows"].as_u64() > Some(0) && partition["state_bytes"].as_u64() > Some(0));
        assert!(partition["instance"].as_str().is_some_and(|it| it.ends_with(&format!("/{}", service.pid()))));
    }
    service.terminate(std::time::Duration::from_secs(12)).success();

    let stopped = pipeline.status(0);
    assert_eq!(stopped["partitions"][0]["kind"], "release", "{stopped:#}");
    assert_eq!(next(&stopped, 0), next(&running, 0));
    assert!(stopped["complete_to"].as_str().is_some(), "{stopped:#}");
    let text = pipeline.state("status").run().success();
    println!("{}", text.stdout);
    assert!(text.stdout.contains("release") && text.stdout.contains("2 partitions, 0 problems"), "{}", text.stdout);

    // Looking changes nothing, and works without the broker.
    let offline = pipeline.state("status").args(["--offline", "--format", "json"]).run().success();
    let offline = offline.json_lines().remove(0);
    assert_eq!(offline["broker"]["asked"], false);
    assert!(offline["partitions"][0]["lag"].is_null());
    for of in ["seq", "next", "nonce", "owner"] {
        assert_eq!(offline["partitions"][0][of], stopped["partitions"][0][of]);
    }
    let audited = pipeline.audit(0);
    assert_eq!(audited["partitions"], 2);
    assert!(audited["rows"].as_u64() > Some(0));
}

#[test]
fn a_broker_that_does_not_answer_hides_nothing_else() {
    let Some(kafka) = Kafka::for_test() else { return };
    let pipeline = Pipeline::new(kafka.topic(1));
    pipeline.topic.produce(FLEET.records(start(), start() + MINUTE));
    pipeline.catch_up().success();
    let nowhere = format!("127.0.0.1:{}", crate::support::wait::free_port());
    let alone =
        pipeline.state("status").args(["--format", "json"]).set("ingest.kafka.brokers", nowhere).run().success();
    let alone = alone.json_lines().remove(0);
    assert!(alone["broker"]["why"].as_str().is_some_and(|why| why.contains("cannot reach any broker")), "{alone:#}");
    assert!(next(&alone, 0) > 0);
}

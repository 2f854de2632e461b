//! Records expire before they are read: one partition halts, the others go on, and somebody decides.

use std::time::Duration;

use crate::support::fleet::{MINUTE, start};
use crate::support::{Judge, Kafka};

use super::{FLEET, PATIENCE, Pipeline, next, wait_for_readiness, wait_until_committed};

/// A pipeline that has read two minutes, and of whose partition 0 the broker lost the third one meanwhile.
fn with_a_gap(kafka: &Kafka, judge: &Judge) -> (Pipeline, i64, i64) {
    let pipeline = Pipeline::new(kafka.topic(2));
    pipeline.topic.produce(FLEET.records(start(), start() + 2 * MINUTE));
    pipeline.catch_up().success();
    let from = next(&pipeline.status(0), 0);
    pipeline.topic.produce(FLEET.records(start() + 2 * MINUTE, start() + 4 * MINUTE));
    let to = from + 30;
    expire(&pipeline, judge, to);
    (pipeline, from, to)
}

fn expire(pipeline: &Pipeline, judge: &Judge, before: i64) {
    let topic = &pipeline.topic;
    let args = [&topic.brokers, &topic.name, "delete-records", "0", &before.to_string()];
    judge.run("judges/topic_admin.py", args);
}

#[test]
fn halts_one_partition_until_it_is_accepted() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let (pipeline, from, to) = with_a_gap(&kafka, &judge);
    let mut service = pipeline.service().start();
    wait_for_readiness(&mut service, 503, "atalaia state accept-gap -c FILE --partition 0");
    wait_until_committed(&pipeline, 1);

    let found = pipeline.status(1);
    assert_eq!(next(&found, 0), from, "nothing is moved silently");
    let problem = found["partitions"][0]["problems"][0]["text"].as_str().expect("a problem");
    assert_eq!(
        problem,
        format!("position {from} of `{}-0` has expired: the source begins at {to}", pipeline.topic.name)
    );
    assert!(found["partitions"][1]["problems"].as_array().is_some_and(Vec::is_empty), "{found:#}");

    let accept = || pipeline.state("accept-gap").args(["--partition", "0"]);
    let dry = accept().run().success();
    assert!(dry.stdout.contains(&format!("30 positions, from {from} to {to}")), "{}", dry.stdout);
    assert!(dry.stdout.contains("--apply"), "{}", dry.stdout);
    assert_eq!(next(&pipeline.status(1), 0), from, "a dry run changes nothing");

    let applied = accept().args(["--apply", "--format", "json"]).run().success().json_lines().remove(0);
    assert_eq!((applied["from"].as_i64(), applied["to"].as_i64()), (Some(from), Some(to)));
    assert_eq!(applied["applied"], true);
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    let again = accept().arg("--apply").run().success();
    assert!(again.stdout.contains("has lost nothing"), "{}", again.stdout);
    service.terminate(Duration::from_secs(12)).success();
    pipeline.audit(0);
    pipeline.rows(&judge);
}

#[test]
fn is_gone_over_where_the_configuration_says_so() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let (pipeline, from, to) = with_a_gap(&kafka, &judge);
    let mut service = pipeline.service().set("ingest.on_gap", "continue").start();
    service.wait_for_log("going on behind the gap", PATIENCE);
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    assert!(service.stderr().contains(&format!("from={from} to={to}")), "{}", service.stderr());
    service.terminate(Duration::from_secs(12)).success();
    pipeline.audit(0);
    pipeline.rows(&judge);
}

//! A new beginning: behind a damaged head, for a log that is gone, in a topic that was made anew. Never a window twice.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, MINUTE, SECOND, start};
use crate::support::{Judge, Kafka, Outcome};

use super::{FLEET, Pipeline, files, next, wait_for_readiness, wait_until_committed};

fn reset(pipeline: &Pipeline, to: &str) -> crate::support::Atalaia {
    pipeline.state("reset").args(["--partition", "0", "--to", to])
}

fn says(outcome: &Outcome, words: &[&str]) {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    words.iter().for_each(|words| assert!(all.contains(words), "`{words}` is missing in:\n{all}"));
}

/// A pipeline that has read three minutes.
fn seasoned(kafka: &Kafka, partitions: usize) -> Pipeline {
    let pipeline = Pipeline::new(kafka.topic(partitions));
    pipeline.topic.produce(FLEET.records(start(), start() + 3 * MINUTE));
    pipeline.catch_up().success();
    pipeline
}

/// What was lost is read again, and every window is there once: those from the floor on with all their readings.
fn goes_on(pipeline: &Pipeline, judge: &Judge, rows_before: u64) {
    pipeline.topic.produce(FLEET.records(start() + 3 * MINUTE, start() + 5 * MINUTE));
    pipeline.service().args(["--until-idle", "--close", "all"]).run().success();
    let rows = pipeline.rows(judge);
    assert!(rows > rows_before, "{rows} after {rows_before}");
    let found = pipeline.audit(0);
    assert_eq!(found["duplicates"], 0);
    assert!(found["late"].as_u64() > Some(0), "what was published is late now");
    assert_eq!(rows, 12 * 30, "12 devices in order for 5 minutes in windows of 10 s: none is missing");
}

#[test]
fn behind_a_damaged_head() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = seasoned(&kafka, 2);
    let before = pipeline.rows(&judge);
    let record = pipeline.newest_record(0);
    let mut bytes = std::fs::read(&record).expect("the record is there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&record, bytes).expect("the folder is ours");

    let mut service = pipeline.service().start();
    wait_for_readiness(&mut service, 503, "atalaia state reset -c FILE --partition 0 --to TIME");
    let found = pipeline.status(1);
    assert!(found["partitions"][0]["problems"][0]["text"].as_str().is_some_and(|it| it.contains("is corrupt")));
    says(&pipeline.state("accept-gap").args(["--partition", "0", "--apply"]).run(), &[]);

    let dry = reset(&pipeline, "earliest").run().success();
    says(&dry, &["the newest commit record is damaged", "floor", "will be late", "--apply"]);
    assert_eq!(pipeline.newest_record(0), record, "a dry run changes nothing");
    let applied = reset(&pipeline, "earliest").args(["--apply", "--format", "json"]).run().success();
    let applied = applied.json_lines().remove(0);
    assert_eq!((applied["head_damaged"].as_bool(), applied["next"].as_i64()), (Some(true), Some(0)));
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    service.terminate(Duration::from_secs(12)).success();
    goes_on(&pipeline, &judge, before);
}

#[test]
fn of_a_log_that_is_gone() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = seasoned(&kafka, 1);
    let before = pipeline.rows(&judge);
    std::fs::remove_dir_all(pipeline.log(0)).expect("the folder is ours");
    let refused = pipeline.state("status").run().status_is(1);
    says(&refused, &["the log of", "is gone", "atalaia state reset -c FILE --partition 0 --to TIME"]);
    let mut service = pipeline.service().start();
    wait_for_readiness(&mut service, 503, "is gone");
    reset(&pipeline, "earliest").arg("--apply").run().success();
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    service.terminate(Duration::from_secs(12)).success();
    // Whatever a paused owner of the old log may still create comes below.
    let first = files(&pipeline.log(0)).remove(0);
    let seq: u64 = first.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()).expect("a seq");
    assert!(seq >= 1_000_000, "{seq}");
    goes_on(&pipeline, &judge, before);
}

/// A partition that runs is reset as well: its owner finds itself fenced, and reads from the new position.
#[test]
fn under_an_owner_that_has_nothing_to_do() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = seasoned(&kafka, 1);
    let before = pipeline.rows(&judge);
    let mut service = pipeline.service().start();
    wait_for_readiness(&mut service, 200, "");
    reset(&pipeline, "0").arg("--apply").run().success();
    service.wait_for_log("another owner has taken the partition over", super::PATIENCE);
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    service.terminate(Duration::from_secs(12)).success();
    goes_on(&pipeline, &judge, before);
}

#[test]
fn in_a_topic_that_was_made_anew() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = seasoned(&kafka, 1);
    let topic = &pipeline.topic;
    judge.run("judges/topic_admin.py", [&topic.brokers, &topic.name, "delete"]);
    topic.producer().create_topic(1, Duration::from_secs(60)).expect("the topic can be made");
    // As long as the old one and longer, with other records.
    let other = Fleet { devices: 12, sensors: 1, every: SECOND };
    topic.produce(other.records(start() + 10 * MINUTE, start() + 15 * MINUTE));

    let mut service = pipeline.service().start();
    wait_for_readiness(&mut service, 503, "is another one than was read there");
    let found = pipeline.status(1);
    let problem = &found["partitions"][0]["problems"][0];
    assert!(problem["text"].as_str().is_some_and(|it| it.contains("another one")), "{found:#}");
    assert!(problem["remedies"][0].as_str().is_some_and(|it| it.contains("state reset -c FILE --partition 0")));
    let applied = pipeline.state("reset").args(["--all", "--to", "earliest", "--apply"]).run().success();
    says(&applied, &["begins anew with commit"]);
    wait_for_readiness(&mut service, 200, "");
    wait_until_committed(&pipeline, 0);
    service.terminate(Duration::from_secs(12)).success();
    pipeline.service().args(["--until-idle", "--close", "all"]).run().success();
    assert_eq!(next(&pipeline.status(0), 0), 12 * 300);
    pipeline.rows(&judge);
    pipeline.audit(0);
}

/// Files that are not there any more say nothing; the log knows that they were.
#[test]
fn after_files_were_removed_raises_the_floor_further() {
    let (Some(kafka), Some(_)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = seasoned(&kafka, 1);
    let floor = |args: &[&str]| {
        let outcome = reset(&pipeline, "earliest").args(["--format", "json"]).args(args).run().success();
        outcome.json_lines().remove(0)
    };
    let before = floor(&[]);
    assert!(before["warnings"].as_array().is_some_and(Vec::is_empty), "{before:#}");
    std::fs::remove_dir_all(pipeline.predictions()).expect("the folder is ours");
    std::fs::create_dir(pipeline.predictions()).expect("the folder is ours");
    let after = floor(&[]);
    assert!(after["floor"].as_str() > before["floor"].as_str(), "{before:#} {after:#}");
    assert!(after["warnings"][0].as_str().is_some_and(|it| it.contains("not there any more")), "{after:#}");

    let earlier = "2001-01-01T00:00:00Z";
    let refused = reset(&pipeline, "earliest").args(["--floor", earlier]).run().status_is(1);
    says(&refused, &["would publish windows again", "--force"]);
    assert_eq!(floor(&["--floor", earlier, "--force"])["floor"], earlier);
    let later = "2101-01-01T00:00:00Z";
    assert_eq!(floor(&["--floor", later])["floor"], later);
    says(&fleet::state("reset").args(["--to", "earliest"]).run().status_is(2), &["--partition", "--all"]);
    says(&reset(&pipeline, "yesterday").run().status_is(2), &["`yesterday` is not a start"]);
    says(&reset(&pipeline, "99999999").run().status_is(1), &["holds positions from 0 to"]);
}

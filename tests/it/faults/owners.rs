//! Who owns a partition changes: a second deployment by mistake, a hand-over before the first record.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, MINUTE, SECOND, start};
use crate::support::{Atalaia, Kafka, Topic};

const FLEET: Fleet = Fleet { devices: 4, sensors: 1, every: SECOND };
const PATIENCE: Duration = Duration::from_secs(60);

fn service(topic: &Topic, group: &str, results: &std::path::Path) -> Atalaia {
    fleet::eager("run")
        .set_all(topic.settings())
        .set("ingest.kafka.group", format!("{}-{group}", topic.name))
        .set("run.workers", 1)
        .set("sink.url", results.display())
}

/// Two deployments of one pipeline in two groups take the partitions from each other; neither dies of it.
#[test]
fn a_fenced_owner_drops_its_state_and_takes_over_again() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(2);
    topic.produce(FLEET.records(start(), start() + MINUTE));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = service(&topic, "one", folder.path()).start();
    first.wait_for_log("partition begun", PATIENCE);
    let mut second = service(&topic, "two", folder.path()).start();
    second.wait_for_log("partition resumed", PATIENCE);
    let mut minute = 1;
    first.wait_until("to be fenced and to take over again", PATIENCE, |first| {
        // Only who commits finds out.
        topic.produce(FLEET.records(start() + minute * MINUTE, start() + (minute + 1) * MINUTE));
        minute += 1;
        std::thread::park_timeout(Duration::from_millis(500));
        let log = first.stderr();
        let (_, after) = log.split_once("another owner has taken the partition over")?;
        after.contains("partition resumed").then_some(())
    });
    assert!(first.is_running() && second.is_running());
}

/// `latest` is resolved once in the life of a partition, also if that life is short.
#[test]
fn where_a_partition_begins_is_durable_before_its_first_record() {
    let Some(kafka) = Kafka::for_test() else { return };
    let topic = kafka.topic(1);
    topic.produce(FLEET.records(start(), start() + MINUTE));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let latest =
        || service(&topic, "one", folder.path()).set("ingest.start", "latest").set("sink.commit_interval", "1h");
    let mut first = latest().start();
    first.wait_for_log("partition begun", PATIENCE);
    first.wait_until("the beginning to be durable", PATIENCE, |_| {
        walk(folder.path()).iter().any(|name| name.ends_with("/log/00000000000000000000")).then_some(())
    });
    first.kill();
    topic.produce(FLEET.records(start() + MINUTE, start() + 2 * MINUTE));
    let second = latest().args(["--until-idle", "--close", "all"]).run().success();
    assert!(second.stderr.contains("partition resumed"), "{}", second.stderr);
    assert_eq!(fleet::figure(&second.stderr, "records"), FLEET.count(0, MINUTE), "what came meanwhile is read");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => names.extend(walk(&path)),
            path => names.push(path.display().to_string()),
        }
    }
    names
}

//! A running pipeline changes the width of its windows: nothing is lost, nothing is repeated, also if it is killed meanwhile.

use std::time::Duration;

use crate::support::fleet::{self, Fleet, MINUTE, SECOND, start};
use crate::support::{Atalaia, Judge, Kafka, Message};

use super::{PATIENCE, Pipeline, wait_until_committed};

const FLEET: Fleet = Fleet { devices: 9, sensors: 1, every: SECOND };
/// So long that the time which passes here while nothing comes makes nobody silent: the judge sees records only.
const CLOSE_AFTER: i64 = 4 * MINUTE;

/// Of all devices; those from `d6` on send what they read a minute and a half later, and `d8` only every two minutes.
fn records(from: i64, to: i64) -> Vec<Message> {
    let mut records = Vec::new();
    for time in (from..to).step_by(usize::try_from(SECOND).expect("small")) {
        for device in 0..6 {
            records.extend(FLEET.of_device(device, time));
        }
        for device in 6..8 {
            let late = FLEET.of_device(device, time - 90 * SECOND);
            records.extend(late.map(|record| record.at(time)));
        }
        if time % (2 * MINUTE) == 0 {
            for before in (1..=120).rev() {
                records.extend(FLEET.of_device(8, time - before * SECOND).map(|record| record.at(time)));
            }
        }
        // Comes too late, whoever looks at it.
        if time % MINUTE == 30 * SECOND {
            records.extend(FLEET.of_device(0, time - 45 * SECOND).map(|record| record.at(time)));
        }
    }
    records
}

fn old(pipeline: &Pipeline) -> Atalaia {
    pipeline.service().set("aggregate.close_after", "4m")
}

fn successor(pipeline: &Pipeline) -> Atalaia {
    pipeline
        .command(fleet::eager("run"))
        .set("pipeline", "fleet-2")
        .set("sink.predecessor", "fleet")
        .set("ingest.kafka.group", format!("{}-2", pipeline.topic.name))
        .set("ingest.kafka.instance_id", "second")
        .set("aggregate.close_after", "4m")
        .set("aggregate.window", "30s")
}

#[test]
fn to_windows_of_another_width_with_nothing_lost_and_nothing_repeated() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let pipeline = Pipeline::new(kafka.topic(3));
    let until = start() + 6 * MINUTE;
    let rfc3339 = |micros: i64| {
        let minutes = (micros - start()) / MINUTE;
        let day = date_of(start());
        format!("{day}T00:{minutes:02}:00Z")
    };
    let produce = |from: i64, to: i64| pipeline.topic.produce(records(start() + from * MINUTE, start() + to * MINUTE));

    produce(0, 4);
    let first = old(&pipeline).start();
    (0..3).for_each(|partition| wait_until_committed(&pipeline, partition));
    let drain = |until: &str| {
        let command = pipeline.state("drain").set("aggregate.close_after", "4m");
        command.args(["--until", until])
    };
    let off_grid = drain(&rfc3339(until).replace(":00Z", ":05Z")).run().status_is(1);
    assert!(off_grid.stderr.contains("is not a boundary of the windows"), "{}", off_grid.stderr);
    let too_early = drain(&rfc3339(start() + 2 * MINUTE)).run().status_is(1);
    assert!(
        too_early.stderr.contains("comes too late") && too_early.stderr.contains("hint: say"),
        "{}",
        too_early.stderr
    );
    let dry = drain(&rfc3339(until)).run().success();
    assert!(dry.stdout.contains("predecessor = \"fleet\"") && dry.stdout.contains("--apply"), "{}", dry.stdout);

    // The successor may come first: it waits for the old one to say where to begin.
    let mut second = successor(&pipeline).start();
    second.wait_for_log("has not begun to drain", PATIENCE);
    drain(&rfc3339(until)).arg("--apply").run().success();
    let other = drain(&rfc3339(until + MINUTE)).arg("--apply").run().status_is(1);
    assert!(other.stderr.contains("drain"), "{}", other.stderr);
    let mut first = first;
    first.wait_until("all partitions to drain", PATIENCE, |first| {
        (first.stderr().matches("draining: later readings").count() >= 3).then_some(())
    });
    second.wait_for_log("partition begun", PATIENCE);

    produce(4, 7);
    std::thread::park_timeout(Duration::from_millis(300));
    first.kill();
    let again = old(&pipeline).start();
    produce(7, 9);
    second.kill();
    let second = successor(&pipeline).start();
    produce(9, 13);
    // It ends by itself when it has handed over.
    let ended = again.wait(PATIENCE).success();
    assert!(!ended.stderr.contains(" ERROR "), "{}", ended.stderr);
    let status = pipeline.state("status").args(["--format", "json"]).set("aggregate.close_after", "4m").run().success();
    let status = status.json_lines().remove(0);
    for partition in status["partitions"].as_array().expect("three") {
        assert_eq!(partition["drain"]["drained"], true, "{status:#}");
    }
    second.terminate(Duration::from_secs(12)).success();
    successor(&pipeline).args(["--until-idle", "--close", "all"]).run().success();

    let rules = |window: i64| {
        serde_json::json!({
            "window": window, "close_after": CLOSE_AFTER, "max_future_skew": 300 * SECOND,
        })
    };
    let config = serde_json::json!({ "until": until, "old": rules(10 * SECOND), "new": rules(30 * SECOND) });
    let topic = &pipeline.topic;
    let folder = pipeline.folder.path().display().to_string();
    let found = judge.run("judges/hand_over.py", [&topic.brokers, &topic.name, &folder, &config.to_string()]);
    println!("{found}");
    let found: serde_json::Value = serde_json::from_str(&found).expect("the judge speaks JSON");
    assert!(found["late_old"].as_u64() > Some(0) && found["late"].as_u64() > found["late_old"].as_u64(), "{found}");
    pipeline.audit(0);
    let new = fleet::state("audit").set_all(topic.settings()).set("sink.url", &folder).set("pipeline", "fleet-2");
    let new = new.set("aggregate.window", "30s").set("aggregate.close_after", "4m").run().success();
    println!("{}", new.stdout);
}

/// The day of a midnight, as RFC 3339 writes it.
fn date_of(midnight: i64) -> String {
    jiff::Timestamp::from_microsecond(midnight).expect("a time").strftime("%Y-%m-%d").to_string()
}

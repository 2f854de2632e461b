//! Jobs side by side, each with a part of the input: together they write the rows of one job, and count each record once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::fleet::{self, Fleet, HOUR, MINUTE, SECOND, start};
use crate::support::{Atalaia, Hub, Judge, Kafka, Outcome, Running};

const WITHIN: Duration = Duration::from_secs(90);
const FLEET: Fleet = Fleet { devices: 12, sensors: 2, every: 20 * SECOND };
/// What all shards count together.
const COUNTS: [&str; 8] =
    ["records", "readings", "undecodable", "late", "quarantined", "rows", "anomalies", "durable_rows"];

/// `score` into a folder, of all or of a part.
fn score(command: Atalaia, results: &Path, models: &Path, shard: Option<&str>) -> Atalaia {
    let name = results.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let command = command
        .set("pipeline", name)
        .set("sink.url", results.display())
        .set("score.models", models.display())
        .args(["--format", "json"]);
    match shard {
        Some(shard) => command.set("run.workers", 1).args(["--shard", shard]),
        None => command.set("run.workers", 2),
    }
}

/// Shards 0 to before `count`, side by side.
fn side_by_side(count: usize, command: impl Fn(&str) -> Atalaia) -> Vec<Value> {
    let running: Vec<Running> = (0..count).map(|index| command(&format!("{index}/{count}")).start()).collect();
    running.into_iter().map(|shard| said(&shard.wait(WITHIN).success())).collect()
}

fn said(outcome: &Outcome) -> Value {
    outcome.summary()
}

fn sum(said: &[Value], count: &str) -> u64 {
    said.iter().map(|one| one["counts"][count].as_u64().unwrap_or_else(|| panic!("no `{count}` in {one}"))).sum()
}

/// Every record is counted by one shard, and the rows are those of one job.
fn together_they_are_one(judge: &Judge, shards: &[Value], whole: &Value, folders: [&Path; 2], written_by: &[&str]) {
    for count in COUNTS {
        assert_eq!(sum(shards, count), whole["counts"][count].as_u64().expect("a number"), "{count}");
    }
    let [one, other] = folders.map(|folder| folder.display().to_string());
    println!("{}", judge.run("judges/same.py", [one.as_str(), &other].iter().chain(written_by)));
}

/// Lines of a fleet in order of time, with everything that can be wrong with one, or with a part of one.
fn lines(path: &Path) {
    let mut lines: Vec<String> = Vec::new();
    let reading = |device: usize, time: i64| {
        let payload = fleet::record(&format!("d{device}"), "s0", time).payload.expect("a reading has a payload");
        String::from_utf8(payload).expect("JSON is text")
    };
    for (at, message) in FLEET.records(start(), start() + HOUR).enumerate() {
        let now = message.time.expect("given");
        lines.push(String::from_utf8(message.payload.expect("a reading has a payload")).expect("JSON is text"));
        let (device, other) = (at % FLEET.devices, (at + 5) % FLEET.devices);
        match at % 40 {
            3 => lines.push(r#"{"device":"d1","#.to_owned()),
            9 => lines.push(r#"{"sensor":"s0","ts":1,"value":2}"#.to_owned()),
            // Far behind windows that are closed.
            17 => lines.push(reading(device, now - 20 * MINUTE)),
            // Of several devices, some of it late, some of it no reading.
            23 => lines.push(format!(
                "[{},{},{{\"device\":\"d3\"}}]",
                reading(device, now),
                reading(other, now - 20 * MINUTE)
            )),
            29 => lines.push(r#"[{"device":"d3"},{"device":"d4"}]"#.to_owned()),
            31 => lines.push("[]".to_owned()),
            _ => {}
        }
    }
    std::fs::write(path, lines.join("\n")).expect("the folder is ours");
}

#[test]
fn four_jobs_over_files_write_the_rows_of_one() {
    let Some(judge) = Judge::for_test() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    lines(&at("readings.jsonl"));
    let models = fleet::models(&judge);
    let job = |results: &Path, shard: Option<&str>| {
        let command = fleet::eager("score")
            .set("ingest.source", "files")
            .set("ingest.files.path", at("readings.jsonl").display())
            .set("ingest.files.assume_sorted", true)
            .set("sink.min_rows", 1000);
        score(command, results, &models, shard)
    };
    let (whole, shards) = (at("whole"), at("shards"));
    let one = said(&job(&whole, None).run().success());
    assert!(
        ["late", "undecodable", "quarantined"].iter().all(|count| one["counts"][count].as_u64() > Some(50)),
        "{one}"
    );
    let four = side_by_side(4, |shard| job(&shards, Some(shard)));
    assert!(four.iter().all(|shard| shard["counts"]["rows"].as_u64() > Some(0)), "each has devices: {four:?}");
    together_they_are_one(&judge, &four, &one, [&shards, &whole], &["source_partition", "partition"]);

    // Again: nothing new.
    let again = side_by_side(4, |shard| job(&shards, Some(shard)));
    for count in ["records", "rows", "files", "quarantined"] {
        assert_eq!(sum(&again, count), 0, "{count}");
    }
    assert!(again.iter().all(|shard| shard["hint"].as_str().is_some_and(|hint| hint.contains("nothing is new"))));

    // Cut otherwise, windows would be published again.
    for (results, shard, way) in [
        (&shards, Some("0/3"), "--shard INDEX/4"),
        (&shards, Some("7/8"), "--shard INDEX/4"),
        (&shards, None, "--shard INDEX/4"),
        (&whole, Some("0/2"), "without `--shard`"),
        (&whole, Some("1/2"), "without `--shard`"),
    ] {
        let refused = job(results, shard).run().status_is(1);
        assert!(refused.stderr.contains(way) && refused.stderr.contains("sink.url"), "{shard:?}: {}", refused.stderr);
    }
    println!("{}", judge.run("judges/same.py", [&shards, &shards]));

    // What each shard's log says adds up too.
    let audit = fleet::state("audit")
        .set("ingest.source", "files")
        .set("ingest.files.path", at("readings.jsonl").display())
        .set("ingest.files.assume_sorted", true)
        .set("pipeline", "shards")
        .set("sink.url", shards.display());
    audit.run().success();
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("readings.jsonl");
    lines(&input);
    let job = |shard: &str| {
        let command =
            fleet::eager("score").set("ingest.source", "files").set("sink.url", folder.path().join("out").display());
        command.args(["--shard", shard])
    };
    for (shard, why) in [("4/4", "the last one is `3/4`"), ("0/0", "one shard at least"), ("four", "like `0/4`")] {
        let refused = job(shard).set("ingest.files.path", input.display()).run().status_is(2);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let piped = job("0/2").set("ingest.files.path", "-").stdin(&input).run().status_is(1);
    assert!(piped.stderr.contains("has no shards") && piped.stderr.contains("to a file first"), "{}", piped.stderr);
    let shared = job("0/2").set("ingest.files.path", input.display()).set("ingest.files.assume_sorted", true);
    let shared = shared.set("aggregate.clock", "partition").run().status_is(1);
    assert!(shared.stderr.contains("`aggregate.clock`"), "{}", shared.stderr);
}

#[test]
fn three_jobs_over_a_topic_write_the_rows_of_one() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(4);
    let records = |from, to| FLEET.records(from, to);
    let mut produced = topic.produce(records(start(), start() + 30 * MINUTE));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let job = |name: &str, close: &str, shard: Option<&str>| {
        let command = fleet::eager("score").set_all(topic.settings()).set("ingest.kafka.group", &topic.name);
        let command = command.set("sink.min_rows", 1000).args(["--close", close]);
        score(command, &folder.path().join(name), &models, shard)
    };
    // A member of the group has all partitions: who was told its partitions need not wait for any.
    let mut member = fleet::eager("run")
        .set_all(topic.settings())
        .set("ingest.kafka.group", &topic.name)
        .set("pipeline", "member")
        .set("score.models", "")
        .set("sink.url", folder.path().join("member").display())
        .start();
    member.wait_for_log("partition begun", WITHIN);

    let first = side_by_side(3, |shard| job("shards", "due", Some(shard)));
    assert_eq!(sum(&first, "records"), produced);
    produced += topic.produce(records(start() + 30 * MINUTE, start() + HOUR));
    let second = side_by_side(3, |shard| job("shards", "all", Some(shard)));
    assert_eq!(sum(&first, "records") + sum(&second, "records"), produced);
    assert!(member.is_running(), "{}", member.stderr());
    member.terminate(WITHIN).success();

    for part in [&first, &second] {
        assert!(part.iter().all(|shard| shard["counts"]["gained"].as_u64() > Some(0)), "each has partitions: {part:?}");
    }
    said(&job("whole", "all", None).run().success());
    let folders = [folder.path().join("shards"), folder.path().join("whole")];
    println!("{}", judge.run("judges/same.py", &folders));

    let surplus = said(&job("shards", "all", Some("4/5")).run().success());
    assert_eq!(surplus["counts"]["gained"], 0);
    assert!(surplus["hint"].as_str().is_some_and(|hint| hint.contains("nothing to do for shard 4/5")), "{surplus}");
}

#[test]
fn two_jobs_over_an_event_hub_write_the_rows_of_one() {
    let Some(judge) = Judge::for_test() else { return };
    let hub = Hub::start("readings", 5);
    let fleet = ["--devices", "20", "--duration", "3h", "--habits", "offline=0"];
    hub.simulate().args(fleet).run().success();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let job = |name: &str, shard: Option<&str>| {
        let command =
            hub.read_by(Atalaia::new("score").config("[aggregate]\nwindow = \"5m\"\n")).args(["--close", "all"]);
        score(command, &folder.path().join(name), &models, shard)
    };
    let two = side_by_side(2, |shard| job("shards", Some(shard)));
    let one = said(&job("whole", None).run().success());
    let folders = [folder.path().join("shards"), folder.path().join("whole")];
    together_they_are_one(&judge, &two, &one, [&folders[0], &folders[1]], &[]);
}

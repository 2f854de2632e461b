//! The batch jobs and the service are one pipeline: how its work is cut into runs changes nothing in what comes out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::fleet::{self, Fleet, HOUR, MINUTE, SECOND, start};
use crate::support::{Atalaia, Judge, Kafka, Message, Running, Topic, http};

const PARTITIONS: usize = 4;

/// One pipeline over a topic, with its results and models in a folder of its own.
struct Pipeline<'a> {
    topic: &'a Topic,
    name: &'static str,
    folder: PathBuf,
    models: PathBuf,
    window: &'static str,
    close_after: &'static str,
}

impl<'a> Pipeline<'a> {
    fn new(
        topic: &'a Topic,
        place: &Path,
        models: &Path,
        name: &'static str,
        [window, close_after]: [&'static str; 2],
    ) -> Self {
        Pipeline { topic, name, folder: place.join(name), models: models.to_owned(), window, close_after }
    }

    fn command(&self, subcommand: &str) -> Atalaia {
        fleet::eager(subcommand)
            .set_all(self.topic.settings())
            .set("ingest.kafka.group", format!("{}-{}", self.topic.name, self.name))
            // A killed member that comes back under its name need not wait until it is given up.
            .set("ingest.kafka.instance_id", "only")
            .set("pipeline", self.name)
            .set("aggregate.window", self.window)
            .set("aggregate.close_after", self.close_after)
            .set("score.models", self.models.display())
            .set("sink.url", self.folder.display())
            .set("sink.min_rows", 1000)
    }

    fn score(&self, close: &str) -> Value {
        let outcome = self.command("score").args(["--close", close, "--format", "json"]).run().success();
        outcome.summary()["counts"].clone()
    }

    fn close_all(&self) {
        self.command("run").args(["--until-idle", "--close", "all"]).run().success();
    }

    /// A service that has read so many records.
    fn service(&self) -> Running {
        let mut service = self.command("run").set("run.workers", 1).start();
        service.wait_for_log("partition ", Duration::from_secs(30));
        service
    }

    /// What the judge finds when it recomputes all rows from the topic.
    fn verdict(&self, judge: &Judge, window: i64, close_after: i64) -> Value {
        let config = serde_json::json!({
            "window": window, "close_after": close_after, "max_future_skew": 300 * SECOND, "close": "all",
            "duplicates": false, "models": self.models,
        });
        let results = self.folder.display().to_string();
        let found =
            judge.run("judges/topic.py", [&self.topic.brokers, &self.topic.name, &results, &config.to_string()]);
        println!("{}: {found}", self.name);
        serde_json::from_str(&found).expect("the judge speaks JSON")
    }
}

fn wait_for_records(service: &mut Running, records: u64) {
    let address = fleet::listener(service);
    service.wait_until("the records to be read", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        (http::metric(&metrics, "atalaia_ingest_records_total", "")? >= records as f64).then_some(())
    });
}

fn same(judge: &Judge, one: &Pipeline<'_>, other: &Pipeline<'_>) {
    let found = judge.run("judges/same.py", [&one.folder, &other.folder]);
    println!("{} and {}: {found}", one.name, other.name);
    let found: Value = serde_json::from_str(&found).expect("the judge speaks JSON");
    assert!(found["anomalies"].as_u64() > Some(0), "labels should be compared too: {found}");
}

/// An hourly job leaves open windows in its state; the next one goes on with them.
#[test]
fn three_jobs_over_a_growing_topic_equal_one_continuous_run() {
    const FLEET: Fleet = Fleet { devices: 12, sensors: 2, every: 30 * SECOND };
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(PARTITIONS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let pipeline = |name| Pipeline::new(&topic, folder.path(), &models, name, ["10m", "15m"]);
    let (jobs, continuous) = (pipeline("jobs"), pipeline("continuous"));
    let mut service = continuous.service();
    let (mut produced, mut rows) = (0, 0);
    // Cut in the middle of windows; d7 reads nothing for an hour, so that silence closes windows too.
    let cuts = [start(), start() + 63 * MINUTE, start() + 124 * MINUTE, start() + 3 * HOUR + 17 * MINUTE];
    for part in cuts.windows(2) {
        let silent = start() + 70 * MINUTE..start() + 130 * MINUTE;
        let messages = FLEET
            .records(part[0], part[1])
            .filter(|message| message.key.as_deref() != Some(b"d7") || !silent.contains(&message.time.expect("given")));
        let fresh = topic.produce(messages);
        produced += fresh;
        let counts = jobs.score("due");
        assert_eq!((&counts["records"], &counts["late"]), (&fresh.into(), &0.into()), "{counts}");
        rows += counts["rows"].as_u64().expect("a number");
        wait_for_records(&mut service, produced);
    }
    assert!(rows > 0, "a job writes what is due");
    let last = jobs.score("all");
    assert_eq!(last["records"], 0, "the last job reads nothing again");
    assert!(last["rows"].as_u64() > Some(0), "and closes what was left open");
    service.terminate(Duration::from_secs(10)).success();
    continuous.close_all();

    same(&judge, &jobs, &continuous);
    let found = jobs.verdict(&judge, 10 * MINUTE, 15 * MINUTE);
    assert_eq!(found["records"], produced);
    assert_eq!(found["rows"], rows + last["rows"].as_u64().expect("a number"));
}

/// The group tells a job that others have the rest: it reads its share, says so, and ends.
#[test]
fn a_job_beside_a_service_ends_with_its_share() {
    const FLEET: Fleet = Fleet { devices: 12, sensors: 1, every: 30 * SECOND };
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(PARTITIONS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipeline = Pipeline {
        topic: &topic,
        name: "shared",
        folder: folder.path().join("shared"),
        models: fleet::models(&judge),
        window: "10m",
        close_after: "15m",
    };
    let produced = topic.produce(FLEET.records(start(), start() + HOUR));
    let mut service = pipeline.service();
    wait_for_records(&mut service, produced);

    let job = pipeline.command("score").set("run.workers", 1).set("ingest.kafka.instance_id", "job");
    let job = job.args(["--close", "due"]).run().success();
    let said = format!("of {PARTITIONS} partitions were read here: the others belong to other members of the group");
    assert!(job.stderr.contains(&said), "{}", job.stderr);
    service.terminate(Duration::from_secs(10)).success();

    pipeline.close_all();
    assert_eq!(pipeline.verdict(&judge, 10 * MINUTE, 15 * MINUTE)["records"], produced);
}

/// Offline from the start of the day, uploaded in order after its end, among devices that were live all the time.
#[test]
fn a_day_uploaded_afterwards_is_not_late() {
    const FLEET: Fleet = Fleet { devices: 8, sensors: 1, every: 5 * MINUTE };
    const DAY: i64 = 24 * HOUR;
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let is_offline = |device: usize| device % 2 == 1;

    // The evening before all are live; then every second device falls silent for the day.
    let mut messages: Vec<Message> = FLEET.records(start() - 2 * HOUR, start()).collect();
    for time in (start()..start() + DAY).step_by(FLEET.every as usize) {
        let live = (0..FLEET.devices).filter(|device| !is_offline(*device));
        messages.extend(live.flat_map(|device| FLEET.of_device(device, time)));
    }
    // From half past midnight on each sends its day, a reading a second, while the others go on.
    let upload = start() + DAY + 30 * MINUTE;
    for (i, time) in (start()..start() + DAY).step_by(FLEET.every as usize).enumerate() {
        let now = upload + i64::try_from(i).expect("small") * SECOND;
        if (now - start()).rem_euclid(FLEET.every) < SECOND {
            let live = (0..FLEET.devices).filter(|device| !is_offline(*device));
            messages.extend(live.flat_map(|device| FLEET.of_device(device, now - now.rem_euclid(FLEET.every))));
        }
        let offline = (0..FLEET.devices).filter(|device| is_offline(*device));
        messages.extend(offline.flat_map(|device| FLEET.of_device(device, time)).map(|message| message.at(now)));
    }
    let produced = topic.produce(messages);

    let pipeline = Pipeline::new(&topic, folder.path(), &models, "uploads", ["1h", "15m"]);
    let outcome = pipeline.command("run").args(["--until-idle", "--close", "all"]).run().success();
    assert_eq!(fleet::figure(&outcome.stderr, "late"), 0, "{}", outcome.stderr);
    assert_eq!(fleet::figure(&outcome.stderr, "quarantined"), 0);
    let found = pipeline.verdict(&judge, HOUR, 15 * MINUTE);
    assert_eq!((&found["records"], &found["late"]), (&produced.into(), &0.into()));
    // Two hours of the evening and 24 of the day for each device; the live ones have an hour more.
    assert_eq!(found["rows"], 8 * 26 + 4);
}

/// Broker times of hours ago, silence of half a minute: whoever compares with a wall clock closes far too much.
#[test]
fn a_restart_with_hours_of_lag_gives_the_same_rows() {
    const FLEET: Fleet = Fleet { devices: 10, sensors: 1, every: 10 * SECOND };
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let topic = kafka.topic(PARTITIONS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = fleet::models(&judge);
    let pipeline = |name| Pipeline::new(&topic, folder.path(), &models, name, ["1m", "30s"]);
    let (interrupted, at_once) = (pipeline("interrupted"), pipeline("at-once"));
    let now = fleet::now();
    let begin = (now - 6 * HOUR).div_euclid(MINUTE) * MINUTE + 20 * SECOND;

    // An hour is read live, then the service is killed, and five more hours come before it is back.
    let mut produced = topic.produce(FLEET.records(begin, begin + HOUR));
    let mut service = interrupted.service();
    wait_for_records(&mut service, produced);
    std::thread::park_timeout(Duration::from_secs(3));
    service.kill();
    produced += topic.produce(FLEET.records(begin + HOUR, now - MINUTE));
    let mut service = interrupted.service();
    wait_for_records(&mut service, FLEET.count(begin + HOUR, now - MINUTE));
    assert!(service.stderr().contains("partition resumed"), "{}", service.stderr());
    service.terminate(Duration::from_secs(10)).success();
    interrupted.close_all();

    at_once.close_all();
    same(&judge, &interrupted, &at_once);
    let found = interrupted.verdict(&judge, MINUTE, 30 * SECOND);
    assert_eq!((&found["records"], &found["late"]), (&produced.into(), &0.into()));
}

/// Names and contents of all files below a folder.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push((path.clone(), std::fs::read(path).expect("a file"))),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_files_again_bring_nothing_new() {
    const FLEET: Fleet = Fleet { devices: 3, sensors: 2, every: 10 * SECOND };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("readings.jsonl");
    let lines: Vec<Vec<u8>> = FLEET.records(start(), start() + HOUR).filter_map(|message| message.payload).collect();
    std::fs::write(&input, lines.join(&b'\n')).expect("the folder is ours");
    let results = folder.path().join("scored");
    let score = || {
        let outcome = fleet::eager("score")
            .set("ingest.source", "files")
            .set("ingest.files.path", input.display())
            .set("sink.url", results.display())
            .args(["--format", "json"])
            .run()
            .success();
        outcome.json_lines()[0].clone()
    };
    let first = score()["counts"].clone();
    assert_eq!((first["records"].as_u64(), first["rows"].as_u64()), (Some(2160), Some(2160)), "{first}");
    let written = snapshot(&results.join("predictions"));
    for _ in 0..2 {
        let said = score();
        assert!(said["hint"].as_str().is_some_and(|hint| hint.contains("nothing is new")), "{said}");
        let again = &said["counts"];
        assert_eq!((again["rows"].as_u64(), again["files"].as_u64()), (Some(0), Some(0)), "{again}");
        assert!(snapshot(&results.join("predictions")) == written, "the same files, byte for byte");
    }
}

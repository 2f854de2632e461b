//! `atalaia state`: what it shows is so, and each remedy answers the halt that names it.

mod audit;
mod drills;
mod gap;
mod hand_over;
mod reset;
mod status;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::fleet::{self, Fleet, SECOND};
use crate::support::{Atalaia, Judge, Outcome, Running, Topic, http, wait};

const FLEET: Fleet = Fleet { devices: 12, sensors: 1, every: SECOND };
const PATIENCE: Duration = Duration::from_secs(90);

/// One pipeline on one topic, with all its results in one folder.
struct Pipeline {
    topic: Topic,
    folder: tempfile::TempDir,
}

impl Pipeline {
    fn new(topic: Topic) -> Self {
        Pipeline { topic, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn command(&self, command: Atalaia) -> Atalaia {
        command.set_all(self.topic.settings()).set("sink.url", self.folder.path().display()).set("run.workers", 1)
    }

    fn service(&self) -> Atalaia {
        // A member that comes back under its name is given its partitions at once.
        self.command(fleet::eager("run")).set("ingest.kafka.instance_id", "only")
    }

    /// Reads the topic to its end.
    fn catch_up(&self) -> Outcome {
        self.service().args(["--until-idle", "--close", "due"]).run()
    }

    fn state(&self, action: &str) -> Atalaia {
        self.command(fleet::state(action))
    }

    /// What `state status` says, with its exit status.
    fn status(&self, status: i32) -> Value {
        let outcome = self.state("status").args(["--format", "json"]).run().status_is(status);
        outcome.json_lines().remove(0)
    }

    fn audit(&self, status: i32) -> Value {
        let outcome = self.state("audit").args(["--format", "json"]).run().status_is(status);
        println!("{}", outcome.stdout);
        outcome.json_lines().remove(0)
    }

    fn predictions(&self) -> PathBuf {
        self.folder.path().join("predictions")
    }

    fn log(&self, partition: u32) -> PathBuf {
        self.folder.path().join(format!("state/fleet/{}/{partition}/log", self.topic.name))
    }

    fn newest_record(&self, partition: u32) -> PathBuf {
        files(&self.log(partition)).pop().expect("there is a record")
    }

    /// DuckDB's opinion: no window twice. The rows there are.
    fn rows(&self, judge: &Judge) -> u64 {
        let found = judge.run("judges/unique.py", [&self.predictions()]);
        println!("{found}");
        let found: Value = serde_json::from_str(&found).expect("the judge speaks JSON");
        found["rows"].as_u64().expect("a number")
    }
}

/// The files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found.sort();
    found
}

/// Waits until the service is ready, or is not and says so.
fn wait_for_readiness(service: &mut Running, status: u16, says: &str) {
    let address = fleet::listener(service);
    service.wait_until(&format!("/readyz to be {status} `{says}`"), PATIENCE, |_| {
        let answer = http::get(&address, "/readyz")?;
        (answer.status == status && answer.body.contains(says)).then_some(())
    });
}

/// The position that a partition is committed at.
fn next(status: &Value, partition: usize) -> i64 {
    status["partitions"][partition]["next"].as_i64().unwrap_or_else(|| panic!("no position in {status:#}"))
}

/// Waits until all that the topic holds is committed, by the status of a pipeline that runs.
fn wait_until_committed(pipeline: &Pipeline, partition: usize) {
    let committed = wait::poll(PATIENCE, || {
        let outcome = pipeline.state("status").args(["--format", "json"]).run();
        // At first there is nothing, not even the folder.
        let lines = outcome.json_lines();
        let status = lines.first()?;
        (status["partitions"][partition]["lag"] == 0).then_some(())
    });
    assert!(committed.is_some(), "partition {partition} does not get on");
}

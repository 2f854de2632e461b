//! A disk that is full: the service says so, loses nothing, and goes on by itself when there is room.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::fleet::{self, Fleet, HOUR, SECOND, start};
use crate::support::{Judge, Kafka, http};

const FLEET: Fleet = Fleet { devices: 40, sensors: 2, every: SECOND };

/// A small disk of its own; gone when dropped.
struct SmallDisk {
    folder: PathBuf,
    _parent: tempfile::TempDir,
}

impl SmallDisk {
    /// `None`, visibly, where mounting is not permitted.
    fn mount(size: &str) -> Option<Self> {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("disk");
        std::fs::create_dir(&folder).expect("the folder is ours");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk { folder, _parent: parent });
        }
        println!("SKIPPED: a disk to fill cannot be mounted here");
        None
    }

    /// Takes all room; removing the file gives it back.
    fn fill(&self) -> PathBuf {
        let filler = self.folder.join("filler");
        let written =
            Command::new("dd").args(["if=/dev/zero", "bs=4096"]).arg(format!("of={}", filler.display())).output();
        assert!(written.is_ok_and(|output| !output.status.success()), "dd ends when the disk is full");
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, should a process still be there.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn rows(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder.join("predictions")) else { return 0 };
    entries.flatten().filter_map(|date| std::fs::read_dir(date.path()).ok()).flatten().count()
}

#[test]
fn full_it_waits_and_with_room_it_goes_on() {
    let (Some(kafka), Some(judge)) = (Kafka::for_test(), Judge::for_test()) else { return };
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let results = disk.folder.join("scored");
    let topic = kafka.topic(4);
    let service = || {
        fleet::eager("run")
            .set_all(topic.settings())
            .set("ingest.kafka.instance_id", "only")
            .set("sink.url", results.display())
            .set("sink.min_rows", 500)
            .set("sink.max_delay", "500ms")
    };
    topic.produce(FLEET.records(start(), start() + 200 * SECOND));
    let mut running = service().start();
    let address = fleet::listener(&mut running);
    running.wait_until("files", Duration::from_secs(60), |_| (rows(&results) > 0).then_some(()));

    let filler = disk.fill();
    topic.produce(FLEET.records(start() + 200 * SECOND, start() + 600 * SECOND));
    running.wait_for_log("no space left where", Duration::from_secs(60));
    assert_eq!(http::get(&address, "/livez").expect("it lives").status, 200);
    let said = running.stderr();
    println!("{}", said.lines().find(|line| line.contains("no space left")).unwrap_or_default());
    assert!(said.contains("make room"), "the remedy is said: {said}");
    let before = rows(&results);

    // Asked to leave while nothing can be written it still leaves in time, and without success being pretended.
    let asked = Instant::now();
    let left = running.terminate(Duration::from_secs(20));
    println!("asked to leave while full: {} after {:?}", left.status, asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(11), "the grace period is 10 s: {:?}", asked.elapsed());
    assert!(left.stderr.contains("will be read again"), "{}", left.stderr);
    std::fs::remove_file(&filler).expect("the folder is ours");

    let mut running = service().start();
    let address = fleet::listener(&mut running);
    running.wait_until("more files", Duration::from_secs(60), |_| (rows(&results) > before).then_some(()));
    let filler = disk.fill();
    topic.produce(FLEET.records(start() + 600 * SECOND, start() + 1000 * SECOND));
    running.wait_for_log("no space left where", Duration::from_secs(60));
    std::fs::remove_file(&filler).expect("the folder is ours");
    running.wait_for_log("storage answers again", Duration::from_secs(60));
    running.wait_until("all records to be read", Duration::from_secs(60), |_| {
        let metrics = http::get(&address, "/metrics")?.body;
        let lag = http::metric(&metrics, "atalaia_aggregate_closed_rows", "")?;
        (lag == 0.0 && metrics.contains("atalaia_sink_commits_total")).then_some(())
    });
    running.terminate(Duration::from_secs(12)).success();

    service().args(["--until-idle", "--close", "all"]).run().success();
    let config = serde_json::json!({
        "window": 10 * SECOND, "close_after": HOUR / 4, "max_future_skew": 300 * SECOND, "close": "all", "duplicates": false,
    });
    let found = judge
        .run("judges/topic.py", [&topic.brokers, &topic.name, &results.display().to_string(), &config.to_string()]);
    println!("{found}");
    let found: serde_json::Value = serde_json::from_str(&found).expect("the judge speaks JSON");
    assert_eq!((&found["records"], &found["rows"]), (&80_000.into(), &8_000.into()));
}
